package v4l2

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"unsafe"
)

// Device is a camera.
type Device struct {
	// ID stays the same when the camera is plugged in again and when the
	// machine starts again: the name under /dev/v4l/by-id where there is
	// one, else the place it is plugged into, such as
	// "usb-0000:00:14.0-1/0".
	ID string
	// Label is what the camera calls itself. Cameras may share one.
	Label string
	// Path is its device file at present, such as "/dev/video0".
	Path string
	// Driver is the kernel's driver.
	Driver string
	// Formats is all that it gives, in the driver's order.
	Formats []FormatInfo

	bus      string // ID without by-id
	byID     bool
	mplane   bool
	pipeline bool // needs more set up than itself
}

func (d Device) String() string {
	return fmt.Sprintf("%q (%s, %s)", d.Label, d.ID, d.Path)
}

// Devices lists the cameras that this program may open, in the order of their
// device files. Files that give no pictures, such as those for metadata, are
// left out. Without any camera the list is empty. When there are device files
// and none may be opened, it is an [ErrPermission].
func Devices() ([]Device, error) { return devices(system()) }

// host is what the machine knows of its cameras.
type host interface {
	// nodes returns the paths of all video device files in order.
	nodes() ([]string, error)
	// byID returns the stable names of device files by path.
	byID() map[string]string
	// index is the number of a device file among those of its device.
	index(path string) int
	// resolve follows symbolic links.
	resolve(path string) (string, error)
	// users tells which programs have a device file open, where it can.
	users(path string) string
	open(path string) (node, error)
}

// node is an open device file.
type node interface {
	ioctl(req uint32, arg unsafe.Pointer) error
	mmap(offset int64, length int) ([]byte, error)
	munmap(b []byte) error
	fd() int
	close() error
}

func devices(h host) ([]Device, error) {
	paths, err := h.nodes()
	if err != nil {
		return nil, errorOf("list", "", err)
	}
	links := h.byID()
	var found []Device
	var refused error
	for _, path := range paths {
		d, err := inspect(h, path, links, true)
		switch {
		case err == nil:
			found = append(found, d)
		case errors.Is(err, ErrPermission):
			refused = err
		}
		// Others are gone by now or give no pictures.
	}
	if len(found) == 0 && refused != nil {
		return nil, refused
	}
	return found, nil
}

var errNoCapture = errors.New("gives no pictures")

// inspect asks a device file who it is, and what it gives where that is wanted.
func inspect(h host, path string, links map[string]string, formats bool) (Device, error) {
	n, err := h.open(path)
	if err != nil {
		return Device{}, errorOf("open", path, err)
	}
	defer func() { _ = n.close() }() // it was only asked
	d, err := identify(h, n, path, links)
	if err == nil && formats {
		d.Formats = enumerate(n, d.bufType())
	}
	return d, err
}

func identify(h host, n node, path string, links map[string]string) (Device, error) {
	var c capability
	if err := n.ioctl(vidiocQueryCap, unsafe.Pointer(&c)); err != nil {
		if errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.EINVAL) {
			err = errNoCapture
		}
		return Device{}, errorOf("open", path, err)
	}
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	d := Device{
		Path:     path,
		Label:    text(c.card[:]),
		Driver:   text(c.driver[:]),
		mplane:   caps&capVideoCapture == 0,
		pipeline: caps&capMediaController != 0,
	}
	d.bus = fmt.Sprintf("%s/%d", text(c.busInfo[:]), h.index(path))
	d.ID, d.byID = links[path]
	if !d.byID {
		d.ID = d.bus
	}
	if caps&(capVideoCapture|capVideoCaptureMplane) == 0 || caps&(capVideoM2M|capVideoM2MMplane) != 0 ||
		caps&capStreaming == 0 {
		return d, errorOf("open", path, errNoCapture)
	}
	return d, nil
}

func (d *Device) bufType() uint32 {
	if d.mplane {
		return bufTypeCaptureMplane
	}
	return bufTypeCapture
}

func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(b), "?"))
}

// present lists the cameras without what they give. refused is what kept one
// from being asked.
func present(h host) (all []Device, refused, err error) {
	paths, err := h.nodes()
	if err != nil {
		return nil, nil, errorOf("find", "", err)
	}
	links := h.byID()
	for _, path := range paths {
		d, err := inspect(h, path, links, false)
		switch {
		case err == nil:
			all = append(all, d)
		case !errors.Is(err, errNoCapture):
			refused = err
		}
	}
	return all, refused, nil
}

// find returns the camera that name means: an id, a path, a label, or the
// first one for "".
func find(h host, name string) (Device, error) {
	if strings.HasPrefix(name, "/") {
		return findPath(h, name)
	}
	for path, link := range h.byID() {
		if link == name {
			return findPath(h, path)
		}
	}
	all, refused, err := present(h)
	if err != nil {
		return Device{}, err
	}
	for _, is := range []func(Device) bool{
		func(d Device) bool { return d.ID == name || name == "" && !d.pipeline },
		func(Device) bool { return name == "" },
		func(d Device) bool { return d.bus == name },
		func(d Device) bool { return d.Label == name },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], nil
		}
	}
	if len(all) == 0 && refused != nil {
		return Device{}, refused
	}
	return Device{}, &Error{Op: "find", Device: name, Err: ErrNotFound, Cause: refused, Devices: all}
}

func findPath(h host, name string) (Device, error) {
	path, err := h.resolve(name)
	if err == nil {
		var d Device
		if d, err = inspect(h, path, h.byID(), false); err == nil {
			return d, nil
		}
	}
	e := errorOf("open", name, err)
	e.Device = name
	if errors.Is(e, errNoCapture) || errors.Is(e, ErrNotFound) {
		e.Err = ErrNotFound
		e.Devices, _, _ = present(h) // only to be helpful
	}
	return Device{}, e
}

// isAgain reports whether d is the camera that was, plugged in again.
func (d *Device) isAgain(was *Device) bool {
	if d.ID == was.ID {
		return true
	}
	// The link under by-id comes a moment after the device file, or not at
	// all where links are not kept up to date.
	return !d.byID && d.bus == was.bus && d.Label == was.Label
}
