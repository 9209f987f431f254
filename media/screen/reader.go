//go:build unix

package screen

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
)

// reader takes pictures of a display. It has no goroutine: ReadFrame does the
// work.
type reader struct {
	opts     Options
	addr     address
	interval time.Duration
	begun    time.Time
	timer    *time.Timer
	closed   chan struct{}
	once     sync.Once

	turn sync.Mutex // held while a picture is taken
	next time.Time  // when the next picture is due
	x    *session   // nil: to be connected again

	mu   sync.Mutex
	conn *conn // of x, for Close
}

// session is what is set up on one connection.
type session struct {
	*conn
	screen xScreen
	bounds image.Rectangle // of what is captured, on the screen
	hidden bool            // the window is not shown
	shm    *segment        // nil: over the connection
	shmOp  byte            // opcode of MIT-SHM, 0 without
	fixes  byte            // opcode of XFIXES, 0 without
	cursor []byte
}

func open(ctx context.Context, o Options) (media.VideoReader, error) {
	addr, err := parseDisplay(o.Display)
	if err != nil {
		return nil, err
	}
	r := &reader{
		opts: o, addr: addr, closed: make(chan struct{}), timer: time.NewTimer(0),
		interval: time.Duration(math.Round(float64(time.Second) / o.FrameRate)),
	}
	if err := r.connect(ctx); err != nil {
		r.drop()
		return nil, err
	}
	r.begun = time.Now()
	r.next = r.begun
	return r, nil
}

// ReadFrame waits until the next picture is due and takes it. When pictures
// are read too slowly, some are not taken at all.
func (r *reader) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	for {
		if err := r.wait(ctx); err != nil {
			return err
		}
		taken, err := r.take(ctx, f)
		if err != nil {
			return r.failed(ctx, err)
		}
		if taken {
			return nil
		}
	}
}

// wait sleeps until the next picture is due, and says when the one after that
// is: pictures keep to the grid of the frame rate.
func (r *reader) wait(ctx context.Context) error {
	r.timer.Reset(time.Until(r.next))
	select {
	case <-r.timer.C:
	case <-ctx.Done():
		return fmt.Errorf("screen: %w", ctx.Err())
	case <-r.closed:
		return fmt.Errorf("screen: %w", media.ErrClosed)
	}
	select {
	case <-r.closed:
		return fmt.Errorf("screen: %w", media.ErrClosed)
	default:
	}
	late := time.Since(r.next)
	r.next = r.next.Add(late - late%r.interval + r.interval)
	return nil
}

// failed leaves a connection that cannot be used any more. The next picture
// gets a new one, which fails if the display is gone.
func (r *reader) failed(ctx context.Context, err error) error {
	r.drop()
	select {
	case <-r.closed:
		return fmt.Errorf("screen: %w", media.ErrClosed)
	default:
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("screen: %w", err)
}

// Close ends the capture.
func (r *reader) Close() error {
	r.once.Do(func() { close(r.closed) })
	r.mu.Lock()
	if r.conn != nil {
		_ = r.conn.net.Close() // a picture being taken fails
	}
	r.mu.Unlock()
	r.turn.Lock()
	defer r.turn.Unlock()
	r.drop()
	return nil
}

// drop gives back what the connection holds. Guarded by turn.
func (r *reader) drop() {
	r.mu.Lock()
	c := r.conn
	r.conn = nil
	r.mu.Unlock()
	if c != nil {
		_ = c.net.Close() // it may be closed already
	}
	if r.x != nil {
		r.x.shm.free()
		r.x = nil
	}
}

// connect makes a session. Guarded by turn.
func (r *reader) connect(ctx context.Context) error {
	c, err := dial(ctx, r.addr)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.conn = c
	r.mu.Unlock()
	x := &session{conn: c}
	r.x = x
	n := max(0, r.addr.screen)
	if n >= len(c.setup.screens) {
		return fmt.Errorf("%w: screen %d; there are %d, counted from 0", ErrNotFound, n, len(c.setup.screens))
	}
	x.screen = c.setup.screens[n]
	v := x.screen.visual
	if c.setup.bigEndian || c.setup.bits[x.screen.depth] != 32 || v != (visual{0xff0000, 0xff00, 0xff}) {
		return fmt.Errorf("%w: depth %d, %d bits a pixel, colors at %#x %#x %#x; 24 bits in 32 are",
			ErrFormat, x.screen.depth, c.setup.bits[x.screen.depth], v.red, v.green, v.blue)
	}
	return r.prepare(ctx, x)
}

func (r *reader) prepare(ctx context.Context, x *session) error {
	if r.opts.Window == 0 {
		wayland, err := x.extension(ctx, "XWAYLAND")
		if err != nil {
			return err
		}
		if wayland != 0 {
			return fmt.Errorf("%w: %q is the X server of a Wayland session, whose screen it does not show; windows of X programs can be captured, and the rest by a program that asks the portal, such as GStreamer's pipewiresrc", ErrUnavailable, r.opts.Display)
		}
	}
	target := x.screen.root
	if r.opts.Window != 0 {
		target = r.opts.Window
	}
	if err := x.watch(ctx, target); err != nil {
		if isXError(err, badWindow) {
			return fmt.Errorf("%w: window %#x; xwininfo tells those that there are", ErrNotFound, r.opts.Window)
		}
		return err
	}
	if err := x.look(ctx, r.opts); err != nil {
		return err
	}
	if !r.opts.NoCursor {
		if err := x.useCursor(ctx); err != nil {
			return err
		}
	}
	if !r.opts.NoSharedMemory && r.addr.network == "unix" {
		return x.share(ctx)
	}
	return nil
}

// take takes a picture. It reports false where there is none to take now.
func (r *reader) take(ctx context.Context, f *media.VideoFrame) (bool, error) {
	if r.x == nil {
		if err := r.connect(ctx); err != nil {
			return false, err
		}
	}
	x := r.x
	for range 3 { // the size may change between looking and taking
		if x.resize || x.hidden {
			if err := x.look(ctx, r.opts); err != nil {
				return false, err
			}
		}
		if x.hidden {
			return false, nil
		}
		now := time.Now()
		err := x.grab(ctx, f)
		switch {
		case err == nil:
			if x.fixes != 0 {
				if err := x.drawCursor(ctx, f); err != nil {
					return false, err
				}
			}
			f.Timestamp, f.Captured = now.Sub(r.begun), now
			return true, nil
		case isXError(err, badMatch):
			x.resize = true
		default:
			return false, err
		}
	}
	return false, nil
}

// watch asks for the events of the window.
func (x *session) watch(ctx context.Context, window uint32) error {
	x.begin(2, 0) // ChangeWindowAttributes
	x.u32(window, 1<<11, 1<<17)
	return x.do(ctx)
}

// look finds out where what is captured is now.
func (x *session) look(ctx context.Context, o Options) error {
	x.resize = false
	screen, err := x.geometry(ctx, x.screen.root)
	if err != nil {
		return err
	}
	bounds := screen
	if o.Window != 0 {
		bounds, x.hidden, err = x.window(ctx, o.Window)
		if isXError(err, badWindow, badDrawable) {
			return fmt.Errorf("%w: window %#x", ErrGone, o.Window)
		}
		if err != nil {
			return err
		}
	}
	if !o.Region.Empty() {
		bounds = bounds.Intersect(o.Region.Add(bounds.Min))
		if bounds.Empty() {
			return fmt.Errorf("%w: region %v; the screen or window has %v", ErrNotFound, o.Region, screen.Size())
		}
	}
	x.bounds = bounds.Intersect(screen)
	x.hidden = x.hidden || x.bounds.Empty()
	return nil
}

// geometry returns the size of a window.
func (x *session) geometry(ctx context.Context, window uint32) (image.Rectangle, error) {
	x.begin(14, 0)
	x.u32(window)
	h, more, err := x.ask(ctx)
	if err != nil {
		return image.Rectangle{}, err
	}
	size := image.Rect(0, 0, int(binary.LittleEndian.Uint16(h[16:])), int(binary.LittleEndian.Uint16(h[18:])))
	return size, x.skip(ctx, more)
}

// window returns where the window is on the screen, and whether it is hidden.
func (x *session) window(ctx context.Context, window uint32) (at image.Rectangle, hidden bool, err error) {
	x.begin(3, 0) // GetWindowAttributes
	x.u32(window)
	h, more, err := x.ask(ctx)
	if err != nil {
		return at, false, err
	}
	hidden = h[26] != 2 // viewable
	if err := x.skip(ctx, more); err != nil {
		return at, false, err
	}
	if at, err = x.geometry(ctx, window); err != nil {
		return at, false, err
	}
	x.begin(40, 0) // TranslateCoordinates
	x.u32(window, x.screen.root)
	x.u16(0, 0)
	if h, more, err = x.ask(ctx); err != nil {
		return at, false, err
	}
	origin := image.Pt(int(int16(binary.LittleEndian.Uint16(h[12:]))), int(int16(binary.LittleEndian.Uint16(h[14:]))))
	return at.Add(origin), hidden, x.skip(ctx, more)
}

// extension returns the opcode of an extension, 0 where the server has none.
func (x *session) extension(ctx context.Context, name string) (byte, error) {
	x.begin(98, 0)
	x.u16(uint16(len(name)), 0)
	x.u8([]byte(name)...)
	h, more, err := x.ask(ctx)
	if err != nil {
		return 0, err
	}
	var op byte
	if h[8] != 0 {
		op = h[9]
	}
	return op, x.skip(ctx, more)
}

// grab puts the picture into f.
func (x *session) grab(ctx context.Context, f *media.VideoFrame) error {
	w, h := x.bounds.Dx(), x.bounds.Dy()
	size := 4 * w * h
	if x.shm != nil {
		err := x.grabShared(ctx, size)
		if err == nil {
			copy(shape(f, w, h), x.shm.mem[:size])
			return nil
		}
		if !errors.Is(err, errNotShared) { // no room for a bigger segment
			return err
		}
	}
	x.begin(73, 2) // GetImage, ZPixmap
	x.u32(x.screen.root)
	x.u16(uint16(x.bounds.Min.X), uint16(x.bounds.Min.Y), uint16(w), uint16(h))
	x.u32(math.MaxUint32)
	_, more, err := x.ask(ctx)
	if err != nil {
		return err
	}
	if more < size {
		return fmt.Errorf("%w: a picture of %d bytes where %d belong", ErrGone, more, size)
	}
	if err := x.readFull(ctx, shape(f, w, h)); err != nil {
		return err
	}
	return x.skip(ctx, more-size)
}

// shape makes f a BGRA picture of the size, in the memory that it has, and
// returns its pixels.
func shape(f *media.VideoFrame, w, h int) []byte {
	n := 4 * w * h
	if cap(f.Planes[0]) < n {
		f.Planes[0] = make([]byte, n)
	}
	f.Format, f.Width, f.Height = media.BGRA, w, h
	f.Planes = [3][]byte{f.Planes[0][:n]}
	f.Strides = [3]int{4 * w}
	return f.Planes[0]
}

// errNotShared says that the server and we have no memory in common.
var errNotShared = errors.New("not shared")
