// Package x264 encodes H.264 with libx264, set up for live pictures:
// constrained baseline, a constant bitrate, no delay.
//
// It is there in programs built with cgo and the tags "codecs" and "x264",
// which take the Debian package libx264-dev. In others NewEncoder returns
// codec.ErrUnavailable. libx264 is under the GPL: a program that links it can
// only be passed on under the GPL, unless its maker has bought a license.
package x264

import (
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// Available is true in programs that have the encoder.
const Available = available

// NewEncoder returns an encoder of H.264, constrained baseline: an access unit
// in Annex B form for each picture, with parameter sets in front of each key
// frame.
//
// Speed 1 to 8 are the presets from slower to ultrafast, of which veryfast, 6,
// is the default; more is ultrafast too. With more than one thread there is
// one slice for each. Of pictures with odd sides the last column or row is
// left out. The VBV holds 600 ms. DropFrames has no effect.
//
// Encoding takes no memory of Go's once the buffer of the sample has grown.
func NewEncoder(o codec.VideoOptions) (media.VideoEncoder, error) { return newEncoder(o) }
