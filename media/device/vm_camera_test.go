//go:build linux && devicevm

package device

import (
	"context"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

func openCam(t *testing.T, name string, o CameraOptions) *Camera {
	c, err := OpenCamera(t.Context(), name, &o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestCameraGivesEachFormat(t *testing.T) {
	for _, path := range []string{"/dev/video0", "/dev/video2"} { // the second is multi-planar
		for _, format := range []media.PixelFormat{media.I420, media.NV12, media.NV21, media.YUYV, media.UYVY, media.BGRA} {
			c := openCam(t, path, CameraOptions{Width: 320, Height: 180, FrameRate: 30, Format: format})
			got := c.Settings()
			require.Equal(t, VideoSettings{Width: 320, Height: 180, FrameRate: 30, Format: format}, got)
			require.Equal(t, path, c.Device().alias[0])
			f := &media.VideoFrame{}
			i420 := &media.VideoFrame{}
			var last time.Duration
			for range 3 {
				require.NoError(t, c.ReadFrame(soon(t), f))
				require.Equal(t, format, f.Format)
				require.Equal(t, []int{320, 180}, []int{f.Width, f.Height})
				require.NoError(t, f.Validate())
				require.Greater(t, f.Timestamp, last)
				require.WithinDuration(t, time.Now(), f.Captured, 5*time.Second)
				last = f.Timestamp
				require.NoError(t, media.Convert(i420, f))
				low, high := byte(255), byte(0)
				for _, y := range i420.Planes[0] {
					low, high = min(low, y), max(high, y)
				}
				require.Greater(t, int(high)-int(low), 100, "%s: a picture of color bars", format)
			}
			require.NoError(t, c.Close())
		}
	}
}

func TestSameFormatEachTime(t *testing.T) {
	for range 3 {
		c := openCam(t, "", CameraOptions{})
		require.Equal(t, VideoSettings{Width: 640, Height: 480, FrameRate: 25, Format: media.I420}, c.Settings())
		require.NoError(t, c.Close())
	}
}

func TestWhatTheCameraDoesNotDo(t *testing.T) {
	for _, o := range []CameraOptions{
		{Width: 123, Height: 77}, {Width: 640, Height: 480, FrameRate: 240}, {Format: media.MJPEG},
	} {
		_, err := OpenCamera(t.Context(), "", &o)
		require.ErrorIs(t, err, ErrUnsatisfiable, "%+v", o)
		require.ErrorContains(t, err, "640x480")
	}
	c := openCam(t, "", CameraOptions{Width: 123, Height: 77, Nearest: true})
	require.Equal(t, 320, c.Settings().Width)
	_, err := VideoTrack(t.Context(), &VideoOptions{Device: "/dev/video1", Passthrough: true})
	require.ErrorIs(t, err, ErrUnsatisfiable, "it encodes nothing")
	_, err = OpenCamera(t.Context(), "back", nil)
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "vivid")
}

func TestCameraInUse(t *testing.T) {
	openCam(t, "/dev/video0", CameraOptions{})
	_, err := OpenCamera(t.Context(), "/dev/video0", nil)
	require.ErrorIs(t, err, ErrBusy)
}

func TestUnpluggedCamera(t *testing.T) {
	plug(t)
	c := openCam(t, "/dev/video0", CameraOptions{Width: 320, Height: 180})
	f := &media.VideoFrame{}
	require.NoError(t, c.ReadFrame(soon(t), f))
	sh(t, "v4l2-ctl -d /dev/video0 -c disconnect=1")
	var err error
	for err == nil {
		err = c.ReadFrame(soon(t), f)
	}
	require.ErrorIs(t, err, ErrUnplugged)
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.ReadFrame(soon(t), f), media.ErrClosed)
}

func TestCameraComesBack(t *testing.T) {
	plug(t)
	c := openCam(t, "/dev/video0", CameraOptions{Width: 320, Height: 180, Reopen: true})
	id := c.Device().ID
	f := &media.VideoFrame{}
	require.NoError(t, c.ReadFrame(soon(t), f))
	before := f.Timestamp
	sh(t, "v4l2-ctl -d /dev/video0 -c disconnect=1")
	for range 20 {
		require.NoError(t, c.ReadFrame(soon(t), f))
	}
	require.Greater(t, f.Timestamp, before)
	require.Equal(t, id, c.Device().ID)
	require.Equal(t, 320, c.Settings().Width)
}

func TestDroppedBuffers(t *testing.T) {
	t.Cleanup(func() { sh(t, "v4l2-ctl -d /dev/video0 -c percentage_of_dropped_buffers=0") })
	sh(t, "v4l2-ctl -d /dev/video0 -c percentage_of_dropped_buffers=50")
	c := openCam(t, "/dev/video0", CameraOptions{Width: 320, Height: 180, FrameRate: 30})
	f := &media.VideoFrame{}
	var last time.Duration
	gaps := 0
	for range 40 {
		require.NoError(t, c.ReadFrame(soon(t), f))
		if last != 0 && f.Timestamp-last > 50*time.Millisecond {
			gaps++
		}
		require.Greater(t, f.Timestamp, last)
		last = f.Timestamp
	}
	require.Positive(t, gaps)
}

func TestFatalStreamingError(t *testing.T) {
	plug(t)
	c := openCam(t, "/dev/video0", CameraOptions{Width: 320, Height: 180})
	f := &media.VideoFrame{}
	require.NoError(t, c.ReadFrame(soon(t), f))
	sh(t, "v4l2-ctl -d /dev/video0 -c inject_fatal_streaming_error=1")
	var err error
	for err == nil {
		err = c.ReadFrame(soon(t), f)
	}
	require.ErrorIs(t, err, ErrBroken)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, media.Video, e.Kind)
}

func TestCameraRestarts(t *testing.T) {
	c := openCam(t, "/dev/video0", CameraOptions{Width: 640, Height: 360})
	f := &media.VideoFrame{}
	read := func(w, h int) {
		for {
			require.NoError(t, c.ReadFrame(soon(t), f))
			if f.Width == w && f.Height == h {
				return
			}
		}
	}
	read(640, 360)
	require.NoError(t, c.Restart(t.Context(), "", &CameraOptions{Width: 320, Height: 180, Format: media.NV12}))
	read(320, 180)
	require.Equal(t, media.NV12, f.Format)
	require.NoError(t, c.Restart(t.Context(), "/dev/video1", &CameraOptions{Width: 640, Height: 480}))
	read(640, 480)
	require.Equal(t, "/dev/video1", c.Device().alias[0])
	require.ErrorIs(t, c.Restart(t.Context(), "", &CameraOptions{Width: 641}), ErrUnsatisfiable)
	read(640, 480)
}

func TestCloseOfACameraFromElsewhere(t *testing.T) {
	c := openCam(t, "", CameraOptions{})
	done := make(chan error)
	go func() {
		f := &media.VideoFrame{}
		var err error
		for err == nil {
			err = c.ReadFrame(context.Background(), f)
		}
		done <- err
	}()
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-done, media.ErrClosed)
}
