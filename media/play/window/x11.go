//go:build linux || freebsd || openbsd || netbsd || dragonfly || darwin

package window

import (
	"errors"
	"fmt"
	"image"
	"io"
	"log"
	"os"
	"strings"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/parley-rtc/parley/media/play"
)

// Window is a window on a display. It is a [play.Screen]; its methods may be
// called from any goroutine.
//
// It owns two goroutines: one reads what the display tells, the other draws.
type Window struct {
	x      *xgb.Conn
	screen *xproto.ScreenInfo
	id     xproto.Window
	gc     xproto.Gcontext
	bye    xproto.Atom // WM_DELETE_WINDOW
	panes  panes
	drawn  sync.WaitGroup // the goroutines
	heard  sync.WaitGroup
	stop   chan struct{} // closed by Close
	done   chan struct{}
	leave  sync.Once // closes done
	close  sync.Once

	mu            sync.Mutex
	width, height int
	exposed       bool // all has to be drawn

	// The drawing goroutine's.
	local   bool // the display is on this machine
	surface surface
	canvas  canvas
	painter painter
}

// xgb writes to the standard error otherwise.
var quiet = sync.OnceFunc(func() { xgb.Logger = log.New(io.Discard, "", 0) })

// Open opens a window. It fails with ErrDisplay when there is nowhere to.
func Open(opts *Options) (*Window, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	if o.Display == "" {
		o.Display = os.Getenv("DISPLAY")
	}
	if o.Display == "" {
		return nil, fmt.Errorf("window: %w: none is named and $DISPLAY is not set", ErrDisplay)
	}
	quiet()
	x, err := xgb.NewConnDisplay(o.Display)
	if err != nil {
		return nil, fmt.Errorf("window: %w: %w", ErrDisplay, err)
	}
	w := &Window{
		x: x, width: o.Width, height: o.Height, stop: make(chan struct{}), done: make(chan struct{}),
		panes: panes{ready: make(chan struct{}, 1)}, exposed: true,
		local: strings.HasPrefix(o.Display, ":") || strings.HasPrefix(o.Display, "unix:"),
	}
	if err := w.create(o.Title); err != nil {
		x.Close()
		w.drain()
		return nil, fmt.Errorf("window: %w: %w", ErrDisplay, err)
	}
	w.heard.Go(w.listen)
	w.drawn.Go(w.draw)
	return w, nil
}

// create makes the window appear.
func (w *Window) create(title string) error {
	setup := xproto.Setup(w.x)
	if setup == nil || w.x.DefaultScreen >= len(setup.Roots) {
		return errors.New("the display has no such screen")
	}
	w.screen = setup.DefaultScreen(w.x)
	if err := w.suitable(setup); err != nil {
		return err
	}
	var err error
	if w.id, err = xproto.NewWindowId(w.x); err != nil {
		return err
	}
	if w.gc, err = xproto.NewGcontextId(w.x); err != nil {
		return err
	}
	err = xproto.CreateWindowChecked(w.x, w.screen.RootDepth, w.id, w.screen.Root, 0, 0, uint16(w.width), uint16(w.height), 0,
		xproto.WindowClassInputOutput, w.screen.RootVisual, xproto.CwBackPixel|xproto.CwEventMask,
		[]uint32{0, xproto.EventMaskExposure | xproto.EventMaskStructureNotify}).Check()
	if err != nil {
		return err
	}
	if err = xproto.CreateGCChecked(w.x, w.gc, xproto.Drawable(w.id), xproto.GcGraphicsExposures, []uint32{0}).Check(); err != nil {
		return err
	}
	if err = w.tell(title); err != nil {
		return err
	}
	return xproto.MapWindowChecked(w.x, w.id).Check()
}

// suitable refuses displays with other pixels than everybody's.
func (w *Window) suitable(setup *xproto.SetupInfo) error {
	s := w.screen
	for _, f := range setup.PixmapFormats {
		if f.Depth == s.RootDepth && f.BitsPerPixel != 32 {
			return fmt.Errorf("its pixels have %d bits, not 32", f.BitsPerPixel)
		}
	}
	if setup.ImageByteOrder != xproto.ImageOrderLSBFirst {
		return errors.New("its pixels begin with the most significant byte")
	}
	for _, d := range s.AllowedDepths {
		for _, v := range d.Visuals {
			if v.VisualId == s.RootVisual && (v.RedMask != 0xff0000 || v.GreenMask != 0xff00 || v.BlueMask != 0xff) {
				return fmt.Errorf("its colors are at %x, %x and %x", v.RedMask, v.GreenMask, v.BlueMask)
			}
		}
	}
	return nil
}

// tell tells the window manager the title, and that it is to ask before it
// closes the window.
func (w *Window) tell(title string) error {
	atoms := map[string]xproto.Atom{}
	for _, name := range []string{"WM_PROTOCOLS", "WM_DELETE_WINDOW", "_NET_WM_NAME", "UTF8_STRING"} {
		r, err := xproto.InternAtom(w.x, false, uint16(len(name)), name).Reply()
		if err != nil {
			return err
		}
		atoms[name] = r.Atom
	}
	w.bye = atoms["WM_DELETE_WINDOW"]
	protocols := make([]byte, 4)
	xgb.Put32(protocols, uint32(w.bye))
	set := func(name, kind xproto.Atom, format byte, value []byte) error {
		n := uint32(len(value)) / uint32(format/8)
		return xproto.ChangePropertyChecked(w.x, xproto.PropModeReplace, w.id, name, kind, format, n, value).Check()
	}
	return errors.Join(
		set(xproto.AtomWmName, xproto.AtomString, 8, []byte(title)),
		set(atoms["_NET_WM_NAME"], atoms["UTF8_STRING"], 8, []byte(title)),
		set(atoms["WM_PROTOCOLS"], xproto.AtomAtom, 32, protocols),
	)
}

// Open makes a place for pictures. There are at most 256.
func (w *Window) Open(title string) (play.Pane, error) {
	select {
	case <-w.stop:
		return nil, fmt.Errorf("window: %w", ErrClosed)
	case <-w.done:
		return nil, fmt.Errorf("window: %w", ErrClosed)
	default:
	}
	n, err := w.panes.add(title)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Done is closed when somebody has closed the window, the display is gone, or
// Close was called.
func (w *Window) Done() <-chan struct{} { return w.done }

// Close makes the window disappear. It is idempotent.
func (w *Window) Close() error {
	w.close.Do(func() { close(w.stop) })
	w.drawn.Wait() // it may be waiting for an answer
	w.x.Close()
	w.heard.Wait()
	return nil
}

func (w *Window) leaves() { w.leave.Do(func() { close(w.done) }) }

// listen reads what the display tells, until it tells no more.
func (w *Window) listen() {
	defer w.panes.end()
	defer w.leaves()
	for {
		ev, err := w.x.WaitForEvent()
		if ev == nil && err == nil {
			return
		}
		switch ev := ev.(type) {
		case xproto.ExposeEvent:
			w.change(0, 0)
		case xproto.ConfigureNotifyEvent:
			w.change(int(ev.Width), int(ev.Height))
		case xproto.ClientMessageEvent:
			if ev.Format == 32 && len(ev.Data.Data32) > 0 && xproto.Atom(ev.Data.Data32[0]) == w.bye {
				w.leaves()
			}
		case xproto.DestroyNotifyEvent:
			w.leaves()
		}
	}
}

// drain waits until the connection's goroutines have ended.
func (w *Window) drain() {
	for {
		if ev, err := w.x.WaitForEvent(); ev == nil && err == nil {
			return
		}
	}
}

// change takes note of the window's size, if it is told, and that all is to be
// drawn.
func (w *Window) change(width, height int) {
	w.mu.Lock()
	if width > 0 && height > 0 {
		if w.width == width && w.height == height {
			w.mu.Unlock()
			return // it was moved
		}
		w.width, w.height = min(width, maxSize), min(height, maxSize)
	}
	w.exposed = true
	w.mu.Unlock()
	w.panes.poke()
}

// draw draws what is new, until the window is closed.
func (w *Window) draw() {
	defer w.surface.free()
	for {
		select {
		case <-w.panes.ready:
		case <-w.stop:
			return
		case <-w.done:
			<-w.stop // nobody looks any more
			return
		}
		if err := w.paint(); err != nil {
			w.leaves()
		}
	}
}

// paint draws what is new once.
func (w *Window) paint() error {
	w.mu.Lock()
	width, height, all := w.width, w.height, w.exposed
	w.exposed = false
	w.mu.Unlock()
	if width != w.canvas.width || height != w.canvas.height {
		pix, err := w.surface.resize(w, width, height)
		if err != nil {
			return err
		}
		w.canvas, all = canvas{pix, width, height}, true
	}
	list, moved := w.panes.all()
	all = all || moved
	if all {
		clear(w.canvas.pix)
	}
	for i, n := range list {
		in := tile(i, len(list), width, height)
		if w.drawPane(n, in, all) && !all {
			if err := w.surface.put(w, in); err != nil {
				return err
			}
		}
	}
	if all {
		return w.surface.put(w, image.Rect(0, 0, width, height))
	}
	return nil
}

// drawPane draws the picture of a pane, if it is new or has to be. It reports
// whether it did.
func (w *Window) drawPane(n *pane, in image.Rectangle, again bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.fresh && !again || in.Empty() {
		return false
	}
	n.fresh = false
	if n.any {
		w.painter.draw(&w.canvas, &n.frame, in)
	}
	n.label.draw(&w.canvas, in)
	return true
}

// surface is the memory that a window is drawn in.
type surface struct {
	pix    []byte
	shared *segment // pix is known to the display; nil if it is not
}

// resize gives memory for a window of the size.
func (s *surface) resize(w *Window, width, height int) ([]byte, error) {
	s.free()
	size := 4 * width * height
	if w.local {
		if seg, err := share(w.x, size); err == nil {
			s.shared, s.pix = seg, seg.memory[:size]
			return s.pix, nil
		} // what is not shared is sent
		w.local = false
	}
	s.pix = make([]byte, size)
	return s.pix, nil
}

// maxRequest is how many bytes of a picture are sent at once: the least that
// every display takes is 256 KiB.
const maxRequest = 200 << 10

// put shows a part of the memory.
func (s *surface) put(w *Window, r image.Rectangle) error {
	if s.shared != nil {
		return s.shared.put(w, r)
	}
	rows := max(1, maxRequest/(4*r.Dx()))
	var strip []byte
	for y := r.Min.Y; y < r.Max.Y; y += rows {
		n := min(rows, r.Max.Y-y)
		strip = strip[:0]
		for i := range n {
			strip = append(strip, w.canvas.row(r.Min.X, y+i, r.Dx())...)
		}
		err := xproto.PutImageChecked(w.x, xproto.ImageFormatZPixmap, xproto.Drawable(w.id), w.gc,
			uint16(r.Dx()), uint16(n), int16(r.Min.X), int16(y), 0, w.screen.RootDepth, strip).Check()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *surface) free() {
	if s.shared != nil {
		s.shared.free()
	}
	s.shared, s.pix = nil, nil
}
