package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// AudioSourceOptions are the options of [NewAudioSource]: which pieces of sound
// the encoder was made for. An encoder that is an [AudioFormatter] tells itself.
type AudioSourceOptions struct {
	// Rate is how many samples a second there are, 48 000 by default and 8000
	// for [PCMU] and [PCMA].
	Rate int
	// Channels is how many channels there are, one by default.
	Channels int
	// Frame is how long each piece is, 20 ms by default.
	Frame time.Duration
}

// AudioFormatter is implemented by audio encoders that tell which pieces of
// sound they take.
type AudioFormatter interface {
	AudioFormat() (rate, channels int, frame time.Duration)
}

// AudioSource encodes what a reader hears:
//
//	mic, err := device.OpenMicrophone(ctx, "default", nil)
//	…
//	enc, err := opus.NewEncoder(codec.AudioOptions{FEC: true})
//	…
//	track, err := parley.NewLocalAudioTrack(media.NewAudioSource(mic, enc, nil), nil)
//
// The pieces of the reader may have any length, rate and number of channels,
// also other ones as time goes by: they are resampled and mixed to what the
// encoder takes and cut into pieces for it.
//
// Timestamps count samples, so that a device whose clock is off is heard
// without a gap, however long it takes; Captured follows the clock of the
// machine, as the reader told it. Where the reader's timestamps leave a gap, so
// do those of the samples. When the sound ends, what is left is filled up with
// silence.
//
// One goroutine may call Next. All other methods may be called from any.
type AudioSource struct {
	r   AudioReader
	enc AudioEncoder

	closed atomic.Bool
	close  func() error

	// For Next alone.
	cut   cutter
	heard AudioFrame
	again bool  // heard waits for what comes before it to be encoded
	end   error // comes when all is encoded
}

var (
	_ Source        = (*AudioSource)(nil)
	_ BitrateSetter = (*AudioSource)(nil)
)

// NewAudioSource returns a source of the sound of r, encoded by enc. Both
// belong to the source, which closes them. opts may be nil.
func NewAudioSource(r AudioReader, enc AudioEncoder, opts *AudioSourceOptions) *AudioSource {
	var o AudioSourceOptions
	if opts != nil {
		o = *opts
	}
	if f, ok := enc.(AudioFormatter); ok {
		o.Rate, o.Channels, o.Frame = f.AudioFormat()
	}
	if o.Rate <= 0 {
		if o.Rate = 48000; enc.Codec() == PCMU || enc.Codec() == PCMA {
			o.Rate = 8000
		}
	}
	if o.Channels <= 0 {
		o.Channels = 1
	}
	if o.Frame <= 0 {
		o.Frame = 20 * time.Millisecond
	}
	s := &AudioSource{r: r, enc: enc, cut: newCutter(o.Rate, o.Channels, o.Frame)}
	s.close = sync.OnceValue(func() error {
		s.closed.Store(true)
		return errors.Join(r.Close(), enc.Close())
	})
	return s
}

// Codec returns the codec of the encoder.
func (s *AudioSource) Codec() Codec { return s.enc.Codec() }

// Next waits for the next piece of sound and returns it encoded. Pieces that
// the encoder leaves out, such as silence, are not told. After Close it returns
// io.EOF. A format that cannot be resampled ends the track with a
// [*FrameError].
func (s *AudioSource) Next(ctx context.Context) (Sample, error) {
	for {
		sample, err := s.next(ctx)
		switch {
		case s.closed.Load():
			return Sample{}, io.EOF
		case err != nil:
			return Sample{}, err
		case len(sample.Data) > 0:
			return sample, nil
		}
	}
}

func (s *AudioSource) next(ctx context.Context) (Sample, error) {
	if err := ctx.Err(); err != nil {
		return Sample{}, err
	}
	for {
		if f := s.cut.next(); f != nil {
			return s.encode(f)
		}
		if s.end != nil {
			return Sample{}, s.end
		}
		if err := s.hear(ctx); err != nil {
			return Sample{}, err
		}
	}
}

// hear brings the next piece of the reader into the cutter.
func (s *AudioSource) hear(ctx context.Context) error {
	if !s.again {
		err := s.r.ReadAudio(ctx, &s.heard)
		if errors.Is(err, io.EOF) {
			s.end = io.EOF
			s.cut.flush()
			return nil
		}
		if err != nil {
			return err
		}
	}
	var err error
	s.again, err = s.cut.add(&s.heard)
	return err
}

func (s *AudioSource) encode(f *AudioFrame) (Sample, error) {
	level := f.Level()
	sample, err := s.enc.Encode(f)
	if err != nil {
		return Sample{}, fmt.Errorf("media: encode: %w", err)
	}
	sample.Codec, sample.Keyframe, sample.Lost = s.enc.Codec(), true, 0
	sample.Timestamp, sample.Captured, sample.Duration = f.Timestamp, f.Captured, s.cut.length
	sample.Level = level
	return sample, nil
}

// SetBitrate sets what the encoder aims for, in bits per second. The track that
// sends the source calls it.
func (s *AudioSource) SetBitrate(bps int) { s.enc.SetBitrate(bps) }

// Close ends the track and closes the reader and the encoder. It makes a
// waiting Next return.
func (s *AudioSource) Close() error { return s.close() }
