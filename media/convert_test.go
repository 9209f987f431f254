package media_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

// yuv returns a pixel's luminance, and the chroma that belongs to it, as the
// definition of its format has them.
func yuv(f *media.VideoFrame, x, y int) (luma, u, v float64) {
	at := func(plane, offset int) float64 { return float64(f.Planes[plane][offset]) }
	row := func(plane int) int { return y * f.Strides[plane] }
	switch f.Format {
	case media.I420:
		c := y / 2 * f.Strides[1]
		return at(0, row(0)+x), at(1, c+x/2), at(2, y/2*f.Strides[2]+x/2)
	case media.NV12:
		c := y/2*f.Strides[1] + x/2*2
		return at(0, row(0)+x), at(1, c), at(1, c+1)
	case media.NV21:
		c := y/2*f.Strides[1] + x/2*2
		return at(0, row(0)+x), at(1, c+1), at(1, c)
	case media.YUYV:
		c := row(0) + x/2*4
		return at(0, row(0)+2*x), at(0, c+1), at(0, c+3)
	case media.UYVY:
		c := row(0) + x/2*4
		return at(0, row(0)+2*x+1), at(0, c), at(0, c+2)
	case media.BGRA:
		c := row(0) + x*4
		return rgb(at(0, c+2), at(0, c+1), at(0, c))
	case media.RGBA:
		c := row(0) + x*4
		return rgb(at(0, c), at(0, c+1), at(0, c+2))
	case media.Gray:
		return 16 + at(0, row(0)+x)*219/255, 128, 128
	}
	panic(f.Format)
}

// rgb is BT.601 in limited range.
func rgb(r, g, b float64) (y, u, v float64) {
	return 16 + (65.481*r+128.553*g+24.966*b)/255,
		128 + (-37.797*r-74.203*g+112*b)/255,
		128 + (112*r-93.786*g-18.214*b)/255
}

// requireSame compares an I420 picture with what the definition of src says.
func requireSame(t *testing.T, src, got *media.VideoFrame, tolerance float64) {
	t.Helper()
	require.NoError(t, got.Validate())
	require.Equal(t, media.I420, got.Format)
	require.Equal(t, []int{src.Width, src.Height}, []int{got.Width, got.Height})
	for y := range src.Height {
		for x := range src.Width {
			want, _, _ := yuv(src, x, y)
			luma, u, v := yuv(got, x, y)
			require.InDelta(t, want, luma, tolerance, "luminance at %d,%d", x, y)
			if x%2 != 0 || y%2 != 0 {
				continue
			}
			var wantU, wantV float64
			for i := range 4 {
				_, pu, pv := yuv(src, min(x+i%2, src.Width-1), min(y+i/2, src.Height-1))
				wantU, wantV = wantU+pu/4, wantV+pv/4
			}
			require.InDelta(t, wantU, u, tolerance, "U at %d,%d", x, y)
			require.InDelta(t, wantV, v, tolerance, "V at %d,%d", x, y)
		}
	}
}

func TestConvertOfEachFormat(t *testing.T) {
	for _, format := range rawFormats {
		tolerance := map[media.PixelFormat]float64{media.YUYV: 0.5, media.UYVY: 0.5, media.BGRA: 1, media.RGBA: 1, media.Gray: 1}[format]
		for _, size := range [][2]int{{1, 1}, {2, 2}, {1, 8}, {8, 1}, {3, 5}, {7, 2}, {16, 4}, {17, 3}, {30, 4}, {33, 7}, {47, 3}, {64, 6}} {
			for _, padding := range []int{0, 1, 13} {
				t.Run(fmt.Sprintf("%s %dx%d padded by %d", format, size[0], size[1], padding), func(t *testing.T) {
					src := newFrame(t, format, size[0], size[1])
					paint(src)
					src.Timestamp, src.Captured = time.Minute, time.Unix(5, 0)
					src = padded(src, padding)
					got := newFrame(t, media.BGRA, 70, 70) // memory of something else
					paint(got)
					require.NoError(t, media.Convert(got, src))
					requireSame(t, src, got, tolerance)
					require.Equal(t, src.Timestamp, got.Timestamp)
					require.Equal(t, src.Captured, got.Captured)
				})
			}
		}
	}
}

func TestConvertStaysInItsPlanes(t *testing.T) {
	for _, format := range rawFormats {
		for width := 1; width < 70; width++ {
			got := newFrame(t, media.Gray, 100, 20)
			memory := got.Planes[0]
			for i := range memory {
				memory[i] = 0xaa
			}
			require.NoError(t, media.Convert(got, newFrame(t, format, width, 3)))
			end := len(got.Planes[0]) + len(got.Planes[1]) + len(got.Planes[2])
			require.Same(t, &memory[0], &got.Planes[0][0])
			require.Equal(t, len(memory)-end, bytes.Count(memory[end:], []byte{0xaa}), "%s, %d wide", format, width)
		}
	}
}

func TestConvertOfExtremes(t *testing.T) {
	for _, value := range []byte{0, 255} {
		for _, format := range rawFormats {
			src := newFrame(t, format, 19, 3)
			for i := range src.Planes {
				for j := range src.Planes[i] {
					src.Planes[i][j] = value
				}
			}
			var got media.VideoFrame
			require.NoError(t, media.Convert(&got, src))
			requireSame(t, src, &got, 1)
		}
	}
	for name, c := range map[string][3]float64{
		"red": {255, 0, 0}, "green": {0, 255, 0}, "blue": {0, 0, 255}, "yellow": {255, 255, 0}, "cyan": {0, 255, 255}, "magenta": {255, 0, 255},
	} {
		src := newFrame(t, media.RGBA, 5, 5)
		for i := 0; i < len(src.Planes[0]); i += 4 {
			copy(src.Planes[0][i:], []byte{byte(c[0]), byte(c[1]), byte(c[2]), 0})
		}
		var got media.VideoFrame
		require.NoError(t, media.Convert(&got, src), name)
		requireSame(t, src, &got, 1)
	}
}

func TestConvertRefusesMalformedPictures(t *testing.T) {
	var dst media.VideoFrame
	for _, format := range rawFormats {
		for i := range planes(format) {
			src := newFrame(t, format, 6, 5)
			src.Planes[i] = nil
			require.ErrorIs(t, media.Convert(&dst, src), media.ErrPlane, format)
		}
	}
	require.ErrorIs(t, media.Convert(&dst, &media.VideoFrame{Format: "HEVC", Width: 2, Height: 2}), media.ErrFormat)
	require.ErrorIs(t, media.Convert(&dst, &media.VideoFrame{Format: media.NV12, Width: math.MaxInt, Height: 2}), media.ErrSize)
	f := newFrame(t, media.YUYV, 2, 2)
	require.EqualError(t, media.Convert(f, f), "media: YUYV picture of 2x2: converted into itself")
}

func TestConvertMakesNoGarbage(t *testing.T) {
	for _, format := range rawFormats {
		src := newFrame(t, format, 64, 48)
		var dst media.VideoFrame
		require.NoError(t, media.Convert(&dst, src))
		require.Zero(t, testing.AllocsPerRun(10, func() { _ = media.Convert(&dst, src) }), format)
	}
}

func BenchmarkConvert(b *testing.B) {
	for _, size := range [][2]int{{640, 480}, {1280, 720}} {
		for _, format := range rawFormats {
			b.Run(fmt.Sprintf("%s/%d", format, size[1]), func(b *testing.B) {
				src := newFrame(b, format, size[0], size[1])
				paint(src)
				var dst media.VideoFrame
				require.NoError(b, media.Convert(&dst, src))
				b.ReportAllocs()
				for b.Loop() {
					if err := media.Convert(&dst, src); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
