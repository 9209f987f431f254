// Package opus encodes and decodes Opus. The encoder is libopus, in programs
// built with cgo and the tag "codecs", which takes the Debian package
// libopus-dev. The decoder is libopus there and written in Go elsewhere.
package opus

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// NewEncoder returns an encoder of Opus; codec.ErrUnavailable in programs
// without libopus. One channel is encoded as speech, and so are two with FEC
// or DTX; two channels without them as music.
//
// With DTX the first sample of silence is a packet of one or two bytes. Those
// after it have no data and are not to be sent, but for a short one every 400
// ms: the gaps in the timestamps tell the other side.
//
// Encoding takes no memory of Go's.
func NewEncoder(o codec.AudioOptions) (media.AudioEncoder, error) { return newEncoder(o) }

// NewDecoder returns a decoder that gives sound of the rate and channels,
// whatever those of the stream are: 8000, 12 000, 16 000, 24 000 or 48 000 Hz,
// one or two. Zeros stand for 48 000 Hz and two channels.
//
// With libopus, Conceal takes what was lost out of the next packet if that has
// it, and else guesses as Opus says. Without libopus it repeats the sound
// before, fading out.
func NewDecoder(rate, channels int) (media.AudioDecoder, error) {
	if rate == 0 {
		rate = 48000
	}
	if channels == 0 {
		channels = 2
	}
	if err := codec.CheckAudioFormat(rate, channels); err != nil {
		return nil, name(err)
	}
	return newDecoder(rate, channels)
}

// name puts the package before an error that leaves it.
func name(err error) error { return fmt.Errorf("opus: %w", err) }
