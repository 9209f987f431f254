package parley

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/parley-rtc/parley/internal/engine"
)

// DataTrackOptions say how hard a data track tries. Nil and the zero value are
// reliable and in order. At most one of the limits may be set.
type DataTrackOptions struct {
	// Name must be unique among the participant's tracks.
	Name string
	// Unordered lets messages arrive in any order.
	Unordered bool
	// MaxPacketLifeTime gives up sending a message again after so long;
	// whole milliseconds, at most 65.535 s. It does not hold while nothing
	// gets through: pion counts it from the last time the message was sent
	// again, so messages of an outage arrive late. Who acts on them dates
	// them, as examples/robot does.
	MaxPacketLifeTime *time.Duration
	// MaxRetransmits gives up after sending a message again so often.
	MaxRetransmits *uint16
}

// LocalDataTrack is a stream of messages to publish. Text and binary messages
// are kept apart; a message has at most 16 KiB.
type LocalDataTrack struct {
	*ownEvents
	id, name string
	rel      engine.Reliability

	mu      sync.Mutex
	pubs    []*LocalTrackPublication // replaced, never changed
	changed chan struct{}            // closed and renewed when pubs or their senders change
}

// NewLocalDataTrack returns a data track.
func NewLocalDataTrack(opts *DataTrackOptions) (*LocalDataTrack, error) {
	if opts == nil {
		opts = &DataTrackOptions{}
	}
	if opts.MaxPacketLifeTime != nil && opts.MaxRetransmits != nil {
		return nil, wrap("%w: MaxPacketLifeTime and MaxRetransmits exclude each other", ErrOption)
	}
	if d := opts.MaxPacketLifeTime; d != nil && (*d < 0 || *d > 65535*time.Millisecond || *d%time.Millisecond != 0) {
		return nil, wrap("%w: MaxPacketLifeTime %v", ErrOption, *d)
	}
	return &LocalDataTrack{
		ownEvents: newOwnEvents(), id: uuid.NewString(), name: opts.Name, changed: make(chan struct{}),
		rel: engine.Reliability{
			Unordered: opts.Unordered, MaxPacketLifeTime: opts.MaxPacketLifeTime, MaxRetransmits: opts.MaxRetransmits,
		},
	}, nil
}

func (t *LocalDataTrack) local() *localMedia { return nil }

// Stop ends the track for good: Send returns ErrTrackStopped. Publications stay
// until they are withdrawn. It is idempotent.
func (t *LocalDataTrack) Stop() {
	if t.ended() {
		return
	}
	t.mu.Lock()
	pubs := t.pubs
	t.mu.Unlock()
	t.end(nil)
	for _, pub := range pubs {
		pub.room.post(func() { pub.room.localStopped(pub, nil) })
	}
}

// Kind returns data.
func (t *LocalDataTrack) Kind() Kind { return KindData }

// ID returns the track's own id.
func (t *LocalDataTrack) ID() string { return t.id }

// Name returns the name under which the track is published by default.
func (t *LocalDataTrack) Name() string { return t.name }

// Ordered reports whether messages arrive in the order in which they were sent.
func (t *LocalDataTrack) Ordered() bool { return !t.rel.Unordered }

// MaxPacketLifeTime returns the option of that name, or nil.
func (t *LocalDataTrack) MaxPacketLifeTime() *time.Duration { return t.rel.MaxPacketLifeTime }

// MaxRetransmits returns the option of that name, or nil.
func (t *LocalDataTrack) MaxRetransmits() *uint16 { return t.rel.MaxRetransmits }

// Reliable reports whether no limit on retransmission is set.
func (t *LocalDataTrack) Reliable() bool {
	return t.rel.MaxPacketLifeTime == nil && t.rel.MaxRetransmits == nil
}

// Send sends a binary message to everybody who subscribes, in every room where
// the track is published. It waits while 1 MiB is on its way already, and
// while the connection is being made; ctx bounds the waiting. When it returns
// nil the message is on its way: a reliable track delivers it unless the
// connection is lost for good, see MessagesUnconfirmed.
//
// A message of more than 16 KiB is refused with ErrMessageTooLarge. Send may
// be called from several goroutines; messages keep the order of the calls of
// each.
func (t *LocalDataTrack) Send(ctx context.Context, msg []byte) error { return t.send(ctx, msg, false) }

// SendText sends a text message; see Send.
func (t *LocalDataTrack) SendText(ctx context.Context, msg string) error {
	return t.send(ctx, []byte(msg), true)
}

func (t *LocalDataTrack) send(ctx context.Context, msg []byte, text bool) error {
	if len(msg) > engine.MaxMessage {
		return wrap("%w: %d bytes", ErrMessageTooLarge, len(msg))
	}
	if t.ended() {
		return wrap("%w", ErrTrackStopped)
	}
	t.mu.Lock()
	pubs := t.pubs
	t.mu.Unlock()
	if len(pubs) == 0 {
		return wrap("%w", ErrNotPublished)
	}
	for _, pub := range pubs {
		if err := t.sendTo(ctx, pub, msg, text); err != nil {
			return err
		}
	}
	return nil
}

// sendTo sends to one room, through whichever channel the publication has by
// the time it is possible.
func (t *LocalDataTrack) sendTo(ctx context.Context, pub *LocalTrackPublication, msg []byte, text bool) error {
	for {
		t.mu.Lock()
		published := slices.Contains(t.pubs, pub)
		changed := t.changed
		t.mu.Unlock()
		if !published {
			select {
			case <-pub.room.life.Done():
				return pub.room.closedErr()
			default:
				return wrap("%w", ErrUnpublished)
			}
		}
		d := pub.sender.data.Load()
		if d != nil {
			err := d.Send(ctx, msg, text)
			if err == nil || ctx.Err() != nil {
				return err
			}
		}
		// The channel was closed under us: wait for another, or the end.
		select {
		case <-changed:
		case <-pub.room.life.Done():
			return pub.room.closedErr()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Buffered returns the bytes that were sent and are not acknowledged yet,
// summed over all rooms.
func (t *LocalDataTrack) Buffered() int {
	t.mu.Lock()
	pubs := t.pubs
	t.mu.Unlock()
	total := 0
	for _, pub := range pubs {
		if d := pub.sender.data.Load(); d != nil {
			total += d.Buffered()
		}
	}
	return total
}

func (t *LocalDataTrack) follow(pub *LocalTrackPublication) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.pubs, pub) {
		t.pubs = append(slices.Clone(t.pubs), pub)
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *LocalDataTrack) unfollow(pub *LocalTrackPublication) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pubs = slices.DeleteFunc(slices.Clone(t.pubs), func(o *LocalTrackPublication) bool { return o == pub })
	close(t.changed)
	t.changed = make(chan struct{})
}

// Message is one message of a data track. Data belongs to whoever receives it.
type Message struct {
	Data []byte
	Text bool // it was sent as text
	// Dropped counts the messages that were dropped just before this one,
	// because they were not read in time.
	Dropped int
}

func (m Message) size() int { return engine.Message{Data: m.Data}.Size() }

// receiveQueue is how much may wait in a remote data track; then the oldest
// message is dropped.
const receiveQueue = 1 << 20

// RemoteDataTrack is a subscribed data track.
type RemoteDataTrack struct {
	remoteTrack
	rel engine.Reliability

	qmu     sync.Mutex
	queue   []Message
	bytes   int
	dropped int
	ended   bool
	ready   chan struct{} // one-slot poke
}

func (t *RemoteDataTrack) media() *remoteMedia { return nil }

// Ordered reports whether messages arrive in the order in which they were sent.
func (t *RemoteDataTrack) Ordered() bool { return !t.rel.Unordered }

// MaxPacketLifeTime returns the publisher's limit, or nil.
func (t *RemoteDataTrack) MaxPacketLifeTime() *time.Duration { return t.rel.MaxPacketLifeTime }

// MaxRetransmits returns the publisher's limit, or nil.
func (t *RemoteDataTrack) MaxRetransmits() *uint16 { return t.rel.MaxRetransmits }

// Reliable reports whether the publisher set no limit.
func (t *RemoteDataTrack) Reliable() bool {
	return t.rel.MaxPacketLifeTime == nil && t.rel.MaxRetransmits == nil
}

// Receive waits for the next message. Up to 1 MiB waits here for the reader;
// then the oldest messages are dropped and counted in the next Message.
// io.EOF says that the track has ended. Several goroutines may share the
// messages.
func (t *RemoteDataTrack) Receive(ctx context.Context) (Message, error) {
	for {
		t.qmu.Lock()
		if len(t.queue) > 0 {
			m := t.queue[0]
			t.queue[0] = Message{}
			t.queue = t.queue[1:]
			t.bytes -= m.size()
			m.Dropped, t.dropped = t.dropped, 0
			more := len(t.queue) > 0 || t.ended
			t.qmu.Unlock()
			if more {
				t.wake()
			}
			return m, nil
		}
		ended := t.ended
		t.qmu.Unlock()
		if ended {
			t.wake()
			return Message{}, io.EOF
		}
		select {
		case <-t.ready:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

func (t *RemoteDataTrack) push(m engine.Message) {
	t.pub.participant.room.messages.push(t, m)
	t.qmu.Lock()
	if t.ended {
		t.qmu.Unlock()
		return
	}
	t.queue = append(t.queue, Message{Data: m.Data, Text: m.Text})
	t.bytes += m.Size()
	for t.bytes > receiveQueue && len(t.queue) > 1 {
		t.bytes -= t.queue[0].size()
		t.queue[0] = Message{}
		t.queue = t.queue[1:]
		t.dropped++
	}
	t.qmu.Unlock()
	t.wake()
}

func (t *RemoteDataTrack) wake() {
	select {
	case t.ready <- struct{}{}:
	default:
	}
}

func (t *RemoteDataTrack) end() {
	t.qmu.Lock()
	t.ended = true
	t.qmu.Unlock()
	t.wake()
}
