package sfu

import (
	"sync"
	"time"

	"github.com/parley-rtc/parley/internal/names"
	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// publication is a track that a participant publishes. What is here never
// changes; the peer's goroutine and those of its subscribers share it.
type publication struct {
	sid, id, name string // id is the publisher's, on the wire
	stream        string
	kind          signaling.Kind
	created       time.Time
	up            *uplink     // audio and video
	data          *dataUplink // data
	uncount       func()      // gives its place in the room back
}

// track is a publication with what its publisher may change.
type track struct {
	*publication
	enabled  bool
	forced   bool // muted by somebody else
	priority signaling.Priority
	ready    bool // media or messages can be forwarded
	updated  time.Time
}

func (t *track) remote() signaling.RemoteTrack {
	return signaling.RemoteTrack{SID: t.sid, Kind: t.kind, Name: t.name, Enabled: t.on(), Priority: t.priority, Stream: t.stream}
}

func newPublication(lt *signaling.LocalTrack, limits *Limits) *publication {
	pub := &publication{sid: sid.New(sid.Track), id: lt.ID, name: lt.Name, kind: lt.Kind, stream: lt.Stream, created: time.Now()}
	if lt.Kind == signaling.KindData {
		pub.data = &dataUplink{}
	} else {
		pub.up = newUplink(media.Kind(lt.Kind), limits.KeyframePause)
	}
	return pub
}

func (pub *publication) close() {
	pub.uncount()
	if pub.up != nil {
		pub.up.close()
	}
}

// publish takes over what the client says it publishes.
func (p *peer) publish(lp *signaling.LocalParticipant) *signaling.Error {
	if lp.Revision <= p.localRevision {
		return nil
	}
	listed := make(map[string]bool, len(lp.Tracks))
	for i := range lp.Tracks {
		id := lp.Tracks[i].ID
		if id == "" || len(id) > 256 || listed[id] {
			return signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "a published track has no id of its own")
		}
		listed[id] = true
	}
	p.localRevision = lp.Revision

	keep := p.tracks[:0:0]
	for _, t := range p.tracks {
		if listed[t.id] {
			keep = append(keep, t)
		} else {
			p.unpublish(t.publication)
		}
	}
	p.tracks = keep
	for id := range p.refused {
		if !listed[id] {
			delete(p.refused, id)
		}
	}
	for i := range lp.Tracks {
		p.publishTrack(&lp.Tracks[i])
	}
	p.publishedDirty = true
	p.bind()
	p.boundMedia()
	p.tellRoom()
	return nil
}

func (p *peer) publishTrack(lt *signaling.LocalTrack) {
	priority := lt.Priority
	switch priority {
	case signaling.PriorityLow, signaling.PriorityHigh:
	default:
		priority = signaling.PriorityStandard
	}
	for _, t := range p.tracks {
		if t.id == lt.ID {
			if lt.Enabled && !t.enabled {
				t.unmute()
			}
			if t.enabled != lt.Enabled || t.priority != priority {
				t.enabled, t.priority, t.updated = lt.Enabled, priority, time.Now()
			}
			return
		}
	}
	if p.refused[lt.ID] != nil {
		return
	}
	if err := p.admitTrack(lt); err != nil {
		p.refused[lt.ID] = err
		p.srv.metrics.refused(err.Code)
		return
	}
	pub := newPublication(lt, &p.srv.cfg.Limits)
	p.watchLayers(pub)
	pub.uncount = sync.OnceFunc(p.room.uncountTrack)
	t := &track{publication: pub, enabled: lt.Enabled, priority: priority, updated: pub.created}
	p.tracks = append(p.tracks, t)
	if p.muting != nil && t.kind == signaling.KindAudio && !p.muting.spares(p, t.sid) {
		p.force(t)
	}
}

// admitTrack decides whether the client may publish the track.
func (p *peer) admitTrack(lt *signaling.LocalTrack) *signaling.Error {
	allowed := p.role.CanPublish()
	switch lt.Kind {
	case signaling.KindAudio, signaling.KindVideo:
	case signaling.KindData:
		allowed = p.role.CanSendData()
	default:
		return signaling.NewError(signaling.CodeTrackInvalid)
	}
	if !allowed {
		return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the role %q may not publish %s", p.role, lt.Kind)
	}
	if err := names.Track(lt.Name); err != nil {
		return asError(err, signaling.CodeTrackNameInvalid)
	}
	if lt.Stream != "" && names.Track(lt.Stream) != nil {
		return signaling.Errorf(signaling.CodeTrackInvalid, "the stream label is not like a name")
	}
	for _, t := range p.tracks {
		if t.name == lt.Name {
			return signaling.NewError(signaling.CodeTrackNameDuplicated)
		}
	}
	if len(p.tracks) >= p.srv.cfg.MaxTracks {
		return signaling.NewError(signaling.CodeMaxTracksExceeded)
	}
	if lt.Kind == signaling.KindVideo && p.room.opts.AudioOnly {
		return signaling.NewError(signaling.CodeTrackKindNotSupported)
	}
	if err := p.srv.refusePublish(p.identity, *lt); err != nil {
		return err
	}
	if !p.room.countTrack() { // the last check: what is counted is published
		return signaling.NewError(signaling.CodeMaxTracksExceeded)
	}
	return nil
}

// unpublish ends a publication on the publisher's side. Its subscribers let go
// of it when the room tells them.
func (p *peer) unpublish(pub *publication) {
	pub.close()
	if p.link != nil {
		p.link.uncarry(pub)
	}
}

// bind joins publications to the media that carries them, and notes which of
// them can be forwarded.
func (p *peer) bind() {
	if p.room.mesh != nil {
		for _, t := range p.tracks {
			t.ready = true // it is carried from participant to participant
		}
		return
	}
	if p.link == nil {
		return
	}
	for _, t := range p.tracks {
		if p.link.carry(t.publication) {
			t.ready = true
		}
	}
}

// published is the server's word on everything that the client publishes.
func (p *peer) published() *signaling.Published {
	s := &signaling.Published{Revision: p.publishedRevision}
	for _, t := range p.tracks {
		s.Tracks = append(s.Tracks, signaling.PublishedTrack{ID: t.id, State: signaling.PublishReady, SID: t.sid})
	}
	for id, err := range p.refused {
		s.Tracks = append(s.Tracks, signaling.PublishedTrack{ID: id, State: signaling.PublishFailed, Err: err})
	}
	return s
}

// fail ends a publication with an error that the publisher is told.
func (p *peer) failTrack(pub *publication, err *signaling.Error) {
	for i, t := range p.tracks {
		if t.publication == pub {
			p.tracks = append(p.tracks[:i:i], p.tracks[i+1:]...)
			p.refused[t.id] = err
			p.unpublish(pub)
			p.publishedDirty = true
			p.tellRoom()
			return
		}
	}
}
