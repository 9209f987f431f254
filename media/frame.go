package media

import (
	"errors"
	"fmt"
)

// The largest pictures: beyond any camera, and small enough that a wrong size
// does not take all memory.
const (
	maxSide   = 16384
	maxPixels = 8192 * 8192
	maxStride = 1 << 20
)

// FrameError says why a picture or a piece of sound cannot be used.
type FrameError struct {
	// What was looked at, such as "YUYV picture of 640x480".
	Frame string
	// Err tells what is wrong: [ErrFormat], [ErrSize], [ErrPlane],
	// [ErrPicture] or [ErrTimestamp], wrapped with the details.
	Err error
}

func (e *FrameError) Error() string { return fmt.Sprintf("media: %s: %v", e.Frame, e.Err) }

// Unwrap returns Err.
func (e *FrameError) Unwrap() error { return e.Err }

// What can be wrong with a picture or a piece of sound.
var (
	ErrFormat  = errors.New("unknown format")
	ErrSize    = errors.New("impossible size")
	ErrPlane   = errors.New("plane does not fit the size")
	ErrPicture = errors.New("broken picture")
)

// plane returns how many bytes a row of plane i has that belong to the picture,
// and how many rows there are. Planes that a format does not have are 0x0.
func (p PixelFormat) plane(i, width, height int) (row, rows int) {
	halfWidth, halfHeight := (width+1)/2, (height+1)/2
	switch {
	case p == I420 && i > 0:
		return halfWidth, halfHeight
	case (p == NV12 || p == NV21) && i == 1:
		return 2 * halfWidth, halfHeight
	case i > 0 && (p != NV12 && p != NV21 || i > 1):
		return 0, 0
	case p == YUYV || p == UYVY:
		return 4 * halfWidth, height
	case p == BGRA || p == RGBA:
		return 4 * width, height
	case p == MJPEG:
		return 0, 0
	}
	return width, height
}

// known reports whether the format is one of the constants.
func (p PixelFormat) known() bool {
	switch p {
	case I420, NV12, NV21, YUYV, UYVY, BGRA, RGBA, Gray, MJPEG:
		return true
	}
	return false
}

// Reset makes f a picture of the format and size, in the memory that it has if
// that is enough: its planes follow each other without gaps, and their content
// means nothing yet. Timestamp and Captured stay. An [MJPEG] picture gets an
// empty plane to append to.
//
// With an unknown format or an impossible size it does nothing but return a
// [*FrameError].
func (f *VideoFrame) Reset(format PixelFormat, width, height int) error {
	if err := checkSize(format, width, height); err != nil {
		return err
	}
	total := 0
	for i := range f.Planes {
		row, rows := format.plane(i, width, height)
		total += row * rows
	}
	// All planes lie in the memory of the first, so that none can reach into
	// another when they grow.
	memory := f.Planes[0][:cap(f.Planes[0])]
	if len(memory) < total {
		memory = make([]byte, total)
	}
	f.Format, f.Width, f.Height = format, width, height
	for i, at := 0, 0; i < len(f.Planes); i++ {
		row, rows := format.plane(i, width, height)
		f.Strides[i] = row
		f.Planes[i] = nil
		if i == 0 || rows > 0 {
			f.Planes[i] = memory[at : at+row*rows]
		}
		at += row * rows
	}
	return nil
}

func checkSize(format PixelFormat, width, height int) error {
	var err error
	switch {
	case !format.known():
		err = ErrFormat
	case format == MJPEG && width == 0 && height == 0: // it tells itself
		return nil
	case width <= 0 || height <= 0 || width > maxSide || height > maxSide || width*height > maxPixels:
		err = ErrSize
	default:
		return nil
	}
	return &FrameError{Frame: fmt.Sprintf("%q picture of %dx%d", format, width, height), Err: err}
}

// Validate returns a [*FrameError] unless the planes of f hold what its format,
// size and strides say. The data of an [MJPEG] picture, whose size may be zero
// for unknown, is not looked at.
func (f *VideoFrame) Validate() error {
	if err := checkSize(f.Format, f.Width, f.Height); err != nil {
		return err
	}
	if f.Format == MJPEG {
		if len(f.Planes[0]) == 0 {
			return f.failed(fmt.Errorf("%w: no data", ErrPlane))
		}
		return nil
	}
	for i := range f.Planes {
		row, rows := f.Format.plane(i, f.Width, f.Height)
		if rows == 0 {
			break
		}
		stride, have := f.Strides[i], len(f.Planes[i])
		if stride < row || stride > maxStride || int64(have) < int64(stride)*int64(rows-1)+int64(row) {
			return f.failed(fmt.Errorf("%w: plane %d has %d bytes with a stride of %d", ErrPlane, i, have, stride))
		}
	}
	return nil
}

func (f *VideoFrame) failed(err error) error {
	return &FrameError{Frame: fmt.Sprintf("%s picture of %dx%d", f.Format, f.Width, f.Height), Err: err}
}

// CopyFrom makes f a copy of src, with its timestamps, that shares no memory
// with it. The memory of f is used again; padding between rows is left out. A
// malformed src gives a [*FrameError].
func (f *VideoFrame) CopyFrom(src *VideoFrame) error {
	if f == src {
		return src.Validate()
	}
	if err := src.Validate(); err != nil {
		return err
	}
	if err := f.Reset(src.Format, src.Width, src.Height); err != nil {
		return err
	}
	f.Timestamp, f.Captured = src.Timestamp, src.Captured
	if src.Format == MJPEG {
		f.Planes[0] = append(f.Planes[0], src.Planes[0]...)
		return nil
	}
	for i := range src.Planes {
		row, rows := src.Format.plane(i, src.Width, src.Height)
		copyRows(f.Planes[i], row, src.Planes[i], src.Strides[i], row, rows)
	}
	return nil
}

// copyRows copies rows of so many bytes. Both sides have to hold them.
func copyRows(dst []byte, dstStride int, src []byte, srcStride, row, rows int) {
	if rows == 0 {
		return
	}
	if dstStride == row && srcStride == row {
		copy(dst[:row*rows], src[:row*rows])
		return
	}
	for y := range rows {
		copy(dst[y*dstStride:][:row], src[y*srcStride:][:row])
	}
}
