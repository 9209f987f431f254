package v4l2

import (
	"testing"

	"github.com/parley-rtc/parley/media"
)

// What a picture costs from the driver's memory to the program's, without the
// kernel.
func BenchmarkReadFrame(b *testing.B) {
	for _, code := range []string{"YUYV", "NV12"} {
		b.Run(code+"-1280x720", func(b *testing.B) {
			d := newFake(code)
			c := openFake(b, newFakeHost(d), Options{Width: 1280, Height: 720})
			used := []uint32{0}
			fill := func(p [][]byte) []uint32 {
				used[0] = uint32(len(p[0]))
				return used
			}
			var f media.VideoFrame
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				d.push(0, fill)
				if err := c.ReadFrame(ctx, &f); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(f.Planes[0]) + len(f.Planes[1])))
		})
	}
}

func BenchmarkSource(b *testing.B) {
	d := newFake("H264")
	c := openFake(b, newFakeHost(d), Options{Width: 1280, Height: 720})
	s := c.Source()
	picture := append(nals(sps264, pps264, idr264), make([]byte, 8000)...)
	for i := range 8000 {
		picture[len(picture)-1-i] = byte(i%255 + 1)
	}
	used := []uint32{0}
	fill := func(p [][]byte) []uint32 {
		used[0] = uint32(copy(p[0], picture))
		return used
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.SetBytes(int64(len(picture)))
	for b.Loop() {
		d.push(0, fill)
		if _, err := s.Next(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
