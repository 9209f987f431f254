package parley

import (
	"context"

	"github.com/parley-rtc/parley/signaling"
)

// Moderation holds the calls of a moderator: see Room.Moderate. Each waits for
// the server's answer; while the connection is lost it waits too, and ctx bounds
// it.
//
// The error is [ErrTokenGrants] where the role in the token is not a moderator's
// (then nothing happens), [ErrParticipantNotFound] or [ErrTrackNotFound] for who
// or what is there no longer, and otherwise as Room.Signal has it.
type Moderation struct{ room *Room }

// Moderate returns the calls of a moderator. Capabilities tells whether the
// program may use them.
func (r *Room) Moderate() Moderation { return Moderation{r} }

// Disconnect removes a participant. Its room ends with [ReasonRemoved].
func (m Moderation) Disconnect(ctx context.Context, p *RemoteParticipant) error {
	return m.do(ctx, "removing a participant", wireRequest{Action: "disconnect", Participant: p.SID()})
}

// Unpublish takes a track out of the room. Its publisher is told, as
// LocalTrackPublicationFailed with [ErrTrackRemoved] and LocalTrackUnpublished,
// and may publish it anew.
func (m Moderation) Unpublish(ctx context.Context, pub *RemoteTrackPublication) error {
	return m.do(ctx, "unpublishing a track", wireRequest{Action: "unpublish", Track: pub.TrackSID()})
}

// Mute stops an audio or video track until its publisher enables it again, which
// it may. The server forwards nothing of it meanwhile, whatever the publisher's
// client does; in a peer-to-peer room, where it forwards nothing at all, that is
// up to the client. Others get TrackDisabled, the publisher
// LocalTrackForceMuted.
func (m Moderation) Mute(ctx context.Context, pub *RemoteTrackPublication) error {
	return m.do(ctx, "muting a track", wireRequest{Action: "mute", Track: pub.TrackSID()})
}

// MuteAll mutes all audio tracks, as Mute does, but those of the exceptions:
// who does not want to mute itself is one of them. Tracks that are published
// later begin muted too, until ClearMute.
func (m Moderation) MuteAll(ctx context.Context, except ...Participant) error {
	w := wireRequest{Action: "mute_all"}
	for _, p := range except {
		w.Except = append(w.Except, p.Identity())
	}
	return m.do(ctx, "muting all", w)
}

// ClearMute lets tracks begin as they are again. What is muted stays muted until
// its publisher enables it.
func (m Moderation) ClearMute(ctx context.Context) error {
	return m.do(ctx, "clearing the mute", wireRequest{Action: "clear_mute"})
}

func (m Moderation) do(ctx context.Context, doing string, w wireRequest) error {
	return inContext(m.room.ask(ctx, &w, false), doing)
}

// LocalTrackForceMuted: a moderator, or the server's application, muted a
// published track of ours. The track is disabled now, everywhere that it is
// published; enabling it again takes the mute back.
type LocalTrackForceMuted struct {
	Publication *LocalTrackPublication
}

// MuteForced: from now on new audio tracks begin muted, or no longer do. Who
// joins while they do is told so.
type MuteForced struct{ Active bool }

func (LocalTrackForceMuted) event() {}
func (MuteForced) event()           {}

// LocalTrackForceMuted tells which of the program's own tracks somebody else
// muted, those that were not enabled since first.
func (r *Room) LocalTrackForceMuted() <-chan LocalTrackForceMuted {
	return view[LocalTrackForceMuted](r)
}

// MuteForced tells when all are muted, also when they were already, and when that
// is over.
func (r *Room) MuteForced() <-chan MuteForced { return view[MuteForced](r) }

// setMuteForced tells a change. mu is held.
func (r *Room) setMuteForced(active bool) {
	if r.muteForced != active {
		r.muteForced = active
		r.timeline.Append(MuteForced{active})
	}
}

// forceMuted disables a track of ours. It runs on the loop.
func (r *Room) forceMuted(sid string) {
	for _, pub := range r.loop.publications {
		m := pub.track.local()
		if pub.sid != sid || m == nil || pub.gone {
			continue
		}
		m.SetEnabled(false)
		r.mu.Lock()
		pub.forced = true
		r.tellOwn(pub.track, LocalTrackForceMuted{pub})
		r.mu.Unlock()
	}
}

// unforce tells the server that a track of ours goes on. That it is enabled says
// so too, unless it was disabled for too short a time to be told.
func (r *Room) unforce(pub *LocalTrackPublication) {
	if !pub.forced {
		return
	}
	r.mu.Lock()
	pub.forced = false
	r.mu.Unlock()
	w := &wireRequest{Type: "request", Action: "unmute", Track: pub.sid}
	r.enqueue(&request{message: w, setID: func(id int) { w.ID = id }, free: true, done: make(chan error, 1)})
}

// ErrTrackNotFound says that nobody publishes the track any more. It matches
// every error of code 20404.
var ErrTrackNotFound error = signaling.NewError(signaling.CodeNotFound)

// ErrTrackRemoved says that a moderator, or the server's application, took the
// track out of the room.
var ErrTrackRemoved error = signaling.NewError(signaling.CodeTrackRemoved)
