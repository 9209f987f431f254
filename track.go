package parley

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/parley-rtc/parley/internal/engine"
	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// RemoteTrack is a subscribed track: *RemoteAudioTrack, *RemoteVideoTrack or
// *RemoteDataTrack. The object stays the same through reconnecting.
type RemoteTrack interface {
	Kind() Kind
	// SID is the server's handle. It differs after a full reconnect.
	SID() string
	Name() string
	// IsEnabled reports whether the publisher sends.
	IsEnabled() bool
	// IsSwitchedOff reports whether the server holds the track back.
	IsSwitchedOff() bool
	// Publication is what the track belongs to.
	Publication() *RemoteTrackPublication
	// Events is the track's part of the room's timeline; it ends with
	// TrackUnsubscribed, or with the room.
	Events() <-chan Event
	// Done is closed when the track is unsubscribed.
	Done() <-chan struct{}

	publication() *RemoteTrackPublication
	media() *remoteMedia // nil for data
	finish()
}

// remoteTrack is what remote tracks of all kinds share.
type remoteTrack struct {
	pub  *RemoteTrackPublication
	self RemoteTrack
	done chan struct{}
	once sync.Once
}

// Kind returns audio, video or data.
func (t *remoteTrack) Kind() Kind { return t.pub.kind }

// SID returns the server's handle of the track.
func (t *remoteTrack) SID() string { return t.pub.TrackSID() }

// Name returns the name that the publisher gave the track.
func (t *remoteTrack) Name() string { return t.pub.name }

// IsEnabled reports whether the publisher sends.
func (t *remoteTrack) IsEnabled() bool { return t.pub.IsTrackEnabled() }

// IsSwitchedOff reports whether the server holds the track back.
func (t *remoteTrack) IsSwitchedOff() bool {
	r := t.pub.participant.room
	r.mu.RLock()
	defer r.mu.RUnlock()
	return t.pub.off
}

// Publication returns what the track belongs to.
func (t *remoteTrack) Publication() *RemoteTrackPublication { return t.pub }

// Done is closed when the track is unsubscribed.
func (t *remoteTrack) Done() <-chan struct{} { return t.done }

// Events returns the track's part of the room's timeline.
func (t *remoteTrack) Events() <-chan Event {
	return part(t.pub.participant.room, t, func(e Event) bool {
		return publicationOf(e) == t.pub && trackOf(e) == t.self
	}, func(e Event) bool {
		u, ok := e.(TrackUnsubscribed)
		return ok && u.Track == t.self
	})
}

func (t *remoteTrack) publication() *RemoteTrackPublication { return t.pub }

func (t *remoteTrack) finish() { t.once.Do(func() { close(t.done) }) }

// trackOf returns the remote track that the event is about, or nil.
func trackOf(e Event) RemoteTrack {
	switch e := e.(type) {
	case TrackSubscribed:
		return e.Track
	case TrackUnsubscribed:
		return e.Track
	case TrackEnabled:
		return e.Track
	case TrackDisabled:
		return e.Track
	case TrackSwitchedOff:
		return e.Track
	case TrackSwitchedOn:
		return e.Track
	case TrackStarted:
		return e.Track
	case TrackDimensionsChanged:
		return e.Track
	}
	return nil
}

// RemoteAudioTrack is a subscribed audio track.
type RemoteAudioTrack struct{ remoteMedia }

// RemoteVideoTrack is a subscribed video track.
type RemoteVideoTrack struct{ remoteMedia }

// Dimensions returns the size of the picture in pixels, zero until known. It
// comes from the codec's headers; nothing is decoded.
func (t *RemoteVideoTrack) Dimensions() (width, height int) {
	r := t.pub.participant.room
	r.mu.RLock()
	defer r.mu.RUnlock()
	return t.width, t.height
}

// RequestKeyframe asks the publisher for a key frame, at most twice a second.
func (t *RemoteVideoTrack) RequestKeyframe() { t.recv.RequestKeyframe() }

// remoteMedia is what remote audio and video tracks share. It owns one
// goroutine for each attached sink.
type remoteMedia struct {
	remoteTrack
	recv *engine.Receiver

	// Written by the room's loop, under its mu.
	started       bool
	width, height int

	mu    sync.Mutex
	tap   *engine.Tap // of ReadRTP
	sinks []*attachment
}

type attachment struct {
	sink   media.Sink
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func (t *remoteMedia) media() *remoteMedia { return t }

// IsStarted reports whether media has arrived that can be heard or decoded.
func (t *remoteMedia) IsStarted() bool {
	r := t.pub.participant.room
	r.mu.RLock()
	defer r.mu.RUnlock()
	return t.started
}

// Codec returns the encoding, "" until the first packet.
func (t *remoteMedia) Codec() media.Codec { return t.recv.Codec().Codec }

// TrackStats counts what arrived for a remote track.
type TrackStats struct {
	Codec          media.Codec // "" until the first packet
	SSRC           uint32      // of the connection's stream, zero until there is one
	Packets, Bytes int64
	Lost           int64 // packets that did not arrive, or too late to be of use
	Repaired       int64 // packets that arrived on request
	Unread         int64 // packets dropped because ReadRTP, or the first sink, was late
	Jitter         time.Duration

	Width, Height int     // of video, in pixels, zero until known
	FrameRate     float64 // of video: pictures in the last second or so
	// AudioLevel is how loud the sound that came last is by its sender's word:
	// -127 dB, which is silence, to -1 dB of the loudest; zero where it says
	// nothing (RFC 6464).
	AudioLevel int
}

// Stats returns the counters.
func (t *remoteMedia) Stats() TrackStats {
	s := t.recv.Stats()
	width, height := t.recv.Dimensions()
	return TrackStats{
		Codec: t.Codec(), SSRC: s.SSRC, Width: width, Height: height, FrameRate: s.FrameRate, AudioLevel: s.Level,
		Packets: s.Packets, Bytes: s.Bytes, Lost: s.Lost, Repaired: s.Repaired, Unread: s.Dropped, Jitter: s.Jitter,
	}
}

// ReadRTP waits for the next packet, in order of arrival: retransmissions come
// late, duplicates not at all. io.EOF says that the track is unsubscribed.
// Packets are shared with other readers and must not be changed. A reader that
// is late loses the oldest packets: 1024 of video wait, 256 of audio.
//
// The first reader of a track, whether ReadRTP, Samples or a sink, gets it from
// its beginning; later ones begin with the present.
func (t *remoteMedia) ReadRTP() (*rtp.Packet, error) {
	t.mu.Lock()
	if t.tap == nil {
		t.tap = t.recv.Tap()
	}
	tap := t.tap
	t.mu.Unlock()
	a, err := tap.Read(context.Background()) // ends with the track
	return a.Packet, err
}

// Samples returns the samples of the track, in order and whole: a frame of
// which a packet is missing for good is left out, and the packets are counted
// in the next Sample.Lost. The sequence ends when the track does; an error
// (that of ctx) is its last element. See ReadRTP for who gets the beginning.
func (t *remoteMedia) Samples(ctx context.Context) iter.Seq2[media.Sample, error] {
	return func(yield func(media.Sample, error) bool) {
		tap := t.recv.Tap()
		defer tap.Close()
		t.assemble(ctx, tap, yield)
	}
}

func (t *remoteMedia) assemble(ctx context.Context, tap *engine.Tap, yield func(media.Sample, error) bool) {
	var asm *packet.Assembler
	var codec media.Codec
	var ssrc uint32
	renewed := false // the track goes on in another stream
	drain := func() bool {
		for asm != nil {
			s, rtpTime, ok := asm.PopRTP()
			if !ok {
				return true
			}
			s.Captured = t.recv.Captured(rtpTime)
			if renewed {
				// What lies between is not counted, and there is at least that.
				renewed = false
				s.Lost++
			}
			if s.Lost > 0 && t.pub.kind == KindVideo {
				t.recv.RequestKeyframe()
			}
			if !yield(s, nil) {
				return false
			}
		}
		return true
	}
	for {
		a, err := tap.Read(ctx)
		if err != nil {
			if asm != nil {
				asm.Flush()
			}
			if drain() && !errors.Is(err, io.EOF) {
				yield(media.Sample{}, err)
			}
			return
		}
		pkt, c := a.Packet, a.Codec
		if c != codec {
			if asm != nil {
				asm.Flush()
				if !drain() {
					return
				}
			}
			codec, asm, ssrc = c, packet.NewAssembler(c), pkt.SSRC
		}
		if pkt.SSRC != ssrc {
			// Another section carries the track, after a full reconnect for
			// example. Its packets are numbered anew.
			asm.Flush()
			if !drain() {
				return
			}
			ssrc, renewed = pkt.SSRC, true
		}
		asm.PushSound(pkt, time.Now(), a.Level)
		if !drain() {
			return
		}
	}
}

// Attach gives the track's samples to the sink, on a goroutine of its own,
// until Detach, the track's end, or an error of the sink's. Each sink gets
// every sample. Attaching a sink twice is an error.
func (t *remoteMedia) Attach(sink media.Sink) error {
	if sink == nil {
		return wrap("%w: nil sink", ErrOption)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.sinks {
		if a.sink == sink {
			return wrap("%w: the sink is attached already", ErrOption)
		}
	}
	ctx, cancel := context.WithCancel(context.Background()) // ends with Detach or the track
	a := &attachment{sink: sink, cancel: cancel, done: make(chan struct{})}
	t.sinks = append(t.sinks, a)
	tap := t.recv.Tap() // here, so that the first sink is the first reader
	go func() {
		defer close(a.done)
		defer cancel()
		defer tap.Close()
		t.assemble(ctx, tap, func(s media.Sample, err error) bool {
			if err == nil {
				err = sink.WriteSample(s)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				a.err = err
			}
			return err == nil
		})
	}()
	return nil
}

// Detach takes the sink away and returns once it gets no more samples; if the
// track has ended, once it got the last. It returns the error with which the
// sink ended by itself, if it did. It must not be called from the sink's own
// WriteSample.
func (t *remoteMedia) Detach(sink media.Sink) error {
	t.mu.Lock()
	var found *attachment
	for i, a := range t.sinks {
		if a.sink == sink {
			found = a
			t.sinks = append(t.sinks[:i:i], t.sinks[i+1:]...)
			break
		}
	}
	t.mu.Unlock()
	if found == nil {
		return nil
	}
	return t.release(found)
}

func (t *remoteMedia) release(a *attachment) error {
	select {
	case <-t.done:
	default:
		a.cancel()
	}
	<-a.done
	return a.err
}

// DetachAll takes all sinks away, as Detach does, and returns them.
func (t *remoteMedia) DetachAll() []media.Sink {
	t.mu.Lock()
	all := t.sinks
	t.sinks = nil
	t.mu.Unlock()
	var sinks []media.Sink
	for _, a := range all {
		_ = t.release(a) // the sink knows its own error
		sinks = append(sinks, a.sink)
	}
	return sinks
}

// newRemoteTrack makes the track of a subscription. It runs on the loop.
func (r *Room) newRemoteTrack(pub *RemoteTrackPublication) RemoteTrack {
	done := make(chan struct{})
	if pub.kind == KindData {
		t := &RemoteDataTrack{ready: make(chan struct{}, 1)}
		t.pub, t.done, t.self = pub, done, t
		return t
	}
	kind := media.Kind(pub.kind)
	if pub.kind == KindAudio {
		t := &RemoteAudioTrack{}
		t.pub, t.done, t.self = pub, done, t
		t.recv = engine.NewReceiver(kind, func() { r.post(func() { r.looked(&t.remoteMedia, t, nil) }) })
		return t
	}
	t := &RemoteVideoTrack{}
	t.pub, t.done, t.self = pub, done, t
	t.recv = engine.NewReceiver(kind, func() { r.post(func() { r.looked(&t.remoteMedia, t, t) }) })
	return t
}

// looked tells what a receiver has noticed. It runs on the loop.
func (r *Room) looked(m *remoteMedia, track RemoteTrack, video *RemoteVideoTrack) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.pub.track != track || r.loop.ended {
		return
	}
	w, h := m.recv.Dimensions()
	if m.recv.Started() && !m.started {
		m.started = true
		r.timeline.Append(TrackStarted{track, m.pub.participant})
	}
	if video != nil && (w != m.width || h != m.height) {
		e := TrackDimensionsChanged{
			Track: video, Width: w, Height: h, OldWidth: m.width, OldHeight: m.height, Participant: m.pub.participant,
		}
		m.width, m.height = w, h
		r.timeline.Append(e)
	}
}
