package device

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// What can be wrong with a device. Errors of this package are [*Error] and
// match one of these with [errors.Is], or codec.ErrUnavailable where this build
// or system cannot do it, or media.ErrClosed, or the error of a context.
var (
	// ErrNotFound says that there is no such device.
	ErrNotFound = errors.New("no such device")
	// ErrBusy says that another program has the device.
	ErrBusy = errors.New("device is in use")
	// ErrPermission says that this program may not use the device.
	ErrPermission = errors.New("no permission to use the device")
	// ErrUnsatisfiable says that the device does not do what was asked of it.
	ErrUnsatisfiable = errors.New("device cannot do that")
	// ErrUnplugged says that the device is gone.
	ErrUnplugged = errors.New("device was unplugged")
	// ErrBroken says that the device, its driver or the library between fails.
	ErrBroken = errors.New("device does not work")
)

// Error tells what went wrong with which device, and what there is instead.
type Error struct {
	// Kind is media.Audio for a microphone, media.Video for a camera.
	Kind media.Kind
	// Device is what the program named, or the label of the device; empty for
	// the default one.
	Device string
	// Err is one of the errors of this package.
	Err error
	// Cause says more. It may be nil.
	Cause error
	// Devices are those that there are, with [ErrNotFound].
	Devices []Device
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("device: ")
	b.WriteString(noun(e.Kind))
	if e.Device != "" {
		fmt.Fprintf(&b, " %q", e.Device)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	if errors.Is(e.Err, ErrNotFound) {
		if len(e.Devices) == 0 {
			b.WriteString("; there is none")
		}
		for i, d := range e.Devices {
			b.WriteString([]string{"; there are ", ", "}[min(i, 1)])
			b.WriteString(d.String())
		}
	}
	return b.String()
}

// Unwrap returns Err and Cause.
func (e *Error) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Err, e.Cause}, func(err error) bool { return err == nil })
}

func noun(k media.Kind) string {
	if k == media.Audio {
		return "microphone"
	}
	return "camera"
}

// guarded calls f, which calls into a library that is known to panic, and makes
// an error of it.
func guarded(kind media.Kind, device string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(kind, device, p)
		}
	}()
	return f()
}

func panicked(kind media.Kind, device string, p any) error {
	return &Error{Kind: kind, Device: device, Err: ErrBroken, Cause: fmt.Errorf("panic: %v", p)}
}

// unavailable reports whether it is this build or system that lacks something.
func unavailable(err error) bool { return errors.Is(err, codec.ErrUnavailable) }
