// Package openh264 encodes and decodes H.264 with OpenH264, set up for live
// pictures: constrained baseline, a constant bitrate, no delay.
//
// It is there in programs built with cgo and the tag "codecs", which takes the
// Debian package libopenh264-dev. In others the constructors return
// codec.ErrUnavailable. The patent license that Cisco pays for covers the
// binaries that Cisco distributes, not those of Debian.
package openh264

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// NewEncoder returns an encoder of H.264, constrained baseline: an access unit
// in Annex B form for each picture, with parameter sets in front of each key
// frame.
//
// Speed 1 to 3 is OpenH264's high complexity, 4 to 6 medium, and the rest, and
// the default, low. With more than one thread there is one slice for each. Of
// pictures with odd sides the last column or row is left out. Rate control
// follows the timestamps of the pictures; DropFrames is OpenH264's frame
// skipping.
//
// Encoding takes no memory of Go's once the buffer of the sample has grown.
func NewEncoder(o codec.VideoOptions) (media.VideoEncoder, error) { return newEncoder(o) }

// NewDecoder returns a decoder of H.264 in Annex B form: baseline, main and
// high profile in 4:2:0 with 8 bits, progressive. Each sample is an access
// unit. Pictures of streams with B frames come when their turn is. Damaged
// pictures are not shown but give codec.ErrBitstream. Pictures of more than 16
// million pixels are refused.
func NewDecoder() (media.VideoDecoder, error) { return newDecoder() }

// name puts the package before an error that leaves it.
func name(err error) error { return fmt.Errorf("openh264: %w", err) }
