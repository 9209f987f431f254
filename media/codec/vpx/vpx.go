// Package vpx encodes and decodes VP8 and VP9 with libvpx, set up for live
// pictures: a constant bitrate, no delay, and a stream that survives losses.
//
// It is there in programs built with cgo and the tag "codecs", which takes the
// Debian package libvpx-dev. In others the constructors return
// codec.ErrUnavailable.
package vpx

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// NewEncoder returns an encoder of VP8.
//
// Speed is libvpx's cpu-used, kept whatever the load of the machine is. The
// default is 6; 8 takes a fifth less time, and the pictures after a key frame
// show it; weak processors want up to 12. Pictures may have odd sides. A key
// frame takes the bits of 200 ms, or of three pictures, and the encoder makes
// none of its own choice.
//
// Encoding takes no memory of Go's once the buffer of the sample has grown.
func NewEncoder(o codec.VideoOptions) (media.VideoEncoder, error) {
	return newEncoder(media.VP8, o)
}

// NewVP9Encoder returns an encoder of VP9, profile 0, which takes more than twice
// the time of [NewEncoder]. Speed is 5 to 9 there, 8 by default.
func NewVP9Encoder(o codec.VideoOptions) (media.VideoEncoder, error) {
	return newEncoder(media.VP9, o)
}

// NewDecoder returns a decoder of VP8. Pictures of more than 16 million pixels
// are refused.
func NewDecoder() (media.VideoDecoder, error) { return newDecoder(media.VP8) }

// NewVP9Decoder returns a decoder of VP9, profile 0.
func NewVP9Decoder() (media.VideoDecoder, error) { return newDecoder(media.VP9) }

// name puts the package before an error that leaves it.
func name(err error) error { return fmt.Errorf("vpx: %w", err) }
