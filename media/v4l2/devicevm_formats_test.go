//go:build devicevm && linux

package v4l2_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/v4l2"
)

// still makes vivid show color bars that do not move.
func still(t *testing.T, path string) {
	t.Helper()
	set(t, path, "osd_text_mode=2,test_pattern=0")
	t.Cleanup(func() { set(t, path, "osd_text_mode=0") })
}

// color returns a pixel's Y, U and V, or its green, blue and red.
func color(f *media.VideoFrame, x, y int) [3]int {
	at := func(plane, row, i int) int { return int(f.Planes[plane][row*f.Strides[plane]+i]) }
	switch f.Format {
	case media.YUYV:
		return [3]int{at(0, y, 2*x), at(0, y, x/2*4+1), at(0, y, x/2*4+3)}
	case media.UYVY:
		return [3]int{at(0, y, 2*x+1), at(0, y, x/2*4), at(0, y, x/2*4+2)}
	case media.NV12:
		return [3]int{at(0, y, x), at(1, y/2, x/2*2), at(1, y/2, x/2*2+1)}
	case media.NV21:
		return [3]int{at(0, y, x), at(1, y/2, x/2*2+1), at(1, y/2, x/2*2)}
	case media.I420:
		return [3]int{at(0, y, x), at(1, y/2, x/2), at(2, y/2, x/2)}
	case media.Gray:
		return [3]int{at(0, y, x), 0, 0}
	case media.BGRA:
		return [3]int{at(0, y, 4*x+1), at(0, y, 4*x), at(0, y, 4*x+2)}
	default: // RGBA
		return [3]int{at(0, y, 4*x+1), at(0, y, 4*x+2), at(0, y, 4*x)}
	}
}

// Columns in the middle of bars: white, yellow, cyan, green, magenta, red, blue, black.
var bars = []int{40, 120, 200, 280, 360, 440, 520, 600}

// TestEachFormatShowsTheSamePicture reads a still picture in each format.
func TestEachFormatShowsTheSamePicture(t *testing.T) {
	rgb := [][3]int{ // green, blue, red: high or low
		{1, 1, 1}, {1, 0, 1}, {1, 1, 0}, {1, 0, 0}, {0, 1, 1}, {0, 0, 1}, {0, 1, 0}, {0, 0, 0},
	}
	var want [][3]int
	for _, tc := range []struct {
		camera, path string
		format       v4l2.Format
		pixels       media.PixelFormat
	}{
		{camera0, "/dev/video0", "YUYV", media.YUYV},
		{camera0, "/dev/video0", "UYVY", media.UYVY},
		{camera0, "/dev/video0", "NV12", media.NV12},
		{camera0, "/dev/video0", "NV21", media.NV21},
		{camera0, "/dev/video0", "YU12", media.I420},
		{camera0, "/dev/video0", "YV12", media.I420},
		{camera0, "/dev/video0", "GREY", media.Gray},
		{camera0, "/dev/video0", "XR24", media.BGRA},
		{camera0, "/dev/video0", "AR24", media.BGRA},
		{camera0, "/dev/video0", "BGR4", media.BGRA},
		{camera0, "/dev/video0", "XB24", media.RGBA},
		{camera0, "/dev/video0", "AB24", media.RGBA},
		{mplane, "/dev/video2", "YUYV", media.YUYV},
		{mplane, "/dev/video2", "NV12", media.NV12},
		{mplane, "/dev/video2", "NM12", media.NV12},
		{mplane, "/dev/video2", "NM21", media.NV21},
		{mplane, "/dev/video2", "YM12", media.I420},
		{mplane, "/dev/video2", "YM21", media.I420},
		{mplane, "/dev/video2", "XR24", media.BGRA},
	} {
		t.Run(tc.camera+" "+string(tc.format), func(t *testing.T) {
			still(t, tc.path)
			c := openCamera(t, tc.camera, v4l2.Options{Width: 640, Height: 360, FrameRate: 15, Format: tc.format})
			require.Equal(t, tc.format, c.Config().Format)
			var f media.VideoFrame
			read(t, c, &f)
			require.Equal(t, tc.pixels, f.Format)
			require.Equal(t, []int{640, 360}, []int{f.Width, f.Height})
			var got [][3]int
			for _, x := range bars {
				got = append(got, color(&f, x, 180))
			}
			if tc.pixels == media.BGRA || tc.pixels == media.RGBA {
				for i, bar := range rgb {
					for k := range bar {
						require.Equal(t, bar[k] == 1, got[i][k] > 100, "bar %d: %v", i, got)
					}
				}
				return
			}
			if want == nil {
				want = got
				t.Log(want)
				for i := range bars[1:] { // each bar is darker than the one before
					require.Less(t, got[i+1][0], got[i][0])
				}
			}
			for i := range bars {
				for k := range 3 {
					if tc.pixels != media.Gray {
						require.InDelta(t, want[i][k], got[i][k], 2, "%v and %v", want, got)
					}
				}
			}
			if tc.pixels == media.Gray { // of full range
				require.True(t, slices.IsSortedFunc(got, func(a, b [3]int) int { return b[0] - a[0] }), "%v", got)
			}
		})
	}
}

func TestSizesAndRatesAreExact(t *testing.T) {
	for _, tc := range []struct {
		o    v4l2.Options
		rate float64
	}{
		{v4l2.Options{Width: 320, Height: 180, FrameRate: 60}, 60},
		{v4l2.Options{Width: 640, Height: 360, FrameRate: 30}, 30},
		{v4l2.Options{Width: 640, Height: 480, FrameRate: 25}, 25},
		{v4l2.Options{Width: 640, Height: 480, FrameRate: 12.5}, 12.5},
		{v4l2.Options{Width: 1280, Height: 720}, 12.5},
		{v4l2.Options{Width: 1920, Height: 1080, FrameRate: 5}, 5},
		{v4l2.Options{Width: 320, Height: 180}, 30},
		{v4l2.Options{Width: 639, Height: 361, FrameRate: 29, Nearest: true}, 30},
	} {
		for _, camera := range []string{camera0, mplane} {
			c := openCamera(t, camera, tc.o)
			got := c.Config()
			if tc.o.Nearest {
				tc.o.Width, tc.o.Height = 640, 360
			}
			require.Equal(t, []any{tc.o.Width, tc.o.Height, tc.rate}, []any{got.Width, got.Height, got.FrameRate})
			var f media.VideoFrame
			read(t, c, &f)
			require.Equal(t, []int{got.Width, got.Height, got.Stride}, []int{f.Width, f.Height, f.Strides[0]})
			require.NoError(t, c.Close())
		}
	}
	for _, o := range []v4l2.Options{
		{Width: 641, Height: 480},
		{Width: 640, Height: 480, FrameRate: 30},
		{Width: 640, Height: 360, FrameRate: 29},
		{Format: "MJPG"},
		{Format: "H264"},
	} {
		_, err := v4l2.Open(t.Context(), camera0, o)
		require.ErrorIs(t, err, v4l2.ErrUnsatisfiable, "%+v", o)
		var e *v4l2.Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Formats)
		require.Contains(t, err.Error(), "640x480@25/", "says what there is")
	}
}

// TestPaceIsTheRate is loose, for a machine that is emulated.
func TestPaceIsTheRate(t *testing.T) {
	c := openCamera(t, camera0, v4l2.Options{Width: 320, Height: 180, FrameRate: 10})
	var f media.VideoFrame
	read(t, c, &f)
	first, lostBefore := f.Timestamp, c.Stats().Lost+c.Stats().Stale
	for range 20 {
		read(t, c, &f)
	}
	missed := c.Stats().Lost + c.Stats().Stale - lostBefore
	frames := 20 + float64(missed)
	rate := frames / (f.Timestamp - first).Seconds()
	require.InDelta(t, 10, rate, 1, "by the camera's clock, %d missed", missed)
}

func TestReconfigureOnTheFly(t *testing.T) {
	for _, camera := range []string{camera0, mplane} {
		c := openCamera(t, camera, v4l2.Options{Width: 1280, Height: 720, Format: "YUYV"})
		var f media.VideoFrame
		read(t, c, &f)
		require.Equal(t, 1280, f.Width)
		for _, o := range []v4l2.Options{
			{Width: 320, Height: 180, FrameRate: 15},
			{Width: 640, Height: 360, FrameRate: 30, Format: "NV12"},
			{Width: 1280, Height: 720, Format: "YUYV"},
		} {
			require.NoError(t, c.Reconfigure(t.Context(), o))
			read(t, c, &f)
			require.Equal(t, []int{o.Width, o.Height}, []int{f.Width, f.Height})
			if o.Format != "" {
				require.EqualValues(t, o.Format, f.Format)
			}
			requirePicture(t, luma(t, &f))
		}
		require.ErrorIs(t, c.Reconfigure(t.Context(), v4l2.Options{Width: 1}), v4l2.ErrUnsatisfiable)
		read(t, c, &f)
		require.Equal(t, 1280, f.Width)
	}
}
