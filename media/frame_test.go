package media_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

// rawFormats are those whose pixels lie open.
var rawFormats = []media.PixelFormat{
	media.I420, media.NV12, media.NV21, media.YUYV, media.UYVY, media.BGRA, media.RGBA, media.Gray,
}

// planes returns how many planes a format has.
func planes(format media.PixelFormat) int {
	switch format {
	case media.I420:
		return 3
	case media.NV12, media.NV21:
		return 2
	}
	return 1
}

func newFrame(t testing.TB, format media.PixelFormat, width, height int) *media.VideoFrame {
	t.Helper()
	f := &media.VideoFrame{}
	require.NoError(t, f.Reset(format, width, height))
	return f
}

// padded returns a copy of f with so many bytes of 0xee behind each row.
func padded(f *media.VideoFrame, padding int) *media.VideoFrame {
	p := *f
	for i := range p.Planes {
		if p.Strides[i] == 0 {
			continue
		}
		var plane []byte
		for at := 0; at < len(f.Planes[i]); at += f.Strides[i] {
			plane = append(plane, f.Planes[i][at:at+f.Strides[i]]...)
			for range padding {
				plane = append(plane, 0xee)
			}
		}
		// The last row needs none.
		p.Planes[i], p.Strides[i] = plane[:len(plane)-padding], f.Strides[i]+padding
	}
	return &p
}

func TestResetMakesPlanesOfEachFormat(t *testing.T) {
	for format, want := range map[media.PixelFormat][3]int{
		media.I420: {5 * 3, 3 * 2, 3 * 2},
		media.NV12: {5 * 3, 6 * 2, 0},
		media.NV21: {5 * 3, 6 * 2, 0},
		media.YUYV: {12 * 3, 0, 0},
		media.UYVY: {12 * 3, 0, 0},
		media.BGRA: {20 * 3, 0, 0},
		media.RGBA: {20 * 3, 0, 0},
		media.Gray: {5 * 3, 0, 0},
	} {
		f := newFrame(t, format, 5, 3)
		require.NoError(t, f.Validate(), format)
		for i, n := range want {
			require.Len(t, f.Planes[i], n, "%s, plane %d", format, i)
		}
		require.Equal(t, []int{5, 3}, []int{f.Width, f.Height})
	}
	f := newFrame(t, media.MJPEG, 640, 480)
	require.Empty(t, f.Planes[0])
	require.NoError(t, f.Reset(media.MJPEG, 0, 0), "a JPEG tells its size itself")
}

func TestResetUsesMemoryAgain(t *testing.T) {
	f := newFrame(t, media.BGRA, 640, 480)
	first := &f.Planes[0][0]
	formats := append(slices.Clone(rawFormats), media.MJPEG)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		for _, format := range formats {
			if f.Reset(format, 640, 480) != nil {
				panic("reset")
			}
		}
	}))
	require.NoError(t, f.Reset(media.Gray, 1, 1))
	require.Same(t, first, &f.Planes[0][0])
}

// A frame whose planes came from elsewhere, in one piece of memory, must not
// end up with planes that overlap.
func TestResetKeepsPlanesApart(t *testing.T) {
	memory := make([]byte, 24)
	f := media.VideoFrame{
		Format: media.I420, Width: 4, Height: 4, Strides: [3]int{4, 2, 2},
		Planes: [3][]byte{memory[:16], memory[16:20], memory[20:]},
	}
	for _, size := range [][2]int{{4, 4}, {6, 2}, {2, 6}, {8, 8}, {1, 1}} {
		require.NoError(t, f.Reset(media.I420, size[0], size[1]))
		for i := range f.Planes {
			for j := range f.Planes[i] {
				f.Planes[i][j] = byte(i)
			}
		}
		for i := range f.Planes {
			for j := range f.Planes[i] {
				require.Equal(t, byte(i), f.Planes[i][j], "%v: plane %d", size, i)
			}
		}
	}
}

func TestResetRefusesAndLeavesTheFrame(t *testing.T) {
	f := newFrame(t, media.I420, 4, 4)
	before := *f
	for _, tc := range []struct {
		format        media.PixelFormat
		width, height int
		want          error
	}{
		{"P010", 4, 4, media.ErrFormat},
		{"", 4, 4, media.ErrFormat},
		{media.I420, 0, 4, media.ErrSize},
		{media.I420, 4, -1, media.ErrSize},
		{media.BGRA, 16385, 1, media.ErrSize},
		{media.BGRA, 1, 1 << 40, media.ErrSize},
		{media.NV12, 16384, 16384, media.ErrSize},
		{media.MJPEG, -1, 0, media.ErrSize},
	} {
		err := f.Reset(tc.format, tc.width, tc.height)
		var frameError *media.FrameError
		require.ErrorAs(t, err, &frameError)
		require.ErrorIs(t, err, tc.want, "%q %dx%d", tc.format, tc.width, tc.height)
		require.Equal(t, before, *f)
	}
}

func TestValidateFindsShortPlanesAndWrongStrides(t *testing.T) {
	for _, format := range rawFormats {
		for i := range planes(format) {
			f := newFrame(t, format, 6, 5)
			f.Planes[i] = f.Planes[i][:len(f.Planes[i])-1]
			require.ErrorIs(t, f.Validate(), media.ErrPlane, "%s: short plane %d", format, i)

			f = newFrame(t, format, 6, 5)
			f.Strides[i]--
			require.ErrorIs(t, f.Validate(), media.ErrPlane, "%s: stride of plane %d too small", format, i)
			for _, stride := range []int{f.Strides[i] + 2, 1 << 21, 1 << 62, -1} {
				f.Strides[i] = stride
				require.ErrorIs(t, f.Validate(), media.ErrPlane, "%s: stride of plane %d is %d", format, i, stride)
			}
		}
	}
	require.ErrorIs(t, (&media.VideoFrame{}).Validate(), media.ErrFormat)
	require.ErrorIs(t, newFrame(t, media.MJPEG, 640, 480).Validate(), media.ErrPlane, "no data")
	require.EqualError(t, (&media.VideoFrame{Format: media.I420, Width: 2, Height: 2}).Validate(),
		"media: I420 picture of 2x2: plane does not fit the size: plane 0 has 0 bytes with a stride of 0")
}

func TestCopyFromSharesNothing(t *testing.T) {
	for _, format := range append(rawFormats, media.MJPEG) {
		src := newFrame(t, format, 7, 5)
		src.Timestamp, src.Captured = time.Second, time.Unix(1, 0)
		if format == media.MJPEG {
			src.Planes[0] = []byte{0xff, 0xd8}
		}
		paint(src)
		want := *src
		src = padded(src, 3)

		var dst media.VideoFrame
		require.NoError(t, dst.CopyFrom(src))
		require.Equal(t, want.Planes, dst.Planes, format)
		require.Equal(t, want, dst)
		src.Planes[0][0]++
		require.NotEqual(t, src.Planes[0][0], dst.Planes[0][0])
		require.Zero(t, testing.AllocsPerRun(10, func() { _ = dst.CopyFrom(src) }), format)
	}
	var dst media.VideoFrame
	require.ErrorIs(t, dst.CopyFrom(&media.VideoFrame{Format: media.I420, Width: 9, Height: 9}), media.ErrPlane)
	require.Equal(t, media.VideoFrame{}, dst)
}

// paint fills the planes with bytes that differ everywhere.
func paint(f *media.VideoFrame) {
	x := uint32(len(f.Planes[0]) + f.Width)
	for i := range f.Planes {
		for j := range f.Planes[i] {
			x = x*1664525 + 1013904223
			f.Planes[i][j] = byte(x >> 24)
		}
	}
}
