package media_test

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
)

// microphone gives the pieces that it has, then io.EOF or what end says.
type microphone struct {
	pieces []media.AudioFrame
	end    error
	wait   bool // instead of an end

	done   chan struct{}
	closes atomic.Int32
}

func newMicrophone(pieces ...media.AudioFrame) *microphone {
	return &microphone{pieces: pieces, end: io.EOF, done: make(chan struct{})}
}

func (m *microphone) ReadAudio(ctx context.Context, f *media.AudioFrame) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(m.pieces) > 0 {
		samples := append(f.Samples[:0], m.pieces[0].Samples...)
		*f = m.pieces[0]
		f.Samples, m.pieces = samples, m.pieces[1:]
		return nil
	}
	if !m.wait {
		return m.end
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-m.done:
		return media.ErrClosed
	}
}

func (m *microphone) Close() error {
	if m.closes.Add(1) == 1 {
		close(m.done)
	}
	return nil
}

// pcm makes samples that carry what was encoded.
type pcm struct {
	codec   media.Codec
	err     error
	silent  bool // leaves out silence
	frames  []media.AudioFrame
	bitrate atomic.Int64
	closes  atomic.Int32
	data    []byte
}

func (e *pcm) Codec() media.Codec {
	if e.codec == "" {
		return media.Opus
	}
	return e.codec
}

func (e *pcm) Encode(f *media.AudioFrame) (media.Sample, error) {
	if e.err != nil {
		return media.Sample{}, e.err
	}
	c := *f
	c.Samples = append([]int16(nil), f.Samples...)
	e.frames = append(e.frames, c)
	e.data = e.data[:0]
	loud := false
	for _, s := range f.Samples {
		loud = loud || s != 0
		e.data = binary.LittleEndian.AppendUint16(e.data, uint16(s))
	}
	if e.silent && !loud {
		return media.Sample{}, nil
	}
	return media.Sample{Data: e.data}, nil
}

func (e *pcm) SetBitrate(bps int) { e.bitrate.Store(int64(bps)) }
func (e *pcm) Close() error       { e.closes.Add(1); return nil }

// all returns all that was encoded, one after the other.
func (e *pcm) all() (samples []int16) {
	for _, f := range e.frames {
		samples = append(samples, f.Samples...)
	}
	return samples
}

// sine returns a tone of 500 Hz that begins at so many samples.
func sine(rate, channels, from, n int) []int16 {
	s := make([]int16, 0, n*channels)
	for i := range n {
		v := int16(math.Round(16000 * math.Sin(2*math.Pi*500*float64(from+i)/float64(rate))))
		for range channels {
			s = append(s, v)
		}
	}
	return s
}

// tone returns that tone in pieces of so many samples, as a microphone gives
// it whose clock counts from zero.
func tone(rate, channels, piece, pieces int) (frames []media.AudioFrame) {
	for i := range pieces {
		at := time.Duration(i*piece) * time.Second / time.Duration(rate)
		frames = append(frames, media.AudioFrame{
			Rate: rate, Channels: channels, Samples: sine(rate, channels, i*piece, piece),
			Timestamp: at, Captured: epoch.Add(at),
		})
	}
	return frames
}
