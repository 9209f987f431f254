//go:build !(linux || freebsd || openbsd || netbsd || dragonfly || darwin)

package window

import (
	"errors"
	"fmt"

	"github.com/parley-rtc/parley/media/play"
)

// Window is a window on a display, which this system has none of.
type Window struct{ done chan struct{} }

// Open fails with ErrDisplay and errors.ErrUnsupported.
func Open(*Options) (*Window, error) {
	return nil, fmt.Errorf("window: %w: windows are for systems with X: %w", ErrDisplay, errors.ErrUnsupported)
}

// Open fails.
func (w *Window) Open(string) (play.Pane, error) { return nil, errors.ErrUnsupported }

// Done returns nil.
func (w *Window) Done() <-chan struct{} { return w.done }

// Close does nothing.
func (w *Window) Close() error { return nil }
