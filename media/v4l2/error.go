package v4l2

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// What can be wrong with a camera. Errors of this package are [*Error] and
// match one of these with [errors.Is].
var (
	// ErrNotFound says that no camera has the id, label or path.
	ErrNotFound = errors.New("no such camera")
	// ErrBusy says that another program uses the camera.
	ErrBusy = errors.New("camera is in use")
	// ErrPermission says that this program may not use the camera.
	ErrPermission = errors.New("no permission to use the camera")
	// ErrUnsatisfiable says that the camera cannot do what was asked of it.
	ErrUnsatisfiable = errors.New("camera cannot do that")
	// ErrUnplugged says that the camera is gone.
	ErrUnplugged = errors.New("camera was unplugged")
	// ErrStalled says that the camera gave no picture for as long as
	// [Options.StallTimeout]. It may go on later.
	ErrStalled = errors.New("camera gives no pictures")
	// ErrBroken says that the camera fails, or that its driver tells what
	// cannot be.
	ErrBroken = errors.New("camera does not work")
	// ErrUnsupported says that this system has no V4L2.
	ErrUnsupported = errors.New("cameras are read on Linux only")
)

// Error tells what went wrong with which camera.
type Error struct {
	// Op is what was being done.
	Op string
	// Device is what the caller named, or the camera's path.
	Device string
	// Err is one of the errors of this package.
	Err error
	// Cause is what the system said, such as [syscall.EBUSY]. May be nil.
	Cause error
	// Detail says more about it, for people.
	Detail string
	// Devices are the cameras that exist, with [ErrNotFound].
	Devices []Device
	// Formats are what the camera has, with [ErrUnsatisfiable].
	Formats []FormatInfo
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("v4l2: ")
	b.WriteString(e.Op)
	if e.Device != "" {
		fmt.Fprintf(&b, " %q", e.Device)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	switch {
	case len(e.Formats) > 0:
		b.WriteString("; it has " + list(e.Formats, "; "))
	case len(e.Devices) > 0:
		b.WriteString("; there are " + list(e.Devices, ", "))
	case errors.Is(e.Err, ErrNotFound):
		b.WriteString("; there are none")
	}
	return b.String()
}

// Unwrap returns Err and Cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

// maxListed bounds how much of what exists an error spells out.
const maxListed = 24

func list[T fmt.Stringer](items []T, separator string) string {
	var out []string
	for _, item := range items[:min(len(items), maxListed)] {
		out = append(out, item.String())
	}
	if more := len(items) - maxListed; more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return strings.Join(out, separator)
}

// errorOf makes an Error of what the system said.
func errorOf(op, device string, cause error) *Error {
	var own *Error
	if errors.As(cause, &own) {
		return own
	}
	e := &Error{Op: op, Device: device, Cause: cause, Err: ErrBroken}
	var errno syscall.Errno
	if !errors.As(cause, &errno) {
		return e
	}
	switch errno {
	case syscall.EBUSY:
		e.Err = ErrBusy
	case syscall.EACCES, syscall.EPERM:
		e.Err = ErrPermission
		e.Detail = "a user of the group that owns the device may, often named video"
	case syscall.ENODEV, syscall.ENXIO, syscall.ESHUTDOWN:
		e.Err = ErrUnplugged
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR:
		e.Err = ErrNotFound
	}
	return e
}

func broken(op, device, format string, args ...any) *Error {
	return &Error{Op: op, Device: device, Err: ErrBroken, Detail: fmt.Sprintf(format, args...)}
}
