package sfu

import (
	"slices"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// Moderation: what moderators, and the server's application, do to others. A
// muted track is one whose media goes no further until its publisher enables it
// again, whatever its client makes of that.

// muting says that new audio tracks begin muted. It is immutable.
type muting struct{ except []string }

// spares reports whether the track, or its publisher, is an exception.
func (m *muting) spares(p *peer, trackSID string) bool {
	return slices.ContainsFunc(m.except, func(s string) bool { return s == p.sid || s == p.identity || s == trackSID })
}

// find returns the member who publishes the track, or nil.
func (r *room) find(trackSID string) (*member, *track) {
	for _, m := range r.members {
		for i := range m.tracks {
			if m.tracks[i].sid == trackSID {
				return m, &m.tracks[i]
			}
		}
	}
	return nil, nil
}

var errModerated = signaling.NewError(signaling.CodeTrackRemoved)

// moderate does what a moderator asks.
func (r *room) moderate(m *request) *signaling.Error {
	switch m.Action {
	case "disconnect":
		return r.expel(m.Participant)
	case "unpublish":
		return r.takeDown(m.Track)
	case "mute":
		return r.mute(m.Track)
	case "mute_all":
		r.muteAll(&muting{except: m.Except})
	default:
		r.clearMute()
	}
	return nil
}

// expel removes the member with the SID or identity.
func (r *room) expel(who string) *signaling.Error {
	i := slices.IndexFunc(r.members, func(m *member) bool { return m.sid == who || m.identity == who })
	if i < 0 {
		return signaling.NewError(signaling.CodeParticipantNotFound)
	}
	p := r.members[i].peer
	r.remove(p, signaling.DisconnectRemoved)
	p.post(p.expelled)
	return nil
}

func noTrack(trackSID string) *signaling.Error {
	return signaling.Errorf(signaling.CodeNotFound, "nobody publishes the track %.40q", trackSID)
}

// takeDown ends a publication.
func (r *room) takeDown(trackSID string) *signaling.Error {
	m, t := r.find(trackSID)
	if m == nil {
		return noTrack(trackSID)
	}
	p, pub := m.peer, t.publication
	p.post(func() { p.failTrack(pub, errModerated) })
	return nil
}

// mute mutes a track.
func (r *room) mute(trackSID string) *signaling.Error {
	m, t := r.find(trackSID)
	if m == nil {
		return noTrack(trackSID)
	}
	if t.kind == signaling.KindData {
		return signaling.Errorf(signaling.CodeTrackKindNotSupported, "data tracks cannot be muted")
	}
	p := m.peer
	p.post(func() { p.muteWhere(func(t *track) bool { return t.sid == trackSID }) })
	return nil
}

// muteAll mutes all audio tracks but the exceptions, and those that come until
// it is taken back.
func (r *room) muteAll(all *muting) {
	r.muting = all
	for _, m := range r.members {
		p := m.peer
		p.post(func() {
			p.muting = all
			p.muteWhere(func(t *track) bool { return t.kind == signaling.KindAudio && !all.spares(p, t.sid) })
		})
		p.tellMuting(true)
	}
}

// clearMute lets new tracks begin as they are. What is muted stays so.
func (r *room) clearMute() {
	if r.muting == nil {
		return
	}
	r.muting = nil
	for _, m := range r.members {
		p := m.peer
		p.post(func() { p.muting = nil })
		p.tellMuting(false)
	}
}

// tellMuting tells the client whether new audio tracks begin muted.
func (p *peer) tellMuting(active bool) {
	p.deliver(0, func(number int) any {
		return struct {
			Type   string `json:"type"`
			Number int    `json:"number"`
			Active bool   `json:"active"`
		}{"muting", number, active}
	})
}

// beginMuted is for one that enters while all are muted. The peer waits for it.
func (p *peer) beginMuted(all *muting) []track {
	p.muting = all
	p.tellMuting(true)
	for _, t := range p.tracks {
		if t.kind == signaling.KindAudio && !all.spares(p, t.sid) {
			p.force(t)
		}
	}
	return p.trackList()
}

// muteWhere mutes some of the peer's own tracks.
func (p *peer) muteWhere(which func(*track) bool) {
	changed := false
	for _, t := range p.tracks {
		if !t.forced && which(t) {
			p.force(t)
			changed = true
		}
	}
	if changed && !p.ended {
		p.tellRoom()
	}
}

// force mutes one and tells its publisher.
func (p *peer) force(t *track) {
	t.forced, t.updated = true, time.Now()
	t.up.setMuted(true)
	sid := t.sid
	p.deliver(0, func(number int) any {
		return struct {
			Type   string `json:"type"`
			Number int    `json:"number"`
			Track  string `json:"track"`
		}{"muted", number, sid}
	})
}

// unmute lets a track go on: its publisher wants to.
func (t *track) unmute() {
	if t.forced {
		t.forced, t.updated = false, time.Now()
		t.up.setMuted(false)
	}
}

// on reports whether the others may expect something of the track.
func (t *track) on() bool { return t.enabled && !t.forced }

// unmuteOwn is a publisher's word that its track goes on.
func (r *room) unmuteOwn(m *member, trackSID string) *signaling.Error {
	if !slices.ContainsFunc(m.tracks, func(t track) bool { return t.sid == trackSID }) {
		return noTrack(trackSID)
	}
	p := m.peer
	p.post(func() {
		for _, t := range p.tracks {
			if t.sid == trackSID && t.forced && !p.ended {
				t.unmute()
				p.tellRoom()
			}
		}
	})
	return nil
}

// setMuted stops everything of the publication on its way to the subscribers,
// or lets it go on, as a picture does with a key frame.
func (u *uplink) setMuted(muted bool) {
	if muted {
		u.muted.Store(true)
		for _, l := range *u.layers.Load() {
			l.key.Store(nil) // nobody begins with what there was before
		}
		return
	}
	slots := *u.slots.Load()
	for _, s := range slots {
		s.mu.Lock()
		s.started, s.held = false, false // the numbers of the packets have no gap
		s.mu.Unlock()
	}
	u.muted.Store(false)
	for _, s := range slots {
		s.keyframe()
	}
}

// inRoom does something in the turn of a room in progress.
func (s *Server) inRoom(nameOrSID string, do func(*room) *signaling.Error) error {
	r, err := s.inProgress(nameOrSID)
	if err != nil {
		return err
	}
	var refusal *signaling.Error
	if !r.do(func() { refusal = do(r) }) {
		return errRoomGone
	}
	if refusal != nil {
		return refusal
	}
	return nil
}

// Unpublish ends a publication of somebody in a room in progress; its publisher
// is told [signaling.CodeTrackRemoved]. The error has the code
// [signaling.CodeRoomNotFound] or [signaling.CodeNotFound].
func (s *Server) Unpublish(nameOrSID, trackSID string) error {
	return s.inRoom(nameOrSID, func(r *room) *signaling.Error { return r.takeDown(trackSID) })
}

// Mute mutes an audio or video track until its publisher enables it again, with
// the errors of Unpublish, and [signaling.CodeTrackKindNotSupported].
func (s *Server) Mute(nameOrSID, trackSID string) error {
	return s.inRoom(nameOrSID, func(r *room) *signaling.Error { return r.mute(trackSID) })
}

// MuteAll mutes all audio tracks, and those that come later, but the ones with
// these SIDs and those of participants with these SIDs or identities.
func (s *Server) MuteAll(nameOrSID string, except ...string) error {
	all := &muting{except: slices.Clone(except)}
	return s.inRoom(nameOrSID, func(r *room) *signaling.Error { r.muteAll(all); return nil })
}

// ClearMute ends what MuteAll does to later tracks.
func (s *Server) ClearMute(nameOrSID string) error {
	return s.inRoom(nameOrSID, func(r *room) *signaling.Error { r.clearMute(); return nil })
}
