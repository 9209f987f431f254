// Package window shows a player's pictures in a window of the X Window System.
// It needs no cgo:
//
//	w, err := window.Open(&window.Options{Title: "lab"})
//	…
//	player, err := play.New(&play.Options{Screen: w})
//	…
//	<-w.Done() // somebody closed it
//	player.Close()
//
// Each track has a place of its own in a grid, with the participant's name in
// its corner. Pictures keep their shape and fill their place as far as it lets
// them; the window may be resized.
package window

import (
	"errors"
	"fmt"

	"github.com/parley-rtc/parley/media/play"
)

// The errors of a window, wrapped with what is wrong.
var (
	// ErrDisplay says that there is no display, or none that this package can
	// draw on.
	ErrDisplay = errors.New("no usable display")
	// ErrClosed says that the window is closed, or its display gone.
	ErrClosed = play.ErrClosed
)

// maxSize bounds the sides of a window; that of X itself is hardly larger.
const maxSize = 16384

// Options are the options of a window. The zero value is good.
type Options struct {
	// Display is where the window appears, as in host:display.screen; by
	// default what $DISPLAY says.
	Display string
	// Title is in the window's frame.
	Title string
	// Width and Height are the window's size in pixels at first, 960 by 540.
	Width, Height int
}

func (o *Options) fill() error {
	if o.Width == 0 && o.Height == 0 {
		o.Width, o.Height = 960, 540
	}
	if o.Width < 1 || o.Width > maxSize || o.Height < 1 || o.Height > maxSize {
		return fmt.Errorf("window: %w: %d by %d pixels, not within 1 and %d", play.ErrOption, o.Width, o.Height, maxSize)
	}
	if o.Title == "" {
		o.Title = "parley"
	}
	return nil
}
