//go:build devicevm && linux

package v4l2_test

import (
	"context"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/v4l2"
)

// These tests run in a machine with vivid's cameras: /dev/video0 and 1, and
// /dev/video2 with the multi-planar API.

const (
	camera0 = "platform:vivid-000/0"
	camera1 = "platform:vivid-001/0"
	mplane  = "platform:vivid-002/0"
)

// set changes a control of vivid.
func set(t *testing.T, path, control string) {
	t.Helper()
	run(t, "v4l2-ctl", "-d", path, "-c", control)
}

// run may be used while a test cleans up.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

func openCamera(t *testing.T, name string, o v4l2.Options) *v4l2.Camera {
	t.Helper()
	c, err := v4l2.Open(t.Context(), name, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// read reads a picture, which may take some seconds on this machine.
func read(t *testing.T, c *v4l2.Camera, f *media.VideoFrame) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, c.ReadFrame(ctx, f), "%+v", c.Stats())
}

func TestDevicesOfTheMachine(t *testing.T) {
	all, err := v4l2.Devices()
	require.NoError(t, err)
	byID := make(map[string]v4l2.Device)
	for _, d := range all {
		byID[d.ID] = d
		t.Log(d, len(d.Formats))
	}
	for id, path := range map[string]string{camera0: "/dev/video0", camera1: "/dev/video1", mplane: "/dev/video2"} {
		d, ok := byID[id]
		require.True(t, ok, "%s in %v", id, all)
		require.Equal(t, path, d.Path)
		require.Equal(t, []string{"vivid", "vivid"}, []string{d.Label, d.Driver})
		i := indexFormat(d, "YUYV")
		require.GreaterOrEqual(t, i, 0, "%v", d.Formats)
		text := d.Formats[i].String()
		require.Contains(t, text, "640x480@25/", "sizes with their rates")
		require.Contains(t, text, "1280x720@12.5/")
		require.NotEmpty(t, d.Formats[i].Description)
	}
}

func indexFormat(d v4l2.Device, f v4l2.Format) int {
	for i, have := range d.Formats {
		if have.Format == f {
			return i
		}
	}
	return -1
}

func TestFirstCameraByDefault(t *testing.T) {
	c := openCamera(t, "", v4l2.Options{})
	require.Equal(t, camera0, c.Device().ID)
	require.Equal(t, v4l2.Config{Format: "YU12", Width: 640, Height: 480, FrameRate: 25, Stride: 640, Buffers: 4}, c.Config())
	var f media.VideoFrame
	read(t, c, &f)
	require.Equal(t, media.I420, f.Format)
	require.Equal(t, []int{640, 480}, []int{f.Width, f.Height})
}

func TestNamesOfACamera(t *testing.T) {
	for _, name := range []string{camera1, "/dev/video1"} {
		c := openCamera(t, name, v4l2.Options{})
		require.Equal(t, camera1, c.Device().ID)
		require.NoError(t, c.Close())
	}
	c := openCamera(t, "vivid", v4l2.Options{})
	require.Equal(t, camera0, c.Device().ID, "the first of the label")
}

// luma returns the brightness of each pixel of a picture.
func luma(t *testing.T, f *media.VideoFrame) []byte {
	t.Helper()
	step, at := 1, 0
	switch f.Format {
	case media.YUYV:
		step = 2
	case media.UYVY:
		step, at = 2, 1
	case media.BGRA, media.RGBA:
		step, at = 4, 1 // green is most of it
	}
	out := make([]byte, 0, f.Width*f.Height)
	for y := range f.Height {
		row := f.Planes[0][y*f.Strides[0]:]
		for x := range f.Width {
			out = append(out, row[x*step+at])
		}
	}
	return out
}

func difference(a, b []byte) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func requirePicture(t *testing.T, y []byte) {
	t.Helper()
	low, high, sum := byte(255), byte(0), 0
	for _, v := range y {
		low, high, sum = min(low, v), max(high, v), sum+int(v)
	}
	mean := sum / len(y)
	require.Less(t, low, byte(60), "dark parts")
	require.Greater(t, high, byte(160), "bright parts")
	require.True(t, mean > 40 && mean < 200, "mean %d", mean)
}

func TestPictureMoves(t *testing.T) {
	c := openCamera(t, camera0, v4l2.Options{Width: 640, Height: 360, FrameRate: 30, Format: "YUYV"})
	require.Equal(t, v4l2.Config{Format: "YUYV", Width: 640, Height: 360, FrameRate: 30, Stride: 1280, Buffers: 4}, c.Config())
	var f media.VideoFrame
	var before []byte
	var last time.Duration
	for range 10 {
		read(t, c, &f)
		require.Equal(t, media.YUYV, f.Format)
		require.Less(t, time.Since(f.Captured), 5*time.Second)
		require.GreaterOrEqual(t, time.Since(f.Captured), time.Duration(0))
		require.Greater(t, f.Timestamp, last)
		last = f.Timestamp
		y := luma(t, &f)
		requirePicture(t, y)
		if before != nil {
			require.NotZero(t, difference(before, y), "the picture stands still")
		}
		before = y
	}
	require.EqualValues(t, 10, c.Stats().Frames)
	require.NoError(t, c.Close())
	require.Equal(t, io.EOF, c.ReadFrame(t.Context(), &f))
}
