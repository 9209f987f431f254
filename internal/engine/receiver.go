package engine

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/rtp"
)

// The packets that wait for a reader, per reader; then the oldest goes, and is
// counted. At 30 frames per second this is some seconds of video.
const (
	queueVideo = 1024
	queueAudio = 256
)

// keyframePause is the least time between two requests for a key frame.
const keyframePause = 500 * time.Millisecond

// Receiver is the receiving end of one subscribed audio or video track. It
// outlives sections and engines: after a reconnect it is bound again. Its
// methods may be called from any goroutine.
type Receiver struct {
	kind    media.Kind
	changed func() // posts: Started or Dimensions may differ; never nil

	mu         sync.Mutex
	inlet      *rtc.Inlet
	codec      rtc.Codec
	started    bool
	width      int
	height     int
	closed     bool
	asked      time.Time
	first      *Tap // adopted by the first reader
	taps       []*Tap
	packets    int64
	bytes      int64
	frames     pace
	level      int
	base       rtc.InletStats
	bound      time.Time // when it was bound to inlet
	lastPacket time.Time

	over atomic.Bool
}

// NewReceiver returns a receiver that calls changed, on any goroutine, when
// Started or Dimensions differ. changed must only post.
func NewReceiver(kind media.Kind, changed func()) *Receiver {
	r := &Receiver{kind: kind, changed: changed}
	r.first = newTap(r)
	r.taps = []*Tap{r.first}
	return r
}

// Bind connects the receiver with the section that carries its track.
func (e *Engine) Bind(sub signaling.Subscription, slots bool, r *Receiver) error {
	if slots {
		if s := e.slot(e.links[0], sub.ID); s != nil {
			s.assign(r, sub.From, true)
			return nil
		}
		return ErrNoSection
	}
	for _, l := range e.links {
		if mid, ok := l.midOf(sub.ID); ok {
			if s := e.slot(l, mid); s != nil {
				s.assign(r, 0, false)
				return nil
			}
		}
	}
	return ErrNoSection
}

func (r *Receiver) setInlet(in *rtc.Inlet) {
	if in == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inlet != in {
		r.inlet = in
		r.base = in.Stats()
	}
	r.bound = time.Now()
}

func (r *Receiver) ended() bool { return r.over.Load() }

// Close ends the track: readers get what is queued, then io.EOF.
func (r *Receiver) Close() {
	r.over.Store(true)
	r.mu.Lock()
	r.closed = true
	taps := r.taps
	r.taps = nil
	r.mu.Unlock()
	for _, t := range taps {
		t.end()
	}
}

func (r *Receiver) push(a arrival) {
	pkt, codec, tell := a.pkt, a.codec, false
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.codec = codec
	r.packets++
	r.bytes += int64(len(pkt.Payload))
	r.lastPacket = time.Now()
	if a.level != 0 {
		r.level = a.level
	}
	if pkt.Marker {
		r.frames.count(r.lastPacket)
	}
	if r.kind == media.Audio {
		tell, r.started = !r.started, true
	} else if packet.Keyframe(codec.Codec, pkt.Payload) {
		tell, r.started = !r.started, true
	}
	if r.kind == media.Video {
		if w, h, ok := packet.Dimensions(codec.Codec, pkt.Payload); ok && (w != r.width || h != r.height) {
			r.width, r.height = w, h
			tell = true
		}
	}
	taps := r.taps
	// A participant that sends by itself does not know when we began to listen.
	missed := r.kind == media.Video && !r.started
	r.mu.Unlock()
	if tell {
		r.changed()
	}
	if missed {
		r.RequestKeyframe()
	}
	for _, t := range taps {
		t.push(a)
	}
}

// Started reports whether media has arrived that can be heard or decoded.
func (r *Receiver) Started() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.started
}

// Dimensions returns the size of the picture, zero until known.
func (r *Receiver) Dimensions() (width, height int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.width, r.height
}

// Codec returns the encoding, zero until known.
func (r *Receiver) Codec() rtc.Codec {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.codec
}

// ReceiverStats counts what arrived for one track.
type ReceiverStats struct {
	Packets, Bytes int64
	Lost, Repaired int64
	Dropped        int64 // packets that no reader took in time, in the first queue
	Jitter         time.Duration
	SSRC           uint32
	FrameRate      float64 // of video
	Level          int     // of audio, as in media.Sample
}

// announceDelay is how long the announcement of who uses a section may come
// after the first sender report of that use.
const announceDelay = 200 * time.Millisecond

// Captured returns when media that has just arrived was captured, by this
// machine's clock; zero while unknown.
func (r *Receiver) Captured(rtpTime uint32) time.Time {
	r.mu.Lock()
	in, bound := r.inlet, r.bound
	r.mu.Unlock()
	if in == nil {
		return time.Time{}
	}
	return in.Captured(rtpTime, bound.Add(-announceDelay))
}

// Stats returns the counters.
func (r *Receiver) Stats() ReceiverStats {
	r.mu.Lock()
	in, base := r.inlet, r.base
	s := ReceiverStats{Packets: r.packets, Bytes: r.bytes, Level: r.level}
	if r.kind == media.Video {
		s.FrameRate = r.frames.rate(time.Now())
	}
	first := r.first
	r.mu.Unlock()
	if in != nil {
		now := in.Stats()
		s.SSRC = in.SSRC()
		s.Lost, s.Repaired, s.Jitter = now.Lost-base.Lost, now.Repaired-base.Repaired, now.Jitter
	}
	s.Dropped = first.Dropped()
	return s
}

// RequestKeyframe asks the publisher for a key frame, at most twice a second.
func (r *Receiver) RequestKeyframe() {
	r.mu.Lock()
	in := r.inlet
	now := time.Now()
	if in == nil || r.kind != media.Video || now.Sub(r.asked) < keyframePause {
		r.mu.Unlock()
		return
	}
	r.asked = now
	r.mu.Unlock()
	_ = in.RequestKeyframe() // asked again by whoever still needs it
}

// Tap returns a queue of the track's packets. The first gets those that have
// arrived so far, as many as are kept; later ones begin now, with a key frame
// asked for.
func (r *Receiver) Tap() *Tap {
	r.mu.Lock()
	if t := r.first; !t.adopted {
		t.adopted = true
		gap := t.Dropped() > 0
		r.mu.Unlock()
		if gap {
			r.RequestKeyframe()
		}
		return t
	}
	t := newTap(r)
	t.adopted = true
	if r.closed {
		t.end()
	} else {
		r.taps = append(slices.Clone(r.taps), t)
	}
	r.mu.Unlock()
	r.RequestKeyframe()
	return t
}

// Tap is one reader's bounded queue of packets. Packets are shared between
// taps and must not be changed.
type Tap struct {
	recv    *Receiver
	adopted bool // guarded by recv.mu

	mu      sync.Mutex
	queue   []arrival
	head    int
	ended   bool
	dropped int64
	ready   chan struct{} // one-slot poke
}

func newTap(r *Receiver) *Tap { return &Tap{recv: r, ready: make(chan struct{}, 1)} }

func (t *Tap) poke() {
	select {
	case t.ready <- struct{}{}:
	default:
	}
}

func (t *Tap) push(a arrival) {
	limit := queueVideo
	if t.recv.kind == media.Audio {
		limit = queueAudio
	}
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return
	}
	if len(t.queue)-t.head >= limit {
		t.queue[t.head] = arrival{}
		t.head++
		t.dropped++
	}
	if t.head > 0 && (t.head == len(t.queue) || t.head >= limit) {
		t.queue = append(t.queue[:0], t.queue[t.head:]...)
		clear(t.queue[len(t.queue):cap(t.queue)])
		t.head = 0
	}
	t.queue = append(t.queue, a)
	t.mu.Unlock()
	t.poke()
}

func (t *Tap) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.poke()
}

// Close stops the queue; a waiting Read returns io.EOF.
func (t *Tap) Close() {
	t.recv.mu.Lock()
	t.recv.taps = slices.DeleteFunc(slices.Clone(t.recv.taps), func(o *Tap) bool { return o == t })
	t.recv.mu.Unlock()
	t.mu.Lock()
	t.ended, t.queue, t.head = true, nil, 0
	t.mu.Unlock()
	t.poke()
}

// Dropped counts the packets that were not read in time.
func (t *Tap) Dropped() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

// Arrival is a packet that a tap gives.
type Arrival struct {
	Packet *rtp.Packet
	Codec  media.Codec
	Level  int // of sound, as in media.Sample
}

// Read waits for the next packet, in order of arrival. io.EOF says that the
// track or the tap has ended.
func (t *Tap) Read(ctx context.Context) (Arrival, error) {
	for {
		t.mu.Lock()
		if t.head < len(t.queue) {
			a := t.queue[t.head]
			t.queue[t.head] = arrival{}
			t.head++
			more := t.head < len(t.queue) || t.ended
			t.mu.Unlock()
			if more {
				t.poke() // for another reader of the same tap
			}
			return Arrival{a.pkt, a.codec.Codec, a.level}, nil
		}
		ended := t.ended
		t.mu.Unlock()
		if ended {
			t.poke()
			return Arrival{}, io.EOF
		}
		select {
		case <-t.ready:
		case <-ctx.Done():
			return Arrival{}, ctx.Err()
		}
	}
}
