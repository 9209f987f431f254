//go:build cgo && codecs

package opus

/*
#include <opus/opus.h>
*/
import "C"

import (
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/sound"
)

type decoder struct {
	rate, channels int

	mu  sync.Mutex     // held while the library works
	c   *C.OpusDecoder // nil when closed
	end time.Duration  // of the sound so far
}

func newDecoder(rate, channels int) (media.AudioDecoder, error) {
	var code C.int
	c := C.opus_decoder_create(C.opus_int32(rate), C.int(channels), &code)
	if code != C.OPUS_OK {
		return nil, name(failure(code))
	}
	return &decoder{rate: rate, channels: channels, c: c}, nil
}

func (d *decoder) Codec() media.Codec { return media.Opus }

func (d *decoder) Decode(s media.Sample, f *media.AudioFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c == nil {
		return name(media.ErrClosed)
	}
	length, err := bitstream.OpusDuration(s.Data)
	if err != nil {
		return name(fmt.Errorf("%w: %w", codec.ErrBitstream, err))
	}
	sound.Fit(f, d.rate, d.channels, sound.Samples(length, d.rate))
	if err := d.decode(s.Data, f.Samples, false); err != nil {
		return name(err)
	}
	f.Timestamp, f.Captured = s.Timestamp, s.Captured
	d.end = s.Timestamp + f.Duration()
	return nil
}

// decode fills samples. Without a packet they are guessed; with fec they are
// what was lost before the packet.
func (d *decoder) decode(packet []byte, samples []int16, fec bool) error {
	n := C.opus_decode(d.c, (*C.uchar)(unsafe.SliceData(packet)), C.opus_int32(len(packet)),
		(*C.opus_int16)(unsafe.SliceData(samples)), C.int(len(samples)/d.channels), flag(fec))
	switch {
	case n < 0:
		return fmt.Errorf("%w: %w", codec.ErrBitstream, failure(n))
	case int(n)*d.channels != len(samples):
		return fmt.Errorf("%w: %d samples, want %d", codec.ErrBitstream, n, len(samples)/d.channels)
	}
	return nil
}

func (d *decoder) Conceal(next media.Sample, length time.Duration, f *media.AudioFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c == nil {
		return name(media.ErrClosed)
	}
	const unit = 2500 * time.Microsecond // of Opus
	if err := sound.Gap(f, d.rate, d.channels, next, (length + unit/2).Truncate(unit), d.end); err != nil {
		return name(err)
	}
	// The library takes 120 ms at a time, and is silent after a second.
	most := sound.Samples(120*time.Millisecond, d.rate) * d.channels
	rest := f.Samples
	for guessed := 0; len(rest) > most; guessed += most {
		if guessed < most*8 {
			if err := d.decode(nil, rest[:most], false); err != nil {
				return name(err)
			}
		} else {
			clear(rest[:most])
		}
		rest = rest[most:]
	}
	if len(rest) > 0 {
		if err := d.decode(next.Data, rest, len(next.Data) > 0); err != nil {
			return name(err)
		}
	}
	d.end = f.Timestamp + f.Duration()
	return nil
}

func (d *decoder) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c != nil {
		C.opus_decoder_destroy(d.c)
		d.c = nil
	}
	return nil
}
