package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// ErrClosed says that a source was closed.
var ErrClosed = errors.New("source closed")

// SampleError says why a [PushSource] refused a sample. The source goes on with
// the next.
type SampleError struct {
	// Timestamp is that of the sample.
	Timestamp time.Duration
	// Err tells what is wrong: [ErrCodec], [ErrNoData] or [ErrTimestamp].
	Err error
}

func (e *SampleError) Error() string {
	return fmt.Sprintf("media: sample at %v: %v", e.Timestamp, e.Err)
}

// Unwrap returns Err.
func (e *SampleError) Unwrap() error { return e.Err }

// What can be wrong with a sample.
var (
	ErrNoData    = errors.New("no data")
	ErrTimestamp = errors.New("timestamp does not grow")
)

// PushOptions are the options of [NewPushSource].
type PushOptions struct {
	// Queue is how many samples may wait to be sent. The default is 8 for
	// video and 32 for audio, at most 4096.
	Queue int
}

// PushSource is the [Source] of a program that makes its own samples:
//
//	src := media.NewPushSource(media.VP8, nil)
//	track, err := parley.NewLocalVideoTrack(src, nil)
//	…
//	for frame := range encoded {
//		if err := src.Write(ctx, media.Sample{Data: frame.Data, Timestamp: frame.Time}); err != nil {
//			return err
//		}
//	}
//
// A sample is due when it is written: the pace is the program's. All methods
// may be called from any goroutine, but only one goroutine may read.
type PushSource struct {
	codec     Codec
	queue     chan Sample
	turn      chan struct{} // held while one sample is written
	closed    chan struct{}
	closeOnce sync.Once

	keyframes chan struct{}

	mu       sync.Mutex
	bitrates chan int // sent and drained under mu

	// The end of the last sample. Guarded by turn.
	begun     bool
	last, end time.Duration
}

var (
	_ Source            = (*PushSource)(nil)
	_ KeyframeRequester = (*PushSource)(nil)
	_ BitrateSetter     = (*PushSource)(nil)
)

// NewPushSource returns a source of the codec. With an unknown codec, every
// Write fails with [ErrCodec]. opts may be nil.
func NewPushSource(codec Codec, opts *PushOptions) *PushSource {
	var o PushOptions
	if opts != nil {
		o = *opts
	}
	if o.Queue <= 0 {
		o.Queue = 8
		if codec.Kind() == Audio {
			o.Queue = 32
		}
	}
	return &PushSource{
		codec:     codec,
		queue:     make(chan Sample, min(o.Queue, 4096)),
		turn:      make(chan struct{}, 1),
		closed:    make(chan struct{}),
		keyframes: make(chan struct{}, 1),
		bitrates:  make(chan int, 1),
	}
}

// Write hands a sample over. It waits while the queue is full, until ctx ends
// or the source is closed, which gives [ErrClosed]; a sample that it returned
// an error for is not sent. Data belongs to the source from then on and must
// not be changed.
//
// Codec may be left empty. Keyframe, Width, Height and the Duration of audio
// are read from the data where they are zero. Timestamp must be greater than
// that of the sample before; where it is zero after the first sample, the
// sample follows the one before without gap, whose Duration must then be known.
// A sample that does not fit is refused with a [*SampleError].
func (p *PushSource) Write(ctx context.Context, s Sample) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return fmt.Errorf("media: write: %w", ctx.Err())
	case <-p.closed:
		return fmt.Errorf("media: write: %w", ErrClosed)
	}
	if err := p.prepare(&s); err != nil {
		return &SampleError{Timestamp: s.Timestamp, Err: err}
	}
	select {
	case p.queue <- s:
		p.begun, p.last, p.end = true, s.Timestamp, s.Timestamp+s.Duration
		return nil
	case <-ctx.Done():
		return fmt.Errorf("media: write: %w", ctx.Err())
	case <-p.closed:
		return fmt.Errorf("media: write: %w", ErrClosed)
	}
}

// open fails when ctx or the source has ended, so that neither is left to the
// chance of a select.
func (p *PushSource) open(ctx context.Context) error {
	select {
	case <-p.closed:
		return fmt.Errorf("media: write: %w", ErrClosed)
	default:
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("media: write: %w", err)
	}
	return nil
}

func (p *PushSource) prepare(s *Sample) error {
	if p.codec.Kind() == "" {
		return fmt.Errorf("%w: %q", ErrCodec, p.codec)
	}
	if s.Codec != "" && s.Codec != p.codec {
		return fmt.Errorf("%w: %s in a source of %s", ErrCodec, s.Codec, p.codec)
	}
	if len(s.Data) == 0 {
		return ErrNoData
	}
	if p.begun && s.Timestamp == 0 && p.end > p.last {
		s.Timestamp = p.end
	}
	if p.begun && s.Timestamp <= p.last {
		return fmt.Errorf("%w: the last was %v", ErrTimestamp, p.last)
	}
	s.Codec, s.Lost = p.codec, 0
	s.Duration = max(0, s.Duration)
	s.Describe()
	return nil
}

// Codec returns the codec of all samples.
func (p *PushSource) Codec() Codec { return p.codec }

// Next waits for the next sample. After Close it returns what is still in the
// queue, then io.EOF.
func (p *PushSource) Next(ctx context.Context) (Sample, error) {
	select {
	case s := <-p.queue:
		return s, nil
	default:
	}
	select {
	case s := <-p.queue:
		return s, nil
	case <-ctx.Done():
		return Sample{}, ctx.Err()
	case <-p.closed:
	}
	select {
	case s := <-p.queue:
		return s, nil
	default:
		return Sample{}, io.EOF
	}
}

// Close ends the track in good order, behind the samples already written. It
// makes a waiting Write and a waiting Next return.
func (p *PushSource) Close() error {
	p.closeOnce.Do(func() { close(p.closed) })
	return nil
}

// KeyframeRequests returns a channel that tells when the next sample had better
// be a key frame: someone has joined, or has lost too much. Requests that are
// not read become one. It is the same channel each time and is never closed.
func (p *PushSource) KeyframeRequests() <-chan struct{} { return p.keyframes }

// RequestKeyframe puts a request on [PushSource.KeyframeRequests]. The track
// that sends the source calls it.
func (p *PushSource) RequestKeyframe() {
	select {
	case p.keyframes <- struct{}{}:
	default: // one is waiting already
	}
}

// Bitrates returns a channel with the bitrate, in bits per second, that the
// encoder should aim for now. A target that is not read is replaced by the
// next. It is the same channel each time and is never closed.
func (p *PushSource) Bitrates() <-chan int { return p.bitrates }

// SetBitrate puts a target on [PushSource.Bitrates]. The track that sends the
// source calls it.
func (p *PushSource) SetBitrate(bps int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.bitrates:
	default:
	}
	p.bitrates <- bps // there is room: nobody else sends
}
