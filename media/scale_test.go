package media_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func scaled(t testing.TB, src *media.VideoFrame, width, height int) *media.VideoFrame {
	t.Helper()
	dst := &media.VideoFrame{Width: width, Height: height}
	require.NoError(t, media.Scale(dst, src))
	require.NoError(t, dst.Validate())
	require.Equal(t, []int{width, height}, []int{dst.Width, dst.Height})
	return dst
}

var sizes = [][2]int{{1, 1}, {2, 2}, {3, 7}, {16, 9}, {17, 9}, {32, 18}, {33, 31}, {64, 36}, {100, 3}, {3, 100}}

func TestScaleKeepsAnEvenPicture(t *testing.T) {
	for _, from := range sizes {
		for _, to := range sizes {
			src := newFrame(t, media.I420, from[0], from[1])
			for i, value := range []byte{255, 1, 128} {
				for j := range src.Planes[i] {
					src.Planes[i][j] = value
				}
			}
			got := scaled(t, padded(src, 5), to[0], to[1])
			for i, value := range []byte{255, 1, 128} {
				for _, p := range got.Planes[i] {
					require.Equal(t, value, p, "%v to %v, plane %d", from, to, i)
				}
			}
		}
	}
}

// TestScaleAverages compares with the mean over the area that each pixel of the
// smaller picture covers.
func TestScaleAverages(t *testing.T) {
	src := newFrame(t, media.I420, 64, 48)
	paint(src)
	for _, size := range [][2]int{{32, 24}, {16, 12}, {63, 47}, {48, 36}, {40, 48}, {64, 20}, {21, 16}, {7, 5}, {1, 1}} {
		got := scaled(t, src, size[0], size[1])
		for y := range size[1] {
			for x := range size[0] {
				want := mean(src, float64(x)/float64(size[0]), float64(x+1)/float64(size[0]), float64(y)/float64(size[1]), float64(y+1)/float64(size[1]))
				require.InDelta(t, want, got.Planes[0][y*got.Strides[0]+x], 4, "%v at %d,%d", size, x, y)
			}
		}
	}
}

// mean returns the mean luminance of a part of the picture, whose sides are 1.
func mean(f *media.VideoFrame, left, right, top, bottom float64) float64 {
	overlap := func(i, n int, from, to float64) float64 {
		return max(0, min(float64(i+1), to*float64(n))-max(float64(i), from*float64(n)))
	}
	var sum, area float64
	for y := range f.Height {
		for x := range f.Width {
			a := overlap(x, f.Width, left, right) * overlap(y, f.Height, top, bottom)
			sum += a * float64(f.Planes[0][y*f.Strides[0]+x])
			area += a
		}
	}
	return sum / area
}

func TestScaleInterpolates(t *testing.T) {
	src := newFrame(t, media.I420, 16, 16)
	for y := range 16 {
		for x := range 16 {
			src.Planes[0][y*16+x] = byte(20 + 8*x + 4*y)
		}
	}
	got := scaled(t, src, 64, 48)
	for y := 2; y < 46; y++ { // the edges are flat
		for x := 2; x < 62; x++ {
			want := 20 + 8*((float64(x)+0.5)/4-0.5) + 4*((float64(y)+0.5)/3-0.5)
			require.InDelta(t, want, got.Planes[0][y*64+x], 1, "at %d,%d", x, y)
		}
	}
}

func TestScaleCarriesTimestamps(t *testing.T) {
	src := newFrame(t, media.I420, 16, 16)
	src.Timestamp, src.Captured = time.Second, time.Unix(7, 0)
	got := scaled(t, src, 8, 8)
	require.Equal(t, src.Timestamp, got.Timestamp)
	require.Equal(t, src.Captured, got.Captured)
}

func TestScaleRefusesWhatIsMalformed(t *testing.T) {
	good := newFrame(t, media.I420, 16, 16)
	require.ErrorIs(t, media.Scale(&media.VideoFrame{}, good), media.ErrSize, "no size wanted")
	require.ErrorIs(t, media.Scale(&media.VideoFrame{Width: 1 << 20, Height: 1}, good), media.ErrSize)
	require.ErrorIs(t, media.Scale(&media.VideoFrame{Width: 4, Height: 4}, newFrame(t, media.NV12, 16, 16)), media.ErrFormat)
	require.Error(t, media.Scale(good, good))
	good.Planes[2] = good.Planes[2][1:]
	require.ErrorIs(t, media.Scale(&media.VideoFrame{Width: 4, Height: 4}, good), media.ErrPlane)
}

func TestScaleMakesNoGarbage(t *testing.T) {
	src := newFrame(t, media.I420, 64, 48)
	for _, size := range [][2]int{{64, 48}, {32, 24}, {30, 20}, {80, 60}} {
		dst := scaled(t, src, size[0], size[1])
		require.Zero(t, testing.AllocsPerRun(10, func() { _ = media.Scale(dst, src) }), size)
	}
}

func BenchmarkScale(b *testing.B) {
	src := newFrame(b, media.I420, 1280, 720)
	paint(src)
	for _, size := range [][2]int{{640, 360}, {320, 180}, {960, 540}, {854, 480}, {1920, 1080}} {
		b.Run(fmt.Sprintf("1280x720to%dx%d", size[0], size[1]), func(b *testing.B) {
			dst := scaled(b, src, size[0], size[1])
			b.ReportAllocs()
			for b.Loop() {
				if err := media.Scale(dst, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
