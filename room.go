package parley

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/parley-rtc/parley/internal/engine"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/timeline"
	"github.com/parley-rtc/parley/signaling"
)

// disconnectTime bounds Disconnect, drainTime the part of it in which data
// messages that are under way may arrive.
const (
	disconnectTime = time.Second
	drainTime      = 250 * time.Millisecond
)

// State of a room or a participant.
type State string

// The states. Connected and reconnecting alternate; disconnected is final.
const (
	StateConnected    State = "connected"
	StateReconnecting State = "reconnecting"
	StateDisconnected State = "disconnected"
)

// Room is one joined room. Its methods may be called from any goroutine, and
// from whoever reads its events.
//
// It owns a loop, the only writer of its state, one goroutine that reads from
// the server, one for each attempt to connect again, and those of its media
// connection. All end with the room.
type Room struct {
	opts  ConnectOptions
	token string // used by the loop only, after joining
	log   *slog.Logger
	api   *rtc.API
	// watches says that the machine's network is to be watched, and is not yet.
	watches bool

	// The inbox of the loop. It is unbounded: what comes from outside is
	// bounded before it gets here, and the loop never waits.
	inboxMu sync.Mutex
	inbox   []func()
	poke    chan struct{}
	stopped bool
	// requests has an entry for each call that waits for the server's answer.
	requests chan struct{}

	life   context.Context //nolint:containedctx // ends with the room; for its own goroutines only
	cancel context.CancelFunc
	wg     sync.WaitGroup
	done   chan struct{}

	// State that everybody reads; the loop writes it under mu.
	mu           sync.RWMutex
	timeline     *timeline.Log[Event]
	memos        map[any]any
	messages     *messageHub
	sid, name    string
	mediaRegion  string
	state        State
	reconnecting error // why, in StateReconnecting
	recording    bool
	muteForced   bool // new audio tracks begin muted
	speaker      *RemoteParticipant
	capabilities Capabilities
	local        *LocalParticipant
	remotes      []*RemoteParticipant // in order of arrival; left ones are gone
	err          error
	final        *Disconnected

	// State of the loop alone.
	loop loopState
}

// SID returns the server's handle of the room.
func (r *Room) SID() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sid
}

// Name returns the room's name; an unnamed room's is its SID.
func (r *Room) Name() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.name
}

// MediaRegion returns where the media server is, or "".
func (r *Room) MediaRegion() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mediaRegion
}

// State returns the state of the connection.
func (r *Room) State() State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.state
}

// IsRecording reports whether the server records the room.
func (r *Room) IsRecording() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.recording
}

// DominantSpeaker returns whose voice matters most at present, or nil: when
// nobody speaks, when it is the program's own participant, and always without
// ConnectOptions.DominantSpeaker. The server decides: with parley's, who has
// spoken for two tenths of a second is the speaker until another one is louder
// or goes on alone, for half a second, or nobody has spoken for two. Only
// enabled tracks whose packets tell how loud they are count: those of browsers,
// and those whose samples have a media.Sample.Level.
func (r *Room) DominantSpeaker() *RemoteParticipant {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.speaker
}

// LocalParticipant returns the program's own participant.
func (r *Room) LocalParticipant() *LocalParticipant { return r.local }

// Capabilities returns what the access token lets the program do. They change
// when the room is joined anew with a token of another role, which can only be
// after an outage: compare them at [Reconnected]. Servers that say nothing of
// it are taken to allow everything but moderating.
func (r *Room) Capabilities() Capabilities {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.capabilities
}

// Capabilities is what a program may do in a room, by the role in its access
// token. The server enforces it: publishing without the right fails with
// [ErrTokenGrants], 20106, and nobody hears of the track.
type Capabilities struct {
	Publish     bool // audio and video tracks
	PublishData bool // data tracks and signals
	Subscribe   bool // to the tracks of others; without it none is ever subscribed
	Moderate    bool // the calls of Room.Moderate
}

// Participants returns the others in the room, in the order in which they came.
// It still answers after the end, with those who were there.
func (r *Room) Participants() []*RemoteParticipant {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.remotes)
}

// Participant returns the one with the SID or identity, or nil.
func (r *Room) Participant(sidOrIdentity string) *RemoteParticipant {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, p := range r.remotes {
		if p.sid == sidOrIdentity || p.identity == sidOrIdentity {
			return p
		}
	}
	return nil
}

// Done is closed when the room has ended and everything of it is released.
func (r *Room) Done() <-chan struct{} { return r.done }

// Err returns why the room ended: nil while it lives, and nil when the program
// left by itself. The first cause counts.
func (r *Room) Err() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.err
}

// Disconnect leaves the room. It may be called from anywhere, any number of
// times, and returns within a second, whatever state the network is in. Data
// messages that were sent before have a quarter of it to arrive. Each
// subscribed track ends with TrackUnsubscribed, then comes Disconnected. The
// program's own tracks are not stopped.
func (r *Room) Disconnect() error {
	r.post(func() { r.end(nil, ReasonLeft) })
	timer := time.NewTimer(disconnectTime)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
	}
	return nil
}

// post runs f on the loop. After the end of the loop it does nothing.
func (r *Room) post(f func()) {
	r.inboxMu.Lock()
	if !r.stopped {
		r.inbox = append(r.inbox, f)
	}
	r.inboxMu.Unlock()
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// do runs f on the loop and waits for it. It fails when the room has ended.
func (r *Room) do(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	r.post(func() {
		defer close(ran)
		f()
	})
	select {
	case <-ran:
		return nil
	case <-r.done:
		select {
		case <-ran:
			return nil
		default:
		}
		return r.closedErr()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Room) closedErr() error {
	if err := r.Err(); err != nil {
		return wrap("%w: %w", ErrRoomClosed, err)
	}
	return wrap("%w", ErrRoomClosed)
}

// run is the loop.
func (r *Room) run() {
	for {
		<-r.poke
		for {
			r.inboxMu.Lock()
			batch := r.inbox
			r.inbox = nil
			r.inboxMu.Unlock()
			if len(batch) == 0 {
				break
			}
			for _, f := range batch {
				f()
			}
			r.flush()
		}
		if r.loop.ended {
			r.shutDown()
			return
		}
	}
}

// after posts f in a while. The returned timer may be stopped.
func (r *Room) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { r.post(f) })
}

// end ends the room; the first cause counts. It runs on the loop.
func (r *Room) end(err error, reason DisconnectReason) {
	if r.loop.ended {
		return
	}
	r.loop.ended = true
	r.mu.Lock()
	r.err, r.state = err, StateDisconnected
	r.reconnecting = nil
	for _, p := range r.remotes {
		for _, pub := range p.tracks {
			r.unsubscribe(pub)
		}
	}
	r.final = &Disconnected{Err: err, Reason: reason}
	r.timeline.End(*r.final)
	r.messages.end()
	r.mu.Unlock()
}

// shutDown releases everything, after the last turn of the loop.
func (r *Room) shutDown() {
	r.inboxMu.Lock()
	r.stopped, r.inbox = true, nil
	r.inboxMu.Unlock()
	l := &r.loop
	l.stopTimers()
	r.cancel()
	for _, pub := range l.publications {
		pub.settle(r.closedErr())
		pub.detach()
	}
	if r.final.Reason == ReasonLeft && l.re.mediaUp && !l.re.mediaDown {
		r.drain()
	}
	for _, pub := range l.publications {
		if d := pub.sender.data.Load(); d != nil {
			d.Abandon()
		}
		pub.track.own().forget(pub)
		close(pub.finale)
	}
	// Both at once: who closes the media connection second waits for nothing,
	// and that shall not be the program.
	closing := l.engine.Close()
	r.wg.Go(func() {
		if err := closing(); err != nil {
			r.log.Debug("closing the media connection", "err", err)
		}
	})
	if l.session != nil {
		// Nobody will resume it, whatever ended the room.
		ctx, cancel := context.WithTimeout(context.Background(), disconnectTime/2)
		if err := l.session.Close(ctx, signaling.ReasonLeave); err != nil {
			r.log.Debug("closing the session", "err", err)
		}
		cancel()
	}
	r.wg.Wait()
	r.mu.Lock()
	for _, p := range r.remotes {
		for _, pub := range p.tracks {
			close(pub.finale)
		}
		p.finish()
	}
	r.local.finish()
	r.mu.Unlock()
	close(r.done)
}

// drain lets what was said before leaving arrive.
func (r *Room) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, pub := range r.loop.publications {
		if d := pub.sender.data.Load(); d != nil {
			d.Drain(ctx)
		}
	}
}

// loopState is what only the loop touches.
type loopState struct {
	ended      bool
	session    signaling.Session
	sessionID  string
	generation int // of the session; what older ones report is stale
	timeout    time.Duration
	caps       signaling.Capabilities
	engine     *engine.Engine
	servers    []signaling.ICEServer
	serversAt  time.Time
	addresses  []netip.Addr // of this machine, when last looked

	publications []*LocalTrackPublication
	revision     int // of our participant section
	dirty        bool
	encoding     EncodingParameters
	subscribe    signaling.Subscribe
	subDirty     bool
	share        share
	replies      []signaling.Channel // of the server's channels, for the next flush

	publishedRev, subscribedRev, recordingRev, warningsRev int
	subs                                                   map[string]signaling.Subscription
	seen                                                   map[string]int // last revision of each participant SID

	measuring measuring
	control   control
	re        reconnect
}

func (l *loopState) stopTimers() {
	for _, t := range []*time.Timer{l.measuring.timer, l.re.deadline, l.re.restart, l.re.retry, l.share.timer} {
		if t != nil {
			t.Stop()
		}
	}
}

// flush sends what the turn changed.
func (r *Room) flush() {
	l := &r.loop
	if l.ended || l.session == nil {
		return
	}
	var u signaling.Update
	if l.dirty {
		u.Participant = r.localSection()
		l.dirty = false
	}
	if l.subDirty {
		s := l.subscribe
		u.Subscribe = &s
		l.subDirty = false
	}
	if l.share.profileDirty {
		u.BandwidthProfile = cloneProfile(l.share.profile)
		l.share.profileDirty = false
	}
	u.Channels = append(append(r.asks(), r.measurements()...), l.replies...)
	u.Channels = append(u.Channels, r.controls()...)
	l.replies = nil
	u.PeerConnections = l.engine.Flush()
	if u.Participant == nil && u.Subscribe == nil && u.BandwidthProfile == nil && len(u.Channels)+len(u.PeerConnections) == 0 {
		return
	}
	if err := l.session.Send(u); err != nil {
		// The reader learns of it too, and resuming sends everything again.
		r.log.Debug("sending an update", "err", err)
	}
}

func (r *Room) localSection() *signaling.LocalParticipant {
	p := &signaling.LocalParticipant{Revision: r.loop.revision}
	for _, pub := range r.loop.publications {
		p.Tracks = append(p.Tracks, signaling.LocalTrack{
			ID: pub.id, Kind: pub.kind, Name: pub.name,
			Enabled: pub.IsTrackEnabled(), Priority: pub.priority,
			Stream: pub.stream,
		})
	}
	return p
}

// changed notes that our participant section differs.
func (r *Room) changed() {
	r.loop.revision++
	r.loop.dirty = true
}
