package parley

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// What a server can make us keep: participants of a room, and tracks of one of
// them.
const (
	maxParticipants = 1000
	maxTracks       = 256
)

// apply takes the server's sections. It runs on the loop.
func (r *Room) apply(u signaling.Update) {
	l := &r.loop
	if l.ended {
		return
	}
	r.mu.Lock()
	r.applyParticipants(u.Participants, u.Full)
	r.applySpeaker(u.Channels)
	if s := u.Recording; s != nil && s.Revision > l.recordingRev {
		l.recordingRev = s.Revision
		r.applyRecording(s.Active)
	}
	r.mu.Unlock()
	if s := u.Published; s != nil && s.Revision > l.publishedRev {
		l.publishedRev = s.Revision
		r.applyPublished(s.Tracks)
	}
	if s := u.Warnings; s != nil && s.Revision > l.warningsRev {
		l.warningsRev = s.Revision
		r.applyWarnings(s.NoMedia)
	}
	if s := u.Subscribed; s != nil && s.Revision > l.subscribedRev {
		l.subscribedRev = s.Revision
		r.applySubscribed(s.Tracks)
	}
	if err := l.engine.Apply(u.PeerConnections, u.Full); err != nil {
		r.mediaBroken(err)
		return
	}
	r.goLive()
	r.reconcile()
	if l.re.mediaDown && l.caps.PeerToPeer {
		r.connectionChanged() // perhaps nobody is left
	}
	for _, c := range u.Channels {
		r.applyChannel(c)
	}
}

// applyParticipants takes the participants section. mu is held.
func (r *Room) applyParticipants(list []signaling.RemoteParticipant, full bool) {
	if full {
		// Those who left come first: somebody else may be here in their name.
		for _, p := range slices.Clone(r.remotes) {
			if !slices.ContainsFunc(list, func(s signaling.RemoteParticipant) bool { return r.same(p, s) }) {
				r.drop(p, "")
			}
		}
	}
	for _, s := range list {
		if s.SID != "" && s.SID != r.local.sid {
			r.applyParticipant(s)
		}
	}
}

// same reports whether the entry is about the participant. After a full
// reconnect the server's handles are new, and who it is tells the identity.
func (r *Room) same(p *RemoteParticipant, s signaling.RemoteParticipant) bool {
	return p.sid == s.SID || (r.loop.re.rejoined && s.SID != "" && p.identity == s.Identity)
}

func (r *Room) applyParticipant(s signaling.RemoteParticipant) {
	l := &r.loop
	if last, known := l.seen[s.SID]; known && s.Revision <= last {
		return
	}
	if len(l.seen) > 4*maxParticipants {
		r.forget()
	}
	p := r.find(s)
	if p == nil {
		if s.State == signaling.StateDisconnected || len(r.remotes) >= maxParticipants {
			l.seen[s.SID] = s.Revision
			return
		}
		p = &RemoteParticipant{
			room: r, done: make(chan struct{}), sid: s.SID, identity: s.Identity, state: StateConnected,
		}
		r.remotes = append(slices.Clone(r.remotes), p)
		r.timeline.Append(ParticipantConnected{p})
	}
	l.seen[s.SID] = s.Revision
	if s.State == signaling.StateDisconnected {
		r.drop(p, s.Reason)
		return
	}
	r.applyTracks(p, s.Tracks)
	switch {
	case s.State == signaling.StateReconnecting && p.state == StateConnected:
		p.state = StateReconnecting
		r.timeline.Append(ParticipantReconnecting{p})
	case s.State == signaling.StateConnected && p.state == StateReconnecting:
		p.state = StateConnected
		r.timeline.Append(ParticipantReconnected{p})
	}
}

// forget drops the revisions of those who left, so that the map stays bounded.
func (r *Room) forget() {
	for sid := range r.loop.seen {
		if !slices.ContainsFunc(r.remotes, func(p *RemoteParticipant) bool { return p.sid == sid }) {
			delete(r.loop.seen, sid)
		}
	}
}

// find returns the participant that the entry is about. After a full reconnect
// the server's handles are new, and who it is tells the identity.
func (r *Room) find(s signaling.RemoteParticipant) *RemoteParticipant {
	for _, p := range r.remotes {
		if p.sid == s.SID {
			return p
		}
	}
	if !r.loop.re.rejoined {
		return nil
	}
	for _, p := range r.remotes {
		if p.identity == s.Identity {
			p.sid = s.SID
			return p
		}
	}
	return nil
}

// applyTracks takes a participant's list of tracks. Those that it lacks go
// first: a new one may have the name of an old one.
func (r *Room) applyTracks(p *RemoteParticipant, tracks []signaling.RemoteTrack) {
	known := make([]*RemoteTrackPublication, len(tracks))
	kept := make(map[*RemoteTrackPublication]bool, len(tracks))
	for i, t := range tracks {
		if known[i] = r.findPublication(p, t, kept); known[i] != nil {
			kept[known[i]] = true
		}
	}
	for _, pub := range p.tracks {
		if !kept[pub] {
			p.tracks = slices.DeleteFunc(slices.Clone(p.tracks), func(o *RemoteTrackPublication) bool { return o == pub })
			r.withdraw(pub)
			r.timeline.Append(TrackUnpublished{pub, p})
		}
	}
	for i, t := range tracks {
		pub := known[i]
		if pub == nil {
			pub = p.publication(t.SID) // a SID that comes twice
		}
		if pub == nil {
			if t.SID == "" || !knownKind(t.Kind) || len(p.tracks) >= maxTracks {
				continue // nothing that we could give to the program
			}
			pub = &RemoteTrackPublication{
				participant: p, kind: t.Kind, name: t.Name, stream: t.Stream, sid: t.SID,
				enabled: t.Enabled, priority: t.Priority, finale: make(chan struct{}),
			}
			p.tracks = append(slices.Clone(p.tracks), pub)
			r.timeline.Append(TrackPublished{pub, p})
		}
		r.applyTrack(p, pub, t)
	}
}

// findPublication returns the publication that the entry is about, or nil.
// After a full reconnect the server's handles are new, and which it is tell the
// kind and the name.
func (r *Room) findPublication(p *RemoteParticipant, t signaling.RemoteTrack, taken map[*RemoteTrackPublication]bool) *RemoteTrackPublication {
	if t.SID == "" {
		return nil
	}
	if pub := p.publication(t.SID); pub != nil || !r.loop.re.rejoined {
		return pub
	}
	for _, old := range p.tracks {
		if !taken[old] && old.kind == t.Kind && old.name == t.Name {
			old.sid = t.SID
			return old
		}
	}
	return nil
}

func knownKind(k Kind) bool { return k == KindAudio || k == KindVideo || k == KindData }

func (r *Room) applyTrack(p *RemoteParticipant, pub *RemoteTrackPublication, t signaling.RemoteTrack) {
	if pub.enabled != t.Enabled {
		pub.enabled = t.Enabled
		if t.Enabled {
			r.timeline.Append(TrackEnabled{pub.track, pub, p})
		} else {
			r.timeline.Append(TrackDisabled{pub.track, pub, p})
		}
	}
	if t.Priority != "" && pub.priority != t.Priority {
		pub.priority = t.Priority
		r.timeline.Append(TrackPublishPriorityChanged{t.Priority, pub, p})
	}
}

// withdraw ends a publication. mu is held.
func (r *Room) withdraw(pub *RemoteTrackPublication) {
	r.unsubscribe(pub)
	pub.gone = true
	close(pub.finale)
	pub.settleSubscription(ErrUnsubscribed)
}

// drop takes a participant out of the room. mu is held.
func (r *Room) drop(p *RemoteParticipant, reason DisconnectReason) {
	for _, pub := range p.tracks {
		r.withdraw(pub)
	}
	p.state = StateDisconnected
	r.remotes = slices.DeleteFunc(slices.Clone(r.remotes), func(o *RemoteParticipant) bool { return o == p })
	r.timeline.Append(ParticipantDisconnected{p, reason})
	p.finish()
}

// unsubscribe ends the track of a publication, if it has one. mu is held.
func (r *Room) unsubscribe(pub *RemoteTrackPublication) {
	delete(r.loop.share.off, pub.sid)
	t := pub.track
	if t == nil {
		return
	}
	pub.track, pub.off, pub.home = nil, false, nil
	if d, ok := t.(*RemoteDataTrack); ok {
		if ch := r.loop.engine.Channel(r.channelOf(pub, pub.bound)); ch != nil && !r.loop.ended {
			ch.Finish(d.end) // the last messages may be slower than this news
		} else {
			d.end()
		}
		r.loop.engine.ForgetChannel(r.channelOf(pub, pub.bound))
	} else {
		t.media().recv.Close()
	}
	pub.bound = signaling.Subscription{}
	r.timeline.Append(TrackUnsubscribed{t, pub, pub.participant})
	t.finish()
	pub.settleSubscription(nil)
}

func (r *Room) applyRecording(active bool) {
	if r.recording == active {
		return
	}
	r.recording = active
	if active {
		r.timeline.Append(RecordingStarted{})
	} else {
		r.timeline.Append(RecordingStopped{})
	}
}

func (r *Room) applyPublished(tracks []signaling.PublishedTrack) {
	l := &r.loop
	for _, t := range tracks {
		i := slices.IndexFunc(l.publications, func(p *LocalTrackPublication) bool { return p.id == t.ID })
		if i < 0 {
			continue
		}
		pub := l.publications[i]
		switch t.State {
		case signaling.PublishReady:
			r.accepted(pub, t.SID)
		case signaling.PublishFailed:
			r.refused(pub, t.Err)
		}
	}
}

func (r *Room) accepted(pub *LocalTrackPublication, sid string) {
	r.mu.Lock()
	pub.sid = sid
	if !pub.listed {
		pub.listed = true
		r.local.tracks = append(slices.Clone(r.local.tracks), pub)
		r.tellOwn(pub.track, LocalTrackPublished{pub})
	}
	r.mu.Unlock()
	pub.settle(nil)
}

func (r *Room) refused(pub *LocalTrackPublication, cause *signaling.Error) {
	if cause == nil {
		cause = signaling.NewError(signaling.CodeTrackInvalid)
	}
	r.mu.Lock()
	r.tellOwn(pub.track, LocalTrackPublicationFailed{cause, pub.track})
	r.mu.Unlock()
	pub.settle(cause)
	r.unpublish(pub)
}

// goLive lets media flow into what is accepted and negotiated, once the
// connection is up.
func (r *Room) goLive() {
	if !r.loop.re.mediaUp {
		return
	}
	for _, pub := range r.loop.publications {
		if pub.listed && pub.ready() {
			pub.setLive()
		}
	}
	r.shareUplink() // among others, perhaps, or of another connection
}

func (r *Room) applyWarnings(noMedia map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pub := range r.local.tracks {
		lost, told := noMedia[pub.sid]
		if !told {
			continue
		}
		if lost {
			r.tellOwn(pub.track, TrackWarning{"recording-media-lost", pub})
		} else {
			r.tellOwn(pub.track, TrackWarningsCleared{pub})
		}
	}
}

// applyChannel takes a media-signaling message.
func (r *Room) applyChannel(c signaling.Channel) {
	switch c.Name {
	case channelQuality:
		r.applyQuality(c.Payload)
		return
	case channelControl:
		r.applyControl(c.Payload)
		return
	}
	var m struct {
		Participant string   `json:"participant"`
		Off         []string `json:"off"`
		On          []string `json:"on"`

		Transcription  string `json:"transcription"`
		Track          string `json:"track"`
		PartialResults bool   `json:"partial_results"`
		LanguageCode   string `json:"language_code"`
		SequenceNumber int    `json:"sequence_number"`
		Timestamp      string `json:"timestamp"`
	}
	if len(c.Payload) == 0 || json.Unmarshal(c.Payload, &m) != nil {
		return // not ours to understand
	}
	if c.Name == channelPublisherHints {
		r.applyHints(c.Payload)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch c.Name {
	case channelTrackSwitchOff:
		r.applySwitched(m.Off, m.On)
	case "extension_transcriptions":
		at, _ := time.Parse(time.RFC3339, m.Timestamp) // zero where it cannot be read
		r.timeline.Append(Transcription{
			Participant: m.Participant, Track: m.Track, Text: m.Transcription, Language: m.LanguageCode,
			Partial: m.PartialResults, Sequence: m.SequenceNumber, Timestamp: at,
		})
	}
}

func (r *Room) bySID(sid string) *RemoteParticipant {
	for _, p := range r.remotes {
		if p.sid == sid {
			return p
		}
	}
	return nil
}

func (r *Room) switchOff(sid string, off bool) {
	for _, p := range r.remotes {
		pub := p.publication(sid)
		if pub == nil || pub.track == nil || pub.off == off {
			continue
		}
		pub.off = off
		if off {
			r.timeline.Append(TrackSwitchedOff{pub.track, pub, p})
		} else {
			r.timeline.Append(TrackSwitchedOn{pub.track, pub, p})
		}
	}
}

// The room's part of what local tracks tell. They run on the loop.

func (r *Room) localEnabled(pub *LocalTrackPublication, enabled bool) {
	if pub.gone {
		return
	}
	r.changed()
	if enabled {
		r.unforce(pub)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !pub.listed || r.loop.ended {
		return
	}
	if enabled {
		r.tellOwn(pub.track, LocalTrackEnabled{pub})
	} else {
		r.tellOwn(pub.track, LocalTrackDisabled{pub})
	}
}

func (r *Room) localStarted(pub *LocalTrackPublication) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pub.listed && !pub.gone && !pub.started && !r.loop.ended {
		pub.started = true
		r.tellOwn(pub.track, LocalTrackStarted{pub})
	}
}

func (r *Room) localStopped(pub *LocalTrackPublication, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pub.listed && !pub.gone && !r.loop.ended {
		r.tellOwn(pub.track, LocalTrackStopped{pub, err})
	}
}

func (r *Room) localSized(e LocalTrackDimensionsChanged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pub := e.Publication; pub.listed && !pub.gone && !r.loop.ended {
		r.tellOwn(pub.track, e)
	}
}

func (r *Room) localMuted(pub *LocalTrackPublication, muted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !pub.listed || pub.gone || pub.muted == muted || r.loop.ended {
		return
	}
	pub.muted = muted
	if muted {
		r.tellOwn(pub.track, LocalTrackMuted{pub})
	} else {
		r.tellOwn(pub.track, LocalTrackUnmuted{pub})
	}
}
