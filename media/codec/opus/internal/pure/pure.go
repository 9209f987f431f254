// Package pure decodes Opus without C.
package pure

import (
	"fmt"
	"sync"
	"time"

	pion "github.com/pion/opus"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/sound"
)

type decoder struct {
	rate, channels int

	mu     sync.Mutex
	closed bool
	pion   pion.Decoder
	guess  sound.Concealer
	end    time.Duration // of the sound so far
}

// NewDecoder returns a decoder that gives sound of the rate and channels.
func NewDecoder(rate, channels int) (media.AudioDecoder, error) {
	d := &decoder{rate: rate, channels: channels, guess: sound.Concealer{Rate: rate, Channels: channels}}
	if err := d.reset(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *decoder) reset() error {
	var err error
	if d.pion, err = pion.NewDecoderWithOutput(d.rate, d.channels); err != nil {
		return name(err)
	}
	return nil
}

func name(err error) error { return fmt.Errorf("opus: %w", err) }

func (d *decoder) Codec() media.Codec { return media.Opus }

func (d *decoder) Decode(s media.Sample, f *media.AudioFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return name(media.ErrClosed)
	}
	length, err := bitstream.OpusDuration(s.Data)
	if err != nil {
		return name(fmt.Errorf("%w: %w", codec.ErrBitstream, err))
	}
	sound.Fit(f, d.rate, d.channels, sound.Samples(length, d.rate))
	n, err := d.decode(s.Data, f.Samples)
	if err != nil {
		return name(fmt.Errorf("%w: %w", codec.ErrBitstream, err))
	}
	f.Samples = f.Samples[:n*d.channels]
	d.guess.Heard(f.Samples)
	f.Timestamp, f.Captured = s.Timestamp, s.Captured
	d.end = s.Timestamp + f.Duration()
	return nil
}

// decode stops panics: the packets come from the network.
func (d *decoder) decode(packet []byte, samples []int16) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder: %v", p)
			if again := d.reset(); again != nil {
				err = again
			}
		}
	}()
	return d.pion.DecodeToInt16(packet, samples)
}

func (d *decoder) Conceal(next media.Sample, length time.Duration, f *media.AudioFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return name(media.ErrClosed)
	}
	if err := sound.Gap(f, d.rate, d.channels, next, length, d.end); err != nil {
		return name(err)
	}
	d.guess.Conceal(f.Samples)
	d.end = f.Timestamp + f.Duration()
	return nil
}

func (d *decoder) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return nil
}
