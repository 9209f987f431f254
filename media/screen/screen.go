// Package screen captures an X11 display, a part of it or one window, as
// pictures. It speaks the X protocol itself: no cgo, no library.
//
//	r, err := screen.Open(ctx, &screen.Options{FrameRate: 15})
//	if err != nil {
//		return err
//	}
//	src := media.NewVideoSource(r, encoder, nil)
//
// Pictures of a server on the same machine come through shared memory
// (MIT-SHM), others over the connection. A Wayland session shows its X server
// nothing but X windows: capturing the whole of it is refused, and so is any
// system that has no X11.
package screen

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/parley-rtc/parley/media"
)

// What can be wrong with a display. Errors of this package wrap one of them,
// or media.ErrClosed, or the error of a context.
var (
	// ErrUnavailable says that this system has no X11.
	ErrUnavailable = errors.New("screen capture is for X11 displays only")
	// ErrDisplay says that there is no such display, or that it does not let
	// us in.
	ErrDisplay = errors.New("cannot open the display")
	// ErrNotFound says that the display has no such screen or window, or that
	// the region lies outside.
	ErrNotFound = errors.New("not on the display")
	// ErrFormat says that the display has pixels that are not understood.
	ErrFormat = errors.New("pixels not understood")
	// ErrGone says that the display, or the window, is no more.
	ErrGone = errors.New("gone")
)

// DefaultFrameRate is how many pictures a second are taken unless told.
const DefaultFrameRate = 15

const maxFrameRate = 240

// Options say what to capture. The zero value is the whole first screen of the
// display that the environment names.
type Options struct {
	// Display is the display, such as ":0", ":0.1" (its second screen) or
	// "host:0". Empty is $DISPLAY.
	Display string
	// Window is the id of a window to capture instead of the screen. What
	// covers the window is in the picture. While it is not shown, or has moved
	// off the screen, there are no pictures.
	Window uint32
	// Region is the part to capture, from the upper left corner of the screen
	// or window; empty is all of it. It is cut to what there is.
	Region image.Rectangle
	// FrameRate is how many pictures to take a second, at most 240. The
	// default is 15.
	FrameRate float64
	// NoCursor leaves the mouse pointer out of the picture.
	NoCursor bool
	// NoSharedMemory makes pictures come over the connection.
	NoSharedMemory bool
}

// Open begins to capture. opts may be nil. ctx bounds the opening only.
//
// The reader gives BGRA pictures whose fourth byte means nothing, at the pace
// of Options.FrameRate. Their size follows that of the screen or window. A
// display that goes away ends it with an error that wraps [ErrGone].
func Open(ctx context.Context, opts *Options) (media.VideoReader, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.FrameRate == 0 {
		o.FrameRate = DefaultFrameRate
	}
	if !(o.FrameRate > 0 && o.FrameRate <= maxFrameRate) {
		return nil, fmt.Errorf("screen: frame rate %v is not in 0 … %v", o.FrameRate, float64(maxFrameRate))
	}
	o.Region = o.Region.Canon()
	if o.Region.Min.X < 0 || o.Region.Min.Y < 0 || o.Region.Max.X > 1<<15-1 || o.Region.Max.Y > 1<<15-1 {
		return nil, fmt.Errorf("screen: region %v: %w", o.Region, ErrNotFound)
	}
	r, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("screen: %w", err)
	}
	return r, nil
}
