// Package picture is what the video codecs share around their libraries: the
// check of pictures, their clock, and when a key frame is due.
package picture

import (
	"fmt"
	"runtime"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// MaxPixels bounds the pictures that decoders take memory for.
const MaxPixels = 4096 * 4096

// Check returns an error that is codec.ErrFrame unless f is an I420 picture
// whose planes hold what its size and strides say: C code reads them.
func Check(f *media.VideoFrame) error {
	if f == nil {
		return fmt.Errorf("%w: no picture", codec.ErrFrame)
	}
	if f.Format != media.I420 {
		return fmt.Errorf("%w: a picture in %q, want I420", codec.ErrFrame, f.Format)
	}
	if min(f.Width, f.Height) < codec.MinSide || max(f.Width, f.Height) > codec.MaxSide {
		return fmt.Errorf("%w: a picture of %dx%d, want sides of %d to %d", codec.ErrFrame, f.Width, f.Height, codec.MinSide, codec.MaxSide)
	}
	if err := f.Validate(); err != nil {
		return fmt.Errorf("%w: %w", codec.ErrFrame, err)
	}
	return nil
}

// Plane returns the size of plane i of an I420 picture.
func Plane(width, height, i int) (w, h int) {
	if i == 0 {
		return width, height
	}
	return (width + 1) / 2, (height + 1) / 2
}

// Copy copies the rows of one plane.
func Copy(dst []byte, dstStride int, src []byte, srcStride, width, height int) {
	for row := range height {
		copy(dst[row*dstStride:][:width], src[row*srcStride:][:width])
	}
}

// Threads returns how many threads to encode pictures of the size with, by
// default no more than half the processors: those of libvpx wait for each other
// in loops, and on a busy machine most of their time goes there.
func Threads(wanted, width, height int) int {
	if wanted > 0 {
		return wanted
	}
	n := 1
	switch pixels := width * height; {
	case pixels >= 1920*1080:
		n = 4
	case pixels >= 1280*720:
		n = 2
	}
	return max(1, min(n, runtime.GOMAXPROCS(0)/2))
}

// Gate keeps a decoder from samples whose references are missing. The zero
// value waits for a key frame.
type Gate struct{ open bool }

// Admit reports whether a sample can be decoded. It fails when the sample is
// the first of which something was lost before.
func (g *Gate) Admit(keyframe bool, lost int) (bool, error) {
	switch {
	case keyframe:
		g.open = true
	case g.open && lost > 0:
		g.open = false
		return false, codec.ErrLost
	}
	return g.open, nil
}

// Shut waits for the next key frame.
func (g *Gate) Shut() { g.open = false }
