package v4l2

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func openFake(t testing.TB, h host, o Options) *Camera {
	t.Helper()
	c, err := open(t.Context(), h, "", o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestReadFrameCopiesEachFormat(t *testing.T) {
	for _, tc := range []struct {
		code    string
		mplane  bool
		pixels  media.PixelFormat
		strides [3]int
		lengths [3]int
	}{
		{"YUYV", false, media.YUYV, [3]int{704}, [3]int{704 * 240}},
		{"GREY", false, media.Gray, [3]int{352}, [3]int{352 * 240}},
		{"NV12", false, media.NV12, [3]int{352, 352}, [3]int{352 * 240, 352 * 120}},
		{"NV21", false, media.NV21, [3]int{352, 352}, [3]int{352 * 240, 352 * 120}},
		{"NM12", true, media.NV12, [3]int{352, 352}, [3]int{352 * 240, 352 * 120}},
		{"YU12", false, media.I420, [3]int{352, 176, 176}, [3]int{352 * 240, 176 * 120, 176 * 120}},
		{"YV12", false, media.I420, [3]int{352, 176, 176}, [3]int{352 * 240, 176 * 120, 176 * 120}},
	} {
		t.Run(tc.code, func(t *testing.T) {
			d := newFake(tc.code)
			if tc.mplane {
				d.mplane, d.caps = true, capVideoCaptureMplane|capStreaming
			}
			c := openFake(t, newFakeHost(d), Options{Width: 320, Height: 240})
			d.push(0, func(planes [][]byte) []uint32 {
				var used []uint32
				n := byte(0)
				for _, p := range planes {
					for i := range p {
						p[i] = n + byte(i*6/len(p))
					}
					used = append(used, uint32(len(p)))
					n += 2
				}
				return used
			})
			var f media.VideoFrame
			require.NoError(t, c.ReadFrame(t.Context(), &f))
			require.Equal(t, tc.pixels, f.Format)
			require.Equal(t, [2]int{320, 240}, [2]int{f.Width, f.Height})
			require.Equal(t, tc.strides, f.Strides)
			require.Equal(t, tc.lengths, [3]int{len(f.Planes[0]), len(f.Planes[1]), len(f.Planes[2])})
			require.Zero(t, f.Planes[0][0])
			if tc.code == "YV12" { // the second plane in memory is V
				require.Equal(t, []byte{5, 4}, []byte{f.Planes[1][0], f.Planes[2][0]}, "planes in the order of I420")
			}
			if tc.code == "YU12" {
				require.Equal(t, []byte{4, 5}, []byte{f.Planes[1][0], f.Planes[2][0]})
			}
		})
	}
}

func TestNewestPictureWins(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{})
	for v := range byte(3) { // one buffer stays with the driver
		d.pushRaw(v + 1)
	}
	var f media.VideoFrame
	require.NoError(t, c.ReadFrame(t.Context(), &f))
	require.EqualValues(t, 3, f.Planes[0][0])
	s := c.Stats()
	require.Equal(t, []uint64{1, 2, 0}, []uint64{s.Frames, s.Stale, s.Lost})
	require.WithinDuration(t, time.Now(), s.Last, time.Second)
}

func TestStarvedDriverGivesNoOldPicture(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{})
	old := monotonic() - time.Second
	d.answer = func(req uint32, arg unsafe.Pointer, err error) error {
		if req != vidiocDQBuf || err != nil {
			return err
		}
		if b := (*buffer)(arg); b.sequence < 4 {
			b.seconds, b.micros = int64(old/time.Second), int64(old%time.Second/time.Microsecond)
		}
		return err
	}
	for v := range byte(7) { // the last three find no buffer
		d.pushRaw(v + 1)
	}
	got := make(chan byte)
	go func() {
		var f media.VideoFrame
		assert.NoError(t, c.ReadFrame(t.Context(), &f))
		got <- f.Planes[0][0]
	}()
	require.Eventually(t, func() bool { return c.Stats().Stale == 4 }, 10*time.Second, time.Millisecond)
	d.pushRaw(8)
	require.EqualValues(t, 8, <-got)
	require.EqualValues(t, 3, c.Stats().Lost, "by the sequence")
}

func TestDamagedPicturesAreLeftOut(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{})
	d.push(flagError, func([][]byte) []uint32 { return []uint32{1} })
	d.push(0, func(p [][]byte) []uint32 { return []uint32{uint32(len(p[0])) - 100} }) // short
	d.pushRaw(9)
	var f media.VideoFrame
	require.NoError(t, c.ReadFrame(t.Context(), &f))
	require.EqualValues(t, 9, f.Planes[0][0])
	require.EqualValues(t, 2, c.Stats().Errors)
}

func TestReadEndsWithItsContext(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{})
	var f media.VideoFrame
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, c.ReadFrame(ctx, &f), context.DeadlineExceeded)
	// That was the call's end, not the camera's.
	d.pushRaw(1)
	require.NoError(t, c.ReadFrame(t.Context(), &f))
}

func TestCloseEndsARead(t *testing.T) {
	c := openFake(t, newFakeHost(newFake("GREY")), Options{})
	done := make(chan error)
	go func() { done <- c.ReadFrame(context.Background(), new(media.VideoFrame)) }()
	require.NoError(t, c.Close())
	require.Equal(t, io.EOF, <-done)
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.Reconfigure(t.Context(), Options{}), media.ErrClosed)
}

func TestUnpluggedCameraEnds(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{})
	d.unplug()
	err := c.ReadFrame(t.Context(), new(media.VideoFrame))
	require.ErrorIs(t, err, ErrUnplugged)
	require.ErrorIs(t, err, syscall.ENODEV)
	require.ErrorIs(t, c.ReadFrame(t.Context(), new(media.VideoFrame)), ErrUnplugged, "for ever")
	require.ErrorIs(t, c.Stats().Away, ErrUnplugged)
	require.Zero(t, d.opened, "the device file is let go")
}

func TestReopenGoesOnWithTheSameCamera(t *testing.T) {
	first, other := newFake("GREY", "YUYV"), newFake("GREY")
	other.bus = "usb-2"
	h := newFakeHost(first, other)
	c := openFake(t, h, Options{Reopen: true, Width: 320, Format: "YUYV"})
	first.pushRaw(1)
	var f media.VideoFrame
	require.NoError(t, c.ReadFrame(t.Context(), &f))
	clock := f.Timestamp

	h.put("/dev/video0", nil)
	first.unplug()
	got := make(chan error)
	go func() { got <- c.ReadFrame(t.Context(), &f) }()
	require.Eventually(t, func() bool { return c.Stats().Away != nil }, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, c.Stats().Away, ErrUnplugged)

	back := newFake("GREY", "YUYV")
	h.put("/dev/video7", back)
	require.Eventually(t, func() bool { return c.Stats().Away == nil }, 10*time.Second, time.Millisecond)
	back.pushRaw(2)
	require.NoError(t, <-got)
	require.Equal(t, media.YUYV, f.Format)
	require.Equal(t, []int{320, 240}, []int{f.Width, f.Height})
	require.Greater(t, f.Timestamp, clock)
	require.Equal(t, "/dev/video7", c.Device().Path)
	require.EqualValues(t, 1, c.Stats().Reopened)
	require.Zero(t, other.starts)
}

func TestFatalErrorEndsOrReopens(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{})
	fail := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.fatal = true
		d.owner.signal()
	}
	fail()
	err := c.ReadFrame(t.Context(), new(media.VideoFrame))
	require.ErrorIs(t, err, ErrBroken)
	require.ErrorIs(t, err, syscall.EIO)
	require.NoError(t, c.Close())

	d.fatal = false
	c = openFake(t, newFakeHost(d), Options{Reopen: true})
	d.answer = func(req uint32, _ unsafe.Pointer, err error) error {
		if req == vidiocStreamOff {
			d.fatal = false // starting anew helps
		}
		return err
	}
	fail()
	got := make(chan error)
	go func() { got <- c.ReadFrame(t.Context(), new(media.VideoFrame)) }()
	require.Eventually(t, func() bool { return c.Stats().Reopened == 1 }, 10*time.Second, time.Millisecond)
	d.pushRaw(1)
	require.NoError(t, <-got)
}

func TestStallIsTold(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{StallTimeout: 20 * time.Millisecond})
	for range 2 {
		require.ErrorIs(t, c.ReadFrame(t.Context(), new(media.VideoFrame)), ErrStalled)
	}
	require.EqualValues(t, 2, c.Stats().Stalls)
	d.pushRaw(1)
	require.NoError(t, c.ReadFrame(t.Context(), new(media.VideoFrame)), "it may go on")
}

func TestStalledCameraIsStartedAnew(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{StallTimeout: 20 * time.Millisecond, Reopen: true})
	got := make(chan error)
	go func() { got <- c.ReadFrame(t.Context(), new(media.VideoFrame)) }()
	require.Eventually(t, func() bool {
		if c.Stats().Reopened == 0 {
			return false
		}
		d.pushRaw(1)
		return c.Stats().Frames == 1
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, <-got)
}

// A driver need not tell a reader that waits that its device is gone.
func TestSilentUnplugIsNoticed(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{})
	d.mu.Lock()
	d.gone = true
	d.mu.Unlock()
	require.ErrorIs(t, c.ReadFrame(t.Context(), new(media.VideoFrame)), ErrUnplugged)
}

func TestReconfigureWhileReading(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{Width: 1280, Height: 720})
	widths := make(chan int)
	go func() {
		defer close(widths)
		var f media.VideoFrame
		for c.ReadFrame(context.Background(), &f) == nil {
			widths <- f.Width
		}
	}()
	d.pushRaw(1)
	require.Equal(t, 1280, <-widths)

	require.NoError(t, c.Reconfigure(t.Context(), Options{Width: 320, Height: 240, FrameRate: 15}))
	require.Equal(t, Config{Format: "GREY", Width: 320, Height: 240, FrameRate: 15, Stride: 352, Buffers: 4}, c.Config())
	d.pushRaw(2)
	require.Equal(t, 320, <-widths)

	err := c.Reconfigure(t.Context(), Options{Width: 333, Height: 240})
	require.ErrorIs(t, err, ErrUnsatisfiable)
	require.Equal(t, 320, c.Config().Width, "nothing changed")
	require.NoError(t, c.Reconfigure(t.Context(), Options{Width: 1280, Height: 720}), "restored")
	d.pushRaw(3)
	require.Equal(t, 1280, <-widths)
	require.NoError(t, c.Close())
	for range widths {
	}
}

func TestReconfigureThatFailsGoesBack(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{Width: 640})
	d.answer = func(req uint32, arg unsafe.Pointer, err error) error {
		if req == vidiocSFmt && (*format)(arg).pix().width == 320 {
			return syscall.EINVAL
		}
		return err
	}
	require.ErrorIs(t, c.Reconfigure(t.Context(), Options{Width: 320}), ErrUnsatisfiable)
	require.Equal(t, 640, c.Config().Width)
	d.pushRaw(1)
	require.NoError(t, c.ReadFrame(t.Context(), new(media.VideoFrame)))
	require.ErrorIs(t, c.Reconfigure(t.Context(), Options{Format: "H264"}), ErrUnsatisfiable)
}

func TestOpenErrors(t *testing.T) {
	one, two := newFake("GREY", "YUYV", "JUNK"), newFake("YUYV")
	two.bus, two.card = "usb-2", "Other"
	meta := newFake("GREY")
	meta.caps = capStreaming | 0x00800000
	h := newFakeHost(one, two, meta)

	_, err := open(t.Context(), h, "front", Options{})
	require.ErrorIs(t, err, ErrNotFound)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Devices, 2)
	require.Equal(t, `v4l2: find "front": no such camera; there are "Fake" (usb-1/0, /dev/video0), "Other" (usb-2/0, /dev/video1)`, err.Error())

	_, err = open(t.Context(), h, "/dev/video2", Options{})
	require.ErrorIs(t, err, ErrNotFound, "metadata")
	_, err = open(t.Context(), h, "/dev/video9", Options{})
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorIs(t, err, syscall.ENOENT)

	for _, o := range []Options{
		{Width: 641},
		{Width: 640, Height: 481},
		{FrameRate: 60},
		{Format: "H264"},
		{Format: "JUNK"},
		{Width: -1},
		{Height: 1 << 20},
		{FrameRate: -1},
		{Buffers: 100},
		{Bitrate: -1},
	} {
		_, err = open(t.Context(), h, "", o)
		require.ErrorIs(t, err, ErrUnsatisfiable, "%+v", o)
	}
	_, err = open(t.Context(), h, "", Options{Format: "NV12", Width: 640, Height: 480, FrameRate: 30})
	require.EqualError(t, err, `v4l2: open "/dev/video0": camera cannot do that: asked for NV12 640x480@30; it has `+
		`GREY 320x240@30/15, 640x480@30/15, 1280x720@30/15; YUYV 320x240@30/15, 640x480@30/15, 1280x720@30/15`)

	for errno, want := range map[syscall.Errno]error{
		syscall.EBUSY: ErrBusy, syscall.EACCES: ErrPermission, syscall.ENXIO: ErrUnplugged, syscall.EIO: ErrBroken,
	} {
		one.openErr = errno
		_, err = open(t.Context(), h, "/dev/video0", Options{})
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, err, errno)
	}
	one.openErr = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = open(ctx, h, "", Options{})
	require.ErrorIs(t, err, context.Canceled)
	for _, d := range []*fakeDevice{one, two, meta} {
		require.Zero(t, d.opened, "nothing stays open")
	}
}

// The device files of a pipeline look like cameras, but few can be used as one.
func TestPartsOfPipelines(t *testing.T) {
	part, camera := newFake("GREY"), newFake("GREY")
	part.caps |= capMediaController
	h := newFakeHost(part, camera)
	c := openFake(t, h, Options{})
	require.Equal(t, "/dev/video1", c.Device().Path, "none by default")
	part.answer = func(req uint32, _ unsafe.Pointer, err error) error {
		if req == vidiocStreamOn {
			return syscall.EPIPE
		}
		return err
	}
	_, err := open(t.Context(), h, "/dev/video0", Options{})
	require.ErrorIs(t, err, ErrBroken)
	require.ErrorContains(t, err, "libcamera")
	h.put("/dev/video1", nil)
	part.answer = nil
	require.Equal(t, "/dev/video0", openFake(t, h, Options{}).Device().Path, "unless there is nothing else")
}

func TestBusyWhileAnotherReads(t *testing.T) {
	d := newFake("GREY")
	h := newFakeHost(d)
	c := openFake(t, h, Options{})
	_, err := open(t.Context(), h, "", Options{})
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, `set the format of "/dev/video0": camera is in use: by cheese (process 7): device or resource busy`)
	d.pushRaw(1)
	require.NoError(t, c.ReadFrame(t.Context(), new(media.VideoFrame)), "the first goes on")
}

func TestDevicesWithoutPermission(t *testing.T) {
	d, other := newFake("GREY"), newFake("GREY")
	d.openErr = syscall.EACCES
	h := newFakeHost(d)
	_, err := devices(h)
	require.ErrorIs(t, err, ErrPermission)
	_, err = open(t.Context(), h, "", Options{})
	require.ErrorIs(t, err, ErrPermission)

	h.put("/dev/video1", other)
	all, err := devices(h)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "/dev/video1", all[0].Path)

	none, err := devices(newFakeHost())
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = open(t.Context(), newFakeHost(), "", Options{})
	require.EqualError(t, err, `v4l2: find: no such camera; there are none`)
}

func TestLinkUnderByIDIsTheID(t *testing.T) {
	d, twin := newFake("GREY"), newFake("GREY")
	h := newFakeHost(d, twin)
	h.links["/dev/video1"] = "usb-Maker_Cam_0123-video-index0"
	all, err := devices(h)
	require.NoError(t, err)
	require.Equal(t, []string{"usb-1/0", "usb-Maker_Cam_0123-video-index0"}, []string{all[0].ID, all[1].ID})
	c, err := open(t.Context(), h, "usb-Maker_Cam_0123-video-index0", Options{})
	require.NoError(t, err)
	require.Equal(t, "/dev/video1", c.Device().Path)
	require.NoError(t, c.Close())
	twin.openErr = syscall.EACCES
	_, err = open(t.Context(), h, "usb-Maker_Cam_0123-video-index0", Options{})
	require.ErrorIs(t, err, ErrPermission)
	require.NotErrorIs(t, err, ErrNotFound)
}

// Each of these is something that a driver may say and that cannot be.
func TestLyingDevicesEndWithAnError(t *testing.T) {
	for name, tc := range map[string]struct {
		code   string
		answer func(req uint32, arg unsafe.Pointer) error
	}{
		"stride too small": {"YUYV", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocSFmt {
				(*format)(arg).pix().bytesPerLine = 10
			}
			return nil
		}},
		"image too small": {"NV12", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocSFmt {
				(*format)(arg).pix().sizeImage = 64 * 48
			}
			return nil
		}},
		"huge size": {"NV12", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocSFmt {
				p := (*format)(arg).pix()
				p.bytesPerLine, p.sizeImage = 1<<31, 1<<31
			}
			return nil
		}},
		"no memory": {"NV12", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocQueryBuf {
				(*buffer)(arg).length = 0
			}
			return nil
		}},
		"short memory": {"NV12", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocQueryBuf {
				(*buffer)(arg).length = 64 * 48
			}
			return nil
		}},
		"one buffer": {"NV12", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocReqBufs {
				(*requestBuffers)(arg).count = 1
			}
			return nil
		}},
		"many buffers": {"NV12", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocReqBufs {
				(*requestBuffers)(arg).count = 1 << 30
			}
			return nil
		}},
		"buffer that is not": {"NV12", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocDQBuf {
				(*buffer)(arg).index = 4
			}
			return nil
		}},
		"always empty": {"NV12", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocDQBuf {
				(*buffer)(arg).bytesUsed = 0
			}
			return nil
		}},
		"more than there is": {"MJPG", func(req uint32, arg unsafe.Pointer) error {
			if req == vidiocDQBuf {
				(*buffer)(arg).bytesUsed = 1<<32 - 1
			}
			return nil
		}},
		"no JPEG": {"MJPG", func(uint32, unsafe.Pointer) error { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newFake(tc.code)
			d.sizes = []Size{{64, 48}}
			d.answer = func(req uint32, arg unsafe.Pointer, err error) error {
				return errors.Join(err, tc.answer(req, arg))
			}
			c, err := open(t.Context(), newFakeHost(d), "", Options{Reopen: true})
			if err == nil {
				stop := make(chan struct{})
				pushed := make(chan struct{})
				go func() {
					defer close(pushed)
					for {
						select {
						case <-stop:
							return
						default:
							d.pushRaw(7)
						}
					}
				}()
				err = c.ReadFrame(t.Context(), new(media.VideoFrame))
				close(stop)
				<-pushed
				require.NoError(t, c.Close())
			}
			require.ErrorIs(t, err, ErrBroken)
			t.Log(err)
			require.Zero(t, d.opened, "nothing stays open")
		})
	}
}

func TestPollThatLiesEnds(t *testing.T) {
	d := newFake("GREY")
	c := openFake(t, newFakeHost(d), Options{})
	d.answer = func(req uint32, _ unsafe.Pointer, err error) error {
		if req == vidiocDQBuf {
			d.owner.signal()
			return syscall.EAGAIN
		}
		return err
	}
	d.owner.signal()
	require.ErrorIs(t, c.ReadFrame(t.Context(), new(media.VideoFrame)), ErrBroken)
}

func TestReadMakesNoGarbage(t *testing.T) {
	d := newFake("YUYV")
	c := openFake(t, newFakeHost(d), Options{})
	var f media.VideoFrame
	used := []uint32{0}
	fill := func(p [][]byte) []uint32 {
		used[0] = uint32(len(p[0]))
		return used
	}
	ctx := t.Context()
	d.push(0, fill)
	require.NoError(t, c.ReadFrame(ctx, &f))
	n := testing.AllocsPerRun(100, func() {
		d.push(0, fill)
		if err := c.ReadFrame(ctx, &f); err != nil {
			panic(err)
		}
	})
	require.Zero(t, n)
}
