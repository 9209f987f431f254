// Package g711 encodes and decodes the two codes of ITU-T G.711, in every build.
package g711

import (
	"fmt"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/sound"
	"github.com/parley-rtc/parley/media/internal/g711"
)

const rate = 8000

type encoder struct {
	codec  media.Codec
	o      codec.AudioOptions
	encode func(int16) byte

	mu     sync.Mutex
	closed bool
	data   []byte
}

// NewEncoder returns an encoder of media.PCMU or media.PCMA, which takes one
// channel of 8000 Hz.
func NewEncoder(c media.Codec, o codec.AudioOptions) (media.AudioEncoder, error) {
	if o.Rate == 0 {
		o.Rate = rate
	}
	o, err := o.WithDefaults()
	if err == nil {
		err = check(c, o.Rate, o.Channels)
	}
	if err != nil {
		return nil, name(err)
	}
	e := &encoder{codec: c, o: o, encode: g711.EncodeMuLaw}
	if c == media.PCMA {
		e.encode = g711.EncodeALaw
	}
	return e, nil
}

func check(c media.Codec, hz, channels int) error {
	if c != media.PCMU && c != media.PCMA {
		return fmt.Errorf("%q: %w: there are %v", c, codec.ErrUnsupported, []media.Codec{media.PCMU, media.PCMA})
	}
	if hz != rate {
		return &codec.OptionError{Option: "Rate", Value: hz, Want: "8000 Hz"}
	}
	if channels != 1 {
		return &codec.OptionError{Option: "Channels", Value: channels, Want: "1"}
	}
	return nil
}

func name(err error) error { return fmt.Errorf("g711: %w", err) }

func (e *encoder) Codec() media.Codec { return e.codec }

// AudioFormat tells which pieces of sound Encode takes.
func (e *encoder) AudioFormat() (rate, channels int, frame time.Duration) {
	return e.o.Rate, e.o.Channels, e.o.Frame
}

// SetBitrate has no effect: the bitrate is 64 000 always.
func (e *encoder) SetBitrate(int) {}

func (e *encoder) Encode(f *media.AudioFrame) (media.Sample, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return media.Sample{}, name(media.ErrClosed)
	}
	if err := sound.Check(f, e.o); err != nil {
		return media.Sample{}, name(err)
	}
	e.data = e.data[:0]
	for _, s := range f.Samples {
		e.data = append(e.data, e.encode(s))
	}
	return media.Sample{
		Codec: e.codec, Data: e.data, Keyframe: true,
		Timestamp: f.Timestamp, Duration: e.o.Frame, Captured: f.Captured,
	}, nil
}

func (e *encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	return nil
}

type decoder struct {
	codec media.Codec
	table [256]int16

	mu     sync.Mutex
	closed bool
	guess  sound.Concealer
	end    time.Duration // of the sound so far
}

// NewDecoder returns a decoder of media.PCMU or media.PCMA, which gives one
// channel of 8000 Hz; rate and channels may be zero for the same. What was lost
// is made up of the sound before it, fading out.
func NewDecoder(c media.Codec, hz, channels int) (media.AudioDecoder, error) {
	if hz == 0 {
		hz = rate
	}
	if channels == 0 {
		channels = 1
	}
	if err := check(c, hz, channels); err != nil {
		return nil, name(err)
	}
	d := &decoder{codec: c, guess: sound.Concealer{Rate: rate, Channels: 1}}
	for i := range d.table {
		if c == media.PCMA {
			d.table[i] = aLaw(byte(i))
		} else {
			d.table[i] = muLaw(byte(i))
		}
	}
	return d, nil
}

func (d *decoder) Codec() media.Codec { return d.codec }

func (d *decoder) Decode(s media.Sample, f *media.AudioFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return name(media.ErrClosed)
	}
	if len(s.Data) == 0 || len(s.Data) > rate {
		return name(fmt.Errorf("%w: %d bytes, want at most a second of them", codec.ErrBitstream, len(s.Data)))
	}
	sound.Fit(f, rate, 1, len(s.Data))
	for i, b := range s.Data {
		f.Samples[i] = d.table[b]
	}
	d.guess.Heard(f.Samples)
	f.Timestamp, f.Captured = s.Timestamp, s.Captured
	d.end = s.Timestamp + f.Duration()
	return nil
}

func (d *decoder) Conceal(next media.Sample, length time.Duration, f *media.AudioFrame) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return name(media.ErrClosed)
	}
	if err := sound.Gap(f, rate, 1, next, length, d.end); err != nil {
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

// muLaw decodes a byte (G.711, table 2): the sign, the segment, and the place
// in it.
func muLaw(c byte) int16 {
	c = ^c
	v := int16((int(c&15)<<1+33)<<(c>>4&7)-33) << 2
	if c&0x80 != 0 {
		return -v
	}
	return v
}

// aLaw decodes a byte (G.711, table 1).
func aLaw(c byte) int16 {
	c ^= 0x55
	v := int16(c&15)<<1 + 1
	if segment := c >> 4 & 7; segment > 0 {
		v = (v + 32) << (segment - 1)
	}
	if c&0x80 == 0 {
		v = -v
	}
	return v << 3
}
