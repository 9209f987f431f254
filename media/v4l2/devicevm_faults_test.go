//go:build devicevm && linux

package v4l2_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/v4l2"
)

func TestBusyCamera(t *testing.T) {
	openCamera(t, camera0, v4l2.Options{})
	_, err := v4l2.Open(t.Context(), camera0, v4l2.Options{})
	require.ErrorIs(t, err, v4l2.ErrBusy)
	require.ErrorIs(t, err, syscall.EBUSY)
	require.ErrorContains(t, err, fmt.Sprintf("(process %d)", os.Getpid()))
	_, err = v4l2.Devices()
	require.NoError(t, err, "listing disturbs nobody")
}

func TestCameraWithoutPermission(t *testing.T) {
	require.NoError(t, syscall.Setreuid(-1, 65534))
	_, openErr := v4l2.Open(t.Context(), "/dev/video0", v4l2.Options{})
	_, listErr := v4l2.Devices()
	require.NoError(t, syscall.Setreuid(-1, 0))
	require.ErrorIs(t, openErr, v4l2.ErrPermission)
	require.ErrorIs(t, listErr, v4l2.ErrPermission)
}

func TestCameraThatIsNot(t *testing.T) {
	for _, name := range []string{"front", "/dev/video99", "/dev/null", "/dev", "/dev/video0/x"} {
		_, err := v4l2.Open(t.Context(), name, v4l2.Options{})
		require.ErrorIs(t, err, v4l2.ErrNotFound, name)
		require.Contains(t, err.Error(), camera1, "says what there is")
	}
}

func TestHalfOfTheBuffersDropped(t *testing.T) {
	set(t, "/dev/video0", "percentage_of_dropped_buffers=50")
	t.Cleanup(func() { set(t, "/dev/video0", "percentage_of_dropped_buffers=0") })
	c := openCamera(t, camera0, v4l2.Options{Width: 320, Height: 180, FrameRate: 30})
	var f media.VideoFrame
	last := time.Duration(0)
	for range 30 {
		read(t, c, &f)
		require.Greater(t, f.Timestamp, last)
		last = f.Timestamp
	}
	require.Greater(t, c.Stats().Lost, uint64(5), "%+v", c.Stats())
}

func TestDamagedBuffer(t *testing.T) {
	c := openCamera(t, camera0, v4l2.Options{Width: 320, Height: 180})
	var f media.VideoFrame
	read(t, c, &f)
	set(t, "/dev/video0", "inject_v4l2_buf_flag_error=1")
	for c.Stats().Errors == 0 {
		read(t, c, &f)
	}
	read(t, c, &f)
	requirePicture(t, luma(t, &f))
}

func TestErrorsWhileOpening(t *testing.T) {
	for _, fault := range []string{"inject_vidioc_reqbufs_error", "inject_vidioc_qbuf_error", "inject_vidioc_streamon_error"} {
		set(t, "/dev/video0", fault+"=1")
		_, err := v4l2.Open(t.Context(), camera0, v4l2.Options{})
		require.ErrorIs(t, err, v4l2.ErrBroken, fault)
		c := openCamera(t, camera0, v4l2.Options{})
		require.NoError(t, c.Close(), "the next goes well")
	}
}

func TestFatalStreamingError(t *testing.T) {
	c := openCamera(t, camera0, v4l2.Options{Width: 320, Height: 180})
	var f media.VideoFrame
	read(t, c, &f)
	set(t, "/dev/video0", "inject_fatal_streaming_error=1")
	var err error
	for err == nil {
		err = c.ReadFrame(t.Context(), &f)
	}
	require.ErrorIs(t, err, v4l2.ErrBroken)
	require.ErrorIs(t, err, syscall.EIO)
	require.NoError(t, c.Close())

	c = openCamera(t, camera0, v4l2.Options{Width: 320, Height: 180, Reopen: true})
	read(t, c, &f)
	set(t, "/dev/video0", "inject_fatal_streaming_error=1")
	for c.Stats().Reopened == 0 {
		read(t, c, &f)
	}
	read(t, c, &f)
	requirePicture(t, luma(t, &f))
}

const vividDriver = "/sys/bus/platform/drivers/vivid/"

// unplugAll takes all cameras away, whoever reads them.
func unplugAll(t *testing.T) {
	t.Helper()
	require.NoError(t, os.WriteFile(vividDriver+"unbind", []byte("vivid.0"), 0))
}

func plugAll(t *testing.T) {
	t.Helper()
	require.NoError(t, os.WriteFile(vividDriver+"bind", []byte("vivid.0"), 0))
}

func TestUnplugInMidCapture(t *testing.T) {
	for _, camera := range []struct{ id, path string }{{camera0, "/dev/video0"}, {mplane, "/dev/video2"}} {
		c := openCamera(t, camera.id, v4l2.Options{Width: 320, Height: 180})
		var f media.VideoFrame
		read(t, c, &f)
		set(t, camera.path, "disconnect=1") // until its last user is gone
		var err error
		for err == nil {
			err = c.ReadFrame(t.Context(), &f)
		}
		require.ErrorIs(t, err, v4l2.ErrUnplugged)
		require.ErrorIs(t, c.ReadFrame(t.Context(), &f), v4l2.ErrUnplugged)
		require.NoError(t, c.Close())
	}
}

func TestDeviceThatIsGone(t *testing.T) {
	held, err := os.OpenFile("/dev/video0", os.O_RDWR, 0)
	require.NoError(t, err)
	set(t, "/dev/video0", "disconnect=1")
	_, err = v4l2.Open(t.Context(), "/dev/video0", v4l2.Options{})
	require.ErrorIs(t, err, v4l2.ErrUnplugged)
	all, err := v4l2.Devices()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	require.NotEqual(t, camera0, all[0].ID)
	require.NoError(t, held.Close())
	openCamera(t, camera0, v4l2.Options{})
}

// readUntilBack reads on until the camera was away and gives pictures again.
func readUntilBack(ctx context.Context, c *v4l2.Camera) <-chan error {
	back := make(chan error)
	go func() {
		var f media.VideoFrame
		for {
			err := c.ReadFrame(ctx, &f)
			if err == nil && c.Stats().Reopened > 0 {
				err = checkFrame(&f)
				back <- err
				return
			}
			if err != nil {
				back <- err
				return
			}
		}
	}()
	return back
}

func checkFrame(f *media.VideoFrame) error {
	if f.Format != media.UYVY || f.Width != 320 || f.Height != 180 {
		return fmt.Errorf("%s of %dx%d", f.Format, f.Width, f.Height)
	}
	return nil
}

func TestReopenAfterUnplug(t *testing.T) {
	c := openCamera(t, camera1, v4l2.Options{Width: 320, Height: 180, FrameRate: 15, Format: "UYVY", Reopen: true})
	var f media.VideoFrame
	read(t, c, &f)
	before := f.Timestamp
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	back := readUntilBack(ctx, c)
	unplugAll(t)
	require.Eventually(t, func() bool { return c.Stats().Away != nil }, 30*time.Second, 10*time.Millisecond)
	require.ErrorIs(t, c.Stats().Away, v4l2.ErrUnplugged)
	require.ErrorIs(t, c.Reconfigure(t.Context(), v4l2.Options{}), v4l2.ErrUnplugged)
	_, err := v4l2.Open(t.Context(), camera1, v4l2.Options{})
	require.ErrorIs(t, err, v4l2.ErrNotFound)
	plugAll(t)
	require.NoError(t, <-back)
	require.NoError(t, c.Stats().Away)
	require.Equal(t, camera1, c.Device().ID)
	read(t, c, &f)
	require.Greater(t, f.Timestamp, before)
	requirePicture(t, luma(t, &f))
}

// TestReopenAfterTheDriverCameBack takes the driver itself away.
func TestReopenAfterTheDriverCameBack(t *testing.T) {
	c := openCamera(t, camera1, v4l2.Options{Width: 320, Height: 180, Format: "UYVY", Reopen: true})
	var f media.VideoFrame
	read(t, c, &f)
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	back := readUntilBack(ctx, c)
	unplugAll(t)
	require.Eventually(t, func() bool { return c.Stats().Away != nil }, 30*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { // the camera may look for its device just now
		return exec.CommandContext(t.Context(), "modprobe", "-r", "vivid").Run() == nil
	}, 60*time.Second, 50*time.Millisecond)
	run(t, "modprobe", "vivid", "n_devs=3", "node_types=0x1,0x1,0x1", "num_inputs=1,1,1", "input_types=0x0,0x0,0x0",
		"multiplanar=1,1,2")
	require.NoError(t, <-back)
	require.Equal(t, camera1, c.Device().ID)
}

func TestCloseWhileTheCameraIsAway(t *testing.T) {
	c := openCamera(t, camera0, v4l2.Options{Reopen: true})
	done := make(chan error)
	go func() {
		var err error
		for err == nil {
			err = c.ReadFrame(context.Background(), new(media.VideoFrame))
		}
		done <- err
	}()
	unplugAll(t)
	defer plugAll(t)
	require.Eventually(t, func() bool { return c.Stats().Away != nil }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, c.Close())
	require.Equal(t, io.EOF, <-done)
}

func TestWatchTellsOfPlugging(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	seen := make(chan v4l2.Event)
	go func() {
		defer close(seen)
		for event, err := range v4l2.Watch(ctx) {
			if err != nil {
				panic(err)
			}
			seen <- event
		}
	}()
	expect := func(added bool) {
		t.Helper()
		ids := make(map[string]bool)
		for !ids[camera0] || !ids[camera1] || !ids[mplane] {
			event, ok := <-seen
			require.True(t, ok, "%v", ids)
			if event.Device.Driver != "vivid" {
				continue
			}
			require.Equal(t, added, event.Added, "%v", event.Device)
			require.Equal(t, added, len(event.Device.Formats) > 0)
			ids[event.Device.ID] = true
		}
	}
	expect(true)
	unplugAll(t)
	expect(false)
	plugAll(t)
	expect(true)
	cancel()
	for range seen {
	}
}

func TestNothingStaysOpen(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries)
	}
	c := openCamera(t, camera0, v4l2.Options{})
	require.NoError(t, c.Close())
	before := count()
	for range 5 {
		c := openCamera(t, camera0, v4l2.Options{Width: 320, Height: 180})
		var f media.VideoFrame
		read(t, c, &f)
		require.NoError(t, c.Reconfigure(t.Context(), v4l2.Options{Width: 640, Height: 360}))
		require.NoError(t, c.Close())
		_, err := v4l2.Open(t.Context(), camera0, v4l2.Options{Format: "H264"})
		require.Error(t, err)
	}
	require.Equal(t, before, count())
}
