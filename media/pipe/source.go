package pipe

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
)

const (
	// queueSamples and queueBytes bound what waits to be read.
	queueSamples = 512
	queueBytes   = 32 << 20
	// maxBroken is how many frames in a row may be broken.
	maxBroken = 50
	// maxWait is how many pictures in a row may come without a key frame.
	maxWait = 1000
	// maxSnap is how far off the end of the packet before a packet of sound
	// may be timed, and still follow without gap. Containers round.
	maxSnap = 15 * time.Millisecond
)

// source is one track of a pipe.
type source struct {
	p        *Pipe
	shape    *shaper // of the stream at hand; used by the one who pushes
	codec    media.Codec
	maxDelay time.Duration
	wake     chan struct{} // one-slot
	closed   chan struct{}
	once     sync.Once

	// Of the one who pushes.
	last, end time.Duration
	begun     bool
	broken    int // in a row
	waited    int // pictures without a key frame, in a row

	mu      sync.Mutex
	queue   []queued
	bytes   int
	free    [][]byte
	given   []byte // what Next returned last
	needKey bool
	ended   bool
	err     error // after ended; nil: in good order
	stats   SourceStats
}

type queued struct {
	sample media.Sample
	due    time.Time
}

var _ media.Source = (*source)(nil)

// requester is a source that can ask for key frames.
type requester struct{ *source }

// RequestKeyframe asks in the way that the options give.
func (r requester) RequestKeyframe() {
	select {
	case r.p.asked <- struct{}{}:
	default: // one is waiting already
	}
}

func newSource(p *Pipe, shape *shaper) *source {
	return &source{
		p: p, shape: shape, codec: shape.codec, maxDelay: p.o.MaxDelay,
		wake: make(chan struct{}, 1), closed: make(chan struct{}),
		needKey: shape.codec.Kind() == media.Video, stats: SourceStats{Codec: shape.codec},
	}
}

// Codec returns the encoding.
func (s *source) Codec() media.Codec { return s.codec }

// Next waits for the next sample; see [media.Source]. The sample's data is used
// again by the next call.
func (s *source) Next(ctx context.Context) (media.Sample, error) {
	s.p.start()
	for {
		if err := ctx.Err(); err != nil {
			return media.Sample{}, err
		}
		sample, ok, err := s.take(time.Now())
		if ok || err != nil {
			return sample, err
		}
		select {
		case <-s.wake:
		case <-s.closed:
		case <-ctx.Done():
		}
	}
}

func (s *source) take(now time.Time) (media.Sample, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given != nil && len(s.free) < 8 {
		s.free = append(s.free, s.given[:0])
	}
	s.given = nil
	select {
	case <-s.closed:
		return media.Sample{}, false, io.EOF
	default:
	}
	s.expire(now)
	if len(s.queue) == 0 {
		if !s.ended {
			return media.Sample{}, false, nil
		}
		if s.err != nil {
			return media.Sample{}, false, s.err
		}
		return media.Sample{}, false, io.EOF
	}
	q := s.queue[0]
	s.queue = slices.Delete(s.queue, 0, 1)
	s.bytes -= len(q.sample.Data)
	s.given = q.sample.Data
	s.stats.Samples++
	return q.sample, true, nil
}

// expire drops what has waited too long, and video up to a key frame.
func (s *source) expire(now time.Time) {
	n := 0
	for n < len(s.queue) && now.Sub(s.queue[n].due) > s.maxDelay {
		n++
	}
	if n == 0 {
		return
	}
	for n < len(s.queue) && !s.queue[n].sample.Keyframe {
		n++
	}
	if n == len(s.queue) {
		s.needKey = s.codec.Kind() == media.Video
	}
	s.drop(n)
}

// drop throws away the first n.
func (s *source) drop(n int) {
	for i := range n {
		s.bytes -= len(s.queue[i].sample.Data)
		if len(s.free) < 8 {
			s.free = append(s.free, s.queue[i].sample.Data[:0])
		}
	}
	s.queue = slices.Delete(s.queue, 0, n)
	s.stats.Dropped += int64(n)
}

// parts cuts long packets of G.711, as containers have them, into such as RTP
// usually carries.
func (s *source) parts(u unit) iter.Seq[unit] {
	return func(yield func(unit) bool) {
		if s.codec == media.PCMU || s.codec == media.PCMA {
			for len(u.data) > 2*g711Packet {
				part := u
				part.data = u.data[:g711Packet]
				if !yield(part) {
					return
				}
				u.data = u.data[g711Packet:]
				u.at += g711Packet * time.Second / g711Rate
			}
		}
		yield(u)
	}
}

// push takes a frame from the stream. It tells whether the frame was good, and
// fails when the track has to end.
func (s *source) push(u unit, t *timeline, place func(ts time.Duration) (time.Duration, time.Time, error)) (good bool, err error) {
	data, err := s.shape.shape(s.buffer(len(u.data)), u.data, u.keyframe)
	if err != nil {
		return false, s.bad(err)
	}
	sample := media.Sample{Codec: s.codec, Data: data}
	sample.Describe()
	s.broken = 0
	if u.follows {
		u.at = t.lastAt + s.end - s.last
	}
	ts, made := t.place(u.at, u.arrival)
	due := u.arrival
	if place != nil {
		if ts, due, err = place(ts); err != nil {
			return false, err
		}
		made = due
	}
	if !u.made.IsZero() {
		made = u.made
	}
	s.stamp(&sample, ts)
	sample.Captured = made
	if s.codec.Kind() == media.Video {
		if s.waited++; sample.Keyframe {
			s.waited = 0
		}
		if s.waited > maxWait && !s.everKey() {
			return false, fmt.Errorf("%w among the first %d pictures", ErrNoKeyframe, maxWait)
		}
	}
	s.mu.Lock()
	good = s.put(queued{sample, due})
	s.mu.Unlock()
	if good {
		poke(s.wake)
	}
	return good, nil
}

func (s *source) everKey() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Keyframes > 0
}

// stamp gives a sample its timestamp: later than the one before, and for sound
// right behind it if that is what the times mean.
func (s *source) stamp(sample *media.Sample, ts time.Duration) {
	if s.begun {
		if s.codec.Kind() == media.Audio && (ts-s.end).Abs() <= maxSnap {
			ts = s.end
		}
		ts = max(ts, s.last+time.Millisecond)
	}
	sample.Timestamp = ts
	s.begun, s.last, s.end = true, ts, ts+sample.Duration
}

// put queues a sample, or throws it away.
func (s *source) put(q queued) (good bool) {
	select {
	case <-s.closed:
		return false
	default:
	}
	if q.sample.Keyframe && s.codec.Kind() == media.Video {
		s.stats.Keyframes++
	}
	if s.needKey && !q.sample.Keyframe {
		s.stats.Dropped++
		s.free = append(s.free[:min(len(s.free), 7)], q.sample.Data[:0])
		return false
	}
	if len(s.queue) >= queueSamples || s.bytes+len(q.sample.Data) > queueBytes {
		if s.drop(len(s.queue)); !q.sample.Keyframe {
			s.needKey = true
			s.stats.Dropped++
			return false
		}
	}
	s.needKey = false
	s.queue = append(s.queue, q)
	s.bytes += len(q.sample.Data)
	s.stats.Bytes += int64(len(q.sample.Data))
	return true
}

// bad notes a frame that cannot be sent.
func (s *source) bad(err error) error {
	s.mu.Lock()
	s.stats.Broken++
	s.needKey = s.codec.Kind() == media.Video
	s.mu.Unlock()
	if s.broken++; s.broken < maxBroken {
		return nil
	}
	return fmt.Errorf("%d frames in a row: %w", s.broken, err)
}

// buffer returns memory for a frame of about n bytes.
func (s *source) buffer(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := len(s.free) - 1; k >= 0 {
		b := s.free[k]
		s.free = s.free[:k]
		if cap(b) >= n {
			return b
		}
	}
	return make([]byte, 0, n+n/8+64)
}

// lost counts packets that are missing; what follows needs a key frame.
func (s *source) lost(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Lost += int64(n)
	s.needKey = s.codec.Kind() == media.Video
}

// restarted makes video wait for a key frame: another stream follows.
func (s *source) restarted(shape *shaper) {
	s.shape, s.broken, s.waited = shape, 0, 0
	s.mu.Lock()
	defer s.mu.Unlock()
	s.needKey = s.codec.Kind() == media.Video
}

// finish ends the track behind what is queued. The first reason stays.
func (s *source) finish(err error) {
	s.mu.Lock()
	if !s.ended {
		s.ended, s.err = true, err
	}
	s.mu.Unlock()
	poke(s.wake)
}

// over reports whether nothing pushed is of use any more.
func (s *source) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return true
	default:
		return s.ended
	}
}

// Close ends the track. The last one of a pipe ends the pipe.
func (s *source) Close() error {
	s.once.Do(func() { close(s.closed) })
	for _, other := range s.p.sources {
		select {
		case <-other.closed:
		default:
			return nil
		}
	}
	return s.p.Close()
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
