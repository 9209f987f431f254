//go:build linux && xvfb

// Tests against a real X server. Draw with another implementation of the
// protocol, so that a mistake of ours cannot hide.
package screen

import (
	"bufio"
	"context"
	"image"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// server is an X server of this test.
type server struct {
	*testing.T
	display string
	cmd     *exec.Cmd
	x       *xgb.Conn
	screen  *xproto.ScreenInfo
	gc      xproto.Gcontext
}

func start(t *testing.T, args ...string) *server {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	if len(args) == 0 {
		args = []string{"-screen", "0", "640x480x24"}
	}
	cmd := exec.Command("Xvfb", append([]string{"-displayfd", "3", "-nolisten", "tcp", "-noreset"}, args...)...)
	cmd.ExtraFiles = []*os.File{w}
	require.NoError(t, cmd.Start(), "apt-get install xvfb")
	s := &server{T: t, cmd: cmd}
	t.Cleanup(s.kill)
	require.NoError(t, w.Close())
	number, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, r.Close())
	s.display = ":" + strings.TrimSpace(number)

	s.x, err = xgb.NewConnDisplay(s.display)
	require.NoError(t, err)
	s.screen = xproto.Setup(s.x).DefaultScreen(s.x)
	s.gc, err = xproto.NewGcontextId(s.x)
	require.NoError(t, err)
	// The root's picture includes what windows show.
	require.NoError(t, xproto.CreateGCChecked(s.x, s.gc, xproto.Drawable(s.screen.Root),
		xproto.GcSubwindowMode, []uint32{xproto.SubwindowModeIncludeInferiors}).Check())
	return s
}

func (s *server) kill() {
	if s.cmd.ProcessState != nil {
		return
	}
	if s.x != nil {
		s.x.Close()
		for { // until its goroutines have ended
			if ev, err := s.x.WaitForEvent(); ev == nil && err == nil {
				break
			}
		}
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// noise draws random pixels and returns them.
func (s *server) noise(d xproto.Drawable, w, h int, seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 1))
	pixels := make([]byte, 4*w*h)
	for i := range pixels {
		if i%4 != 3 {
			pixels[i] = byte(rnd.Uint32())
		}
	}
	const rows = 16 // requests are at most 256 KiB
	for y := 0; y < h; y += rows {
		n := min(rows, h-y)
		require.NoError(s, xproto.PutImageChecked(s.x, xproto.ImageFormatZPixmap, d, s.gc,
			uint16(w), uint16(n), 0, int16(y), 0, s.screen.RootDepth, pixels[4*w*y:4*w*(y+n)]).Check())
	}
	return pixels
}

func (s *server) root() xproto.Drawable { return xproto.Drawable(s.screen.Root) }

func (s *server) open(o Options) *reader {
	o.Display = s.display
	if o.FrameRate == 0 {
		o.FrameRate = 200
	}
	r, err := Open(s.Context(), &o)
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, r.Close()) })
	return r.(*reader)
}

func (s *server) read(r media.VideoReader) *media.VideoFrame {
	f := &media.VideoFrame{}
	require.NoError(s, r.ReadFrame(s.Context(), f))
	require.Equal(s, media.BGRA, f.Format)
	require.WithinDuration(s, time.Now(), f.Captured, time.Minute)
	return f
}

// same compares the picture with a part of pixels that are w wide.
func (s *server) same(f *media.VideoFrame, pixels []byte, w int, part image.Rectangle) {
	s.Helper()
	require.Equal(s, part.Size(), image.Pt(f.Width, f.Height))
	for y := range f.Height {
		for x := range f.Width {
			got := f.Planes[0][y*f.Strides[0]+4*x:][:3]
			want := pixels[4*((y+part.Min.Y)*w+x+part.Min.X):][:3]
			if string(got) != string(want) {
				require.FailNow(s, "other pixel", "at %d,%d: got %v, want %v", x, y, got, want)
			}
		}
	}
}

var whole = image.Rect(0, 0, 640, 480)

func TestScreenIsCapturedExactly(t *testing.T) {
	s := start(t)
	for name, o := range map[string]Options{
		"shared memory": {NoCursor: true},
		"connection":    {NoCursor: true, NoSharedMemory: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{T: t, display: s.display, x: s.x, screen: s.screen, gc: s.gc, cmd: s.cmd}
			r := s.open(o)
			require.Equal(t, !o.NoSharedMemory, r.x.shm != nil)
			var last time.Duration
			for seed := range uint64(5) {
				want := s.noise(s.root(), 640, 480, seed)
				f := s.read(r)
				s.same(f, want, 640, whole)
				require.True(t, seed == 0 || f.Timestamp > last)
				last = f.Timestamp
			}
		})
	}
}

func TestRegionAndWindow(t *testing.T) {
	s := start(t)
	want := s.noise(s.root(), 640, 480, 1)
	part := image.Rect(33, 17, 33+201, 17+99) // odd on purpose
	s.same(s.read(s.open(Options{NoCursor: true, Region: part})), want, 640, part)
	s.same(s.read(s.open(Options{NoCursor: true, NoSharedMemory: true, Region: part})), want, 640, part)
	s.same(s.read(s.open(Options{NoCursor: true, Region: image.Rect(600, 400, 900, 900)})), want, 640, image.Rect(600, 400, 640, 480))

	_, err := Open(t.Context(), &Options{Display: s.display, Region: image.Rect(700, 0, 900, 900)})
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "(640,480)")
	_, err = Open(t.Context(), &Options{Display: s.display, Window: 0x123456})
	require.ErrorIs(t, err, ErrNotFound)
	_, err = Open(t.Context(), &Options{Display: s.display + ".3"})
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "there are 1")

	w := s.window(100, 60, 320, 200)
	r := s.open(Options{NoCursor: true, Window: uint32(w)})
	pixels := s.noise(xproto.Drawable(w), 320, 200, 2)
	s.same(s.read(r), pixels, 320, image.Rect(0, 0, 320, 200))

	// Moved: the same pixels. Half off the screen: what is on it.
	s.configure(w, xproto.ConfigWindowX|xproto.ConfigWindowY, 200, 100)
	pixels = s.noise(xproto.Drawable(w), 320, 200, 3)
	s.eventually(r, pixels, 320, image.Rect(0, 0, 320, 200))
	s.configure(w, xproto.ConfigWindowX|xproto.ConfigWindowY, 540, 380)
	pixels = s.noise(xproto.Drawable(w), 320, 200, 4)
	s.eventually(r, pixels, 320, image.Rect(0, 0, 100, 100))

	// Resized: the picture follows.
	s.configure(w, xproto.ConfigWindowX|xproto.ConfigWindowY, 0, 0)
	s.configure(w, xproto.ConfigWindowWidth|xproto.ConfigWindowHeight, 401, 301)
	pixels = s.noise(xproto.Drawable(w), 401, 301, 5)
	s.eventually(r, pixels, 401, image.Rect(0, 0, 401, 301))

	// Hidden: no pictures until it is shown again.
	require.NoError(t, xproto.UnmapWindowChecked(s.x, w).Check())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var err2 error
	for f := (&media.VideoFrame{}); err2 == nil; {
		err2 = r.ReadFrame(ctx, f)
	}
	require.ErrorIs(t, err2, context.DeadlineExceeded)
	require.NoError(t, xproto.MapWindowChecked(s.x, w).Check())
	pixels = s.noise(xproto.Drawable(w), 401, 301, 6)
	s.eventually(r, pixels, 401, image.Rect(0, 0, 401, 301))

	require.NoError(t, xproto.DestroyWindowChecked(s.x, w).Check())
	f := &media.VideoFrame{}
	for err2 = nil; err2 == nil; {
		err2 = r.ReadFrame(t.Context(), f)
	}
	require.ErrorIs(t, err2, ErrGone)
	require.ErrorContains(t, err2, "window")
}

func (s *server) window(x, y, w, h int) xproto.Window {
	id, err := xproto.NewWindowId(s.x)
	require.NoError(s, err)
	require.NoError(s, xproto.CreateWindowChecked(s.x, s.screen.RootDepth, id, s.screen.Root, int16(x), int16(y),
		uint16(w), uint16(h), 0, xproto.WindowClassInputOutput, s.screen.RootVisual, 0, nil).Check())
	require.NoError(s, xproto.MapWindowChecked(s.x, id).Check())
	return id
}

func (s *server) configure(w xproto.Window, mask uint16, values ...uint32) {
	require.NoError(s, xproto.ConfigureWindowChecked(s.x, w, mask, values).Check())
}

// eventually compares the second picture after a change: the first may be from
// where the window was.
func (s *server) eventually(r media.VideoReader, pixels []byte, w int, part image.Rectangle) {
	s.Helper()
	s.read(r)
	s.same(s.read(r), pixels, w, part)
}

func TestScreenChangesItsSize(t *testing.T) {
	s := start(t)
	require.NoError(t, randr.Init(s.x))
	for name, o := range map[string]Options{
		"shared memory": {NoCursor: true},
		"connection":    {NoCursor: true, NoSharedMemory: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{T: t, display: s.display, x: s.x, screen: s.screen, gc: s.gc, cmd: s.cmd}
			s.size(640, 480)
			r := s.open(o)
			pixels := s.noiseNow(640, 480)
			s.same(s.read(r), pixels, 640, whole)
			s.size(320, 240)
			s.eventually(r, s.noiseNow(320, 240), 320, image.Rect(0, 0, 320, 240))
			s.size(640, 480)
			s.eventually(r, s.noiseNow(640, 480), 640, whole)
		})
	}
}

// noiseNow draws the same noise each time.
func (s *server) noiseNow(w, h int) []byte { return s.noise(s.root(), w, h, 9) }

func (s *server) size(w, h int) {
	info, err := randr.GetScreenResources(s.x, s.screen.Root).Reply()
	require.NoError(s, err)
	crtc := info.Crtcs[0]
	now, err := randr.GetCrtcInfo(s.x, crtc, info.ConfigTimestamp).Reply()
	require.NoError(s, err)
	if int(now.Width) == w && int(now.Height) == h {
		return
	}
	_, err = randr.SetCrtcConfig(s.x, crtc, 0, info.ConfigTimestamp, 0, 0, 0, randr.RotationRotate0, nil).Reply()
	require.NoError(s, err)
	require.NoError(s, randr.SetScreenSizeChecked(s.x, s.screen.Root, uint16(w), uint16(h), 100, 100).Check())
}

func TestPointerIsInThePicture(t *testing.T) {
	s := start(t)
	want := s.noise(s.root(), 640, 480, 1)
	s.cursor()
	xproto.WarpPointer(s.x, 0, s.screen.Root, 0, 0, 0, 0, 200, 150)
	s.same(s.read(s.open(Options{NoCursor: true})), want, 640, whole)
	f := s.read(s.open(Options{}))
	for y := 140; y < 160; y++ {
		for x := 190; x < 210; x++ {
			got := f.Planes[0][y*f.Strides[0]+4*x:][:3]
			expected := want[4*(y*640+x):][:3]
			if x >= 200 && x < 208 && y >= 150 && y < 158 {
				expected = []byte{0, 0, 255} // the pointer is red
			}
			require.Equal(t, expected, got, "%d,%d", x, y)
		}
	}
}

// cursor makes the pointer a red square of 8 pixels, hot in its corner.
func (s *server) cursor() {
	pix, err := xproto.NewPixmapId(s.x)
	require.NoError(s, err)
	require.NoError(s, xproto.CreatePixmapChecked(s.x, 1, pix, s.root(), 8, 8).Check())
	gc, err := xproto.NewGcontextId(s.x)
	require.NoError(s, err)
	require.NoError(s, xproto.CreateGCChecked(s.x, gc, xproto.Drawable(pix), xproto.GcForeground, []uint32{1}).Check())
	require.NoError(s, xproto.PolyFillRectangleChecked(s.x, xproto.Drawable(pix), gc, []xproto.Rectangle{{Width: 8, Height: 8}}).Check())
	id, err := xproto.NewCursorId(s.x)
	require.NoError(s, err)
	require.NoError(s, xproto.CreateCursorChecked(s.x, id, pix, pix, 0xffff, 0, 0, 0, 0, 0, 0, 0).Check())
	require.NoError(s, xproto.ChangeWindowAttributesChecked(s.x, s.screen.Root, xproto.CwCursor, []uint32{uint32(id)}).Check())
}

func TestServerDies(t *testing.T) {
	s := start(t)
	r := s.open(Options{})
	s.read(r)
	s.kill()
	f := &media.VideoFrame{}
	var err error
	for err == nil {
		err = r.ReadFrame(t.Context(), f)
	}
	require.ErrorIs(t, err, ErrGone)
	require.ErrorIs(t, r.ReadFrame(t.Context(), f), ErrDisplay, "and stays gone")
}

func TestServerHangs(t *testing.T) {
	s := start(t)
	r := s.open(Options{})
	s.read(r)
	require.NoError(t, s.cmd.Process.Signal(os.Signal(stop)))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var err error
	for f := (&media.VideoFrame{}); err == nil; {
		err = r.ReadFrame(ctx, f)
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, s.cmd.Process.Signal(os.Signal(cont)))
	s.read(r) // on a new connection
}

func TestCloseFromElsewhere(t *testing.T) {
	s := start(t)
	r := s.open(Options{FrameRate: 0.01})
	s.read(r)
	done := make(chan error)
	go func() { done <- r.ReadFrame(t.Context(), &media.VideoFrame{}) }()
	require.NoError(t, r.Close())
	require.ErrorIs(t, <-done, media.ErrClosed)
	require.NoError(t, r.Close())
	require.ErrorIs(t, r.ReadFrame(t.Context(), &media.VideoFrame{}), media.ErrClosed)
}

func TestCanceled(t *testing.T) {
	s := start(t)
	r := s.open(Options{FrameRate: 0.01})
	s.read(r)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.ReadFrame(ctx, &media.VideoFrame{}) }()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestOtherDepthsAreRefused(t *testing.T) {
	s := start(t, "-screen", "0", "64x64x16")
	_, err := Open(t.Context(), &Options{Display: s.display})
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "depth 16")
}

func TestPicturesMakeNoGarbage(t *testing.T) {
	s := start(t)
	for name, o := range map[string]Options{
		"shared memory": {FrameRate: 240},
		"connection":    {FrameRate: 240, NoSharedMemory: true},
	} {
		r := s.open(o)
		f := s.read(r)
		require.Zero(t, testing.AllocsPerRun(50, func() {
			if err := r.ReadFrame(context.Background(), f); err != nil {
				panic(err)
			}
		}), name)
	}
}

func TestFrameRateIsKept(t *testing.T) {
	s := start(t)
	r := s.open(Options{FrameRate: 50})
	first := s.read(r)
	var last *media.VideoFrame
	for range 20 {
		last = s.read(r)
	}
	require.GreaterOrEqual(t, last.Timestamp-first.Timestamp, 19*20*time.Millisecond)
}
