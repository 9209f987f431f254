// Package bitstream reads the headers of encoded media: whether a frame is a
// key frame, how large its picture is, how long an audio packet lasts. It
// decodes nothing and needs no decoder.
//
// The Parse functions take whole frames, in the form in which a media.Sample
// carries them. Input is treated as hostile: no function panics, none reads
// past its input, and none allocates by a size that the input claims.
package bitstream

import "errors"

// The errors of all parsers, wrapped with the codec and the field.
var (
	// ErrTruncated says that the data ends before the header does.
	ErrTruncated = errors.New("truncated")
	// ErrInvalid says that the data cannot be of the codec.
	ErrInvalid = errors.New("invalid")
)

// Picture is what the header of a frame tells.
type Picture struct {
	// Keyframe is true when a decoder can start with the frame.
	Keyframe bool
	// Width and Height are in pixels, cropping applied, upscaling not. They
	// are zero where the frame does not tell, as most frames that depend on
	// others do not.
	Width, Height int
}
