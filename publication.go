package parley

import (
	"context"

	"github.com/parley-rtc/parley/signaling"
)

// RemoteTrackPublication is what a remote participant publishes: a track that
// we can subscribe to. The object stays the same through reconnecting.
type RemoteTrackPublication struct {
	participant *RemoteParticipant
	kind        Kind
	name        string
	stream      string

	// Written by the room's loop, under its mu.
	sid      string
	enabled  bool
	priority Priority
	track    RemoteTrack // nil while not subscribed
	off      bool        // switched off by the server
	gone     bool        // unpublished
	failed   bool        // the failure of the subscription was told
	asked    asked       // of the server, by the program

	// Of the loop alone.
	bound  signaling.Subscription // what track is bound to
	home   any                    // what carries it, in peer-to-peer rooms
	want   *bool                  // SetSubscribed's wish
	waits  []chan error           // of SetSubscribed
	finale chan struct{}
}

// TrackSID returns the server's handle of the track. It differs after a full
// reconnect.
func (p *RemoteTrackPublication) TrackSID() string {
	p.participant.room.mu.RLock()
	defer p.participant.room.mu.RUnlock()
	return p.sid
}

// TrackName returns the name the publisher gave it, unique among its tracks.
func (p *RemoteTrackPublication) TrackName() string { return p.name }

// Kind returns audio, video or data.
func (p *RemoteTrackPublication) Kind() Kind { return p.kind }

// Stream returns the label under which the publisher groups tracks that belong
// together, or "".
func (p *RemoteTrackPublication) Stream() string { return p.stream }

// Participant returns who publishes it.
func (p *RemoteTrackPublication) Participant() *RemoteParticipant { return p.participant }

// IsTrackEnabled reports whether the publisher sends.
func (p *RemoteTrackPublication) IsTrackEnabled() bool {
	p.participant.room.mu.RLock()
	defer p.participant.room.mu.RUnlock()
	return p.enabled
}

// IsSubscribed reports whether Track returns a track.
func (p *RemoteTrackPublication) IsSubscribed() bool { return p.Track() != nil }

// Track returns the subscribed track, or nil.
func (p *RemoteTrackPublication) Track() RemoteTrack {
	p.participant.room.mu.RLock()
	defer p.participant.room.mu.RUnlock()
	return p.track
}

// PublishPriority returns the priority that the publisher gave it.
func (p *RemoteTrackPublication) PublishPriority() Priority {
	p.participant.room.mu.RLock()
	defer p.participant.room.mu.RUnlock()
	return p.priority
}

// Events returns the publication's part of the room's timeline. It ends with
// TrackUnpublished, with the participant, or with the room.
func (p *RemoteTrackPublication) Events() <-chan Event {
	return part(p.participant.room, p, func(e Event) bool { return publicationOf(e) == p }, func(e Event) bool {
		switch e := e.(type) {
		case TrackUnpublished:
			return e.Publication == p
		case ParticipantDisconnected:
			return e.Participant == p.participant
		}
		return false
	})
}

// Done is closed when the track is no longer published: unpublished, or its
// participant or the room is gone.
func (p *RemoteTrackPublication) Done() <-chan struct{} { return p.finale }

// SetSubscribed subscribes to the track or unsubscribes, and waits until it is
// so: then IsSubscribed tells it, TrackSubscribed or TrackUnsubscribed is among
// the events, and the server sends nothing of a track that is not wanted. It
// overrides ManualSubscribe for this publication, through reconnecting and until
// it ends. While the connection is lost it waits. Of several calls that wait the
// last counts for all.
//
// The error is [ErrTokenGrants] where the role in the token may not receive
// tracks, or an administrator excluded this one; [ErrUnsubscribed] when the
// publication ends first; an [*Error] with code 53117 in peer-to-peer rooms and
// with servers that take no wishes, 53305 where the server has no capacity, and
// 53215 when more than 255 publications are chosen one by one.
func (p *RemoteTrackPublication) SetSubscribed(ctx context.Context, want bool) error {
	r := p.participant.room
	settled := make(chan error, 1)
	if err := r.do(ctx, func() { r.setSubscribed(p, want, settled) }); err != nil {
		return err
	}
	select {
	case err := <-settled:
		if err != nil {
			return wrap("subscribing to track %s: %w", p.name, err)
		}
		return nil
	case <-r.done:
		return r.closedErr()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settleSubscription tells those who wait in SetSubscribed. It runs on the loop.
func (p *RemoteTrackPublication) settleSubscription(err error) {
	if err == nil && p.want != nil && *p.want != (p.track != nil) && !p.gone {
		return
	}
	for _, w := range p.waits {
		w <- err
	}
	p.waits = nil
}

// LocalTrackPublication is a track of ours in one room.
type LocalTrackPublication struct {
	room     *Room
	track    LocalTrack
	kind     Kind
	id       string // on the wire; fresh for each publication
	name     string
	stream   string
	settled  chan struct{}
	finale   chan struct{} // closed when it is withdrawn, or the room has ended
	priority Priority      // guarded by room.mu

	// Written by the room's loop, under its mu.
	sid     string
	started bool
	muted   bool
	forced  bool  // somebody else muted it, and it was not enabled since
	err     error // why it failed

	// Of the loop alone.
	told   bool // settled is closed
	listed bool // it is in the room's list and LocalTrackPublished was told
	gone   bool
	flow   flow

	sender sender
}

// TrackSID returns the server's handle of the track. It differs after a full
// reconnect.
func (p *LocalTrackPublication) TrackSID() string {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.sid
}

// TrackName returns the name under which it is published.
func (p *LocalTrackPublication) TrackName() string { return p.name }

// Kind returns audio, video or data.
func (p *LocalTrackPublication) Kind() Kind { return p.kind }

// Stream returns the label that groups tracks which belong together, or "".
func (p *LocalTrackPublication) Stream() string { return p.stream }

// Done is closed when the track is no longer published: withdrawn, refused, or
// the room has ended.
func (p *LocalTrackPublication) Done() <-chan struct{} { return p.finale }

// Track returns the track.
func (p *LocalTrackPublication) Track() LocalTrack { return p.track }

// IsTrackEnabled reports whether the track is enabled.
func (p *LocalTrackPublication) IsTrackEnabled() bool {
	if m := p.track.local(); m != nil {
		return m.IsEnabled()
	}
	return true
}

// Priority returns the priority.
func (p *LocalTrackPublication) Priority() Priority {
	p.room.mu.RLock()
	defer p.room.mu.RUnlock()
	return p.priority
}

// SetPriority changes the priority; others get TrackPublishPriorityChanged.
func (p *LocalTrackPublication) SetPriority(priority Priority) error {
	if !validPriority(priority) {
		return wrap("%w: priority %q", ErrOption, priority)
	}
	p.room.post(func() {
		p.room.mu.Lock()
		p.priority = priority
		p.room.mu.Unlock()
		p.room.changed()
	})
	return nil
}

// Unpublish withdraws the track from the room; the track itself goes on.
func (p *LocalTrackPublication) Unpublish(ctx context.Context) error {
	return p.room.local.UnpublishTrack(ctx, p.track)
}

// Events returns the publication's part of the room's timeline. It ends with
// LocalTrackUnpublished, or with the room.
func (p *LocalTrackPublication) Events() <-chan Event {
	return part(p.room, p, func(e Event) bool { return localPublicationOf(e) == p }, func(e Event) bool {
		u, ok := e.(LocalTrackUnpublished)
		return ok && u.Publication == p
	})
}

// settle tells those who wait for the publication. It runs on the loop.
func (p *LocalTrackPublication) settle(err error) {
	if p.told {
		return
	}
	p.told = true
	p.room.mu.Lock()
	p.err = err
	p.room.mu.Unlock()
	close(p.settled)
}

func validPriority(p Priority) bool {
	return p == PriorityLow || p == PriorityStandard || p == PriorityHigh
}

func localPublicationOf(e Event) *LocalTrackPublication {
	switch e := e.(type) {
	case LocalTrackPublished:
		return e.Publication
	case LocalTrackUnpublished:
		return e.Publication
	case LocalTrackEnabled:
		return e.Publication
	case LocalTrackDisabled:
		return e.Publication
	case LocalTrackStarted:
		return e.Publication
	case LocalTrackStopped:
		return e.Publication
	case LocalTrackDimensionsChanged:
		return e.Publication
	case LocalTrackForceMuted:
		return e.Publication
	case LocalTrackMuted:
		return e.Publication
	case LocalTrackUnmuted:
		return e.Publication
	case TrackWarning:
		return e.Publication
	case TrackWarningsCleared:
		return e.Publication
	case MessagesUnconfirmed:
		return e.Publication
	}
	return nil
}
