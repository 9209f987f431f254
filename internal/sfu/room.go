package sfu

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling"
)

// room owns who is in it and what they publish, on a goroutine of its own. It
// tells the peers and waits for none of them.
type room struct {
	actor
	srv       *Server
	number    uint64 // in the order of making
	sid, name string
	adHoc     bool
	opts      RoomOptions // never change
	mesh      *mesh       // of a peer-to-peer room
	created   time.Time
	published atomic.Int32 // tracks, where their number is bounded

	members  []*member           // in the order of joining
	joined   uint64              // how many have
	past     []ParticipantStatus // the last that have left
	facts    int                 // reported so far
	over     bool                // it has ended; what is left in this turn finds nobody
	reserved map[*peer]string    // identities of those that are about to enter
	tick     int                 // counts what is told
	idle     *time.Timer         // ends a room that nobody uses

	rules          []signaling.Rule // what is to be recorded
	recording      signaling.Recording
	updated, ended time.Time
	speakers       speakers
	muting         *muting // nil: new tracks begin as they are
}

// member is a participant as its room knows it. The room's goroutine owns it.
type member struct {
	peer          *peer
	sid, identity string
	number        uint64 // in the order of joining
	joined        time.Time
	updated       time.Time // what is known of it from outside
	revision      int
	state         signaling.ParticipantState
	reason        signaling.DisconnectReason
	tracks        []track
	shown         bool // the others know of it
	curious       bool // its peer wants to know who speaks
	loud          int  // see speakers

	// Of the mesh.
	absent  bool        // was away for so long that it has no connections
	listing bool        // is about to be told of all its connections
	leaving *time.Timer // while it is away
}

func (m *member) remote() signaling.RemoteParticipant {
	r := signaling.RemoteParticipant{
		SID: m.sid, Identity: m.identity, Revision: m.revision, State: m.state, Reason: m.reason,
		Tracks: make([]signaling.RemoteTrack, len(m.tracks)),
	}
	for i := range m.tracks {
		r.Tracks[i] = m.tracks[i].remote()
	}
	return r
}

// roster is what can be received in a room at one moment. It is immutable.
type roster struct {
	tick   int
	offers []Offer
	pubs   []*publication // of each offer
	tracks []track        // likewise: what its publisher said last
	owners []string       // SIDs of their publishers
	peers  []*peer        // everybody's; only what they share may be looked at
}

// news is what a room tells a peer.
type news struct {
	participants []signaling.RemoteParticipant
	roster       *roster
	recording    signaling.Recording        // for one that comes, or is back
	speaker      string                     // told by a room only to who comes or comes back
	connections  []signaling.PeerConnection // all there are, in a peer-to-peer room
}

func newRoom(srv *Server, o RoomOptions, adHoc bool, number uint64) *room {
	r := &room{
		actor: newActor(), srv: srv, number: number, sid: sid.New(sid.Room), name: o.Name, adHoc: adHoc, opts: o, created: time.Now(),
		reserved: map[*peer]string{}, rules: o.Recording, recording: signaling.Recording{Revision: 1},
	}
	if o.Type == PeerToPeer {
		r.mesh = &mesh{room: r}
	}
	if r.name == "" {
		r.name = r.sid
	}
	r.updated = r.created
	r.idle = time.AfterFunc(o.UnusedTimeout, func() { r.post(r.endIfUnused) })
	return r
}

func (r *room) run() {
	defer close(r.gone)
	defer r.idle.Stop()
	for r.turn() {
		<-r.poke
	}
	if t := r.speakers.timer; t != nil {
		t.Stop()
	}
}

// reserve keeps a place for the peer, which must enter or cancel.
func (r *room) reserve(p *peer) (err *signaling.Error) {
	if !r.do(func() {
		if r.over {
			err = errRoomGone // it ended in the same turn
			return
		}
		// Whoever comes for an identity that is here already takes its place.
		if r.occupied(p.identity) >= r.opts.MaxParticipants {
			err = signaling.NewError(signaling.CodeMaxParticipantsExceeded)
			return
		}
		r.reserved[p] = p.identity
	}) {
		return errRoomGone
	}
	return err
}

// occupied counts the places that identities other than this one have.
func (r *room) occupied(identity string) int {
	taken := make(map[string]bool, r.opts.MaxParticipants)
	for _, m := range r.members {
		taken[m.identity] = true
	}
	for _, other := range r.reserved {
		taken[other] = true
	}
	delete(taken, identity)
	return len(taken)
}

func (r *room) cancel(p *peer) {
	r.post(func() {
		delete(r.reserved, p)
		r.endIfEmpty()
	})
}

// enter makes the peer a member, in place of an older one with its identity.
// ready is called with what the peer finds, before anybody else is told of it,
// so that it misses nothing that is sent to it because it came. It runs in the
// room's turn, while the peer waits, and must not wait for a room.
func (r *room) enter(p *peer, tracks []track, ready func(news)) (ok bool) {
	r.do(func() {
		if _, ok = r.reserved[p]; !ok {
			return
		}
		if i := slices.IndexFunc(r.members, func(m *member) bool { return m.identity == p.identity }); i >= 0 {
			older := r.members[i].peer
			r.remove(older, signaling.DisconnectDuplicate)
			older.post(func() {
				older.finish(signaling.NewError(signaling.CodeDuplicateIdentity), signaling.DisconnectDuplicate, 0)
			})
		}
		delete(r.reserved, p)
		now := time.Now()
		r.joined++
		m := &member{
			peer: p, sid: p.sid, identity: p.identity, revision: 1,
			number: r.joined, joined: now, updated: now,
			state: signaling.StateConnected, curious: p.has(speakerChannel) || p.allotment.profile != nil,
		}
		r.members = append(r.members, m)
		if r.muting != nil {
			tracks = p.beginMuted(r.muting)
		}
		m.tracks = r.claim(m, tracks)
		r.report(ParticipantConnected, m.status(r), TrackStatus{})
		r.reportTracks(m, nil, m.tracks)
		r.indicateRecording()
		ready(news{
			participants: r.others(p), roster: r.roster(), recording: r.recording, connections: r.arrive(m),
			speaker: r.speakers.current,
		})
		r.tell(m)
		r.hearken()
	})
	return ok
}

// setTracks replaces what the peer publishes.
func (r *room) setTracks(p *peer, tracks []track) {
	r.post(func() {
		if m := r.member(p); m != nil {
			before := m.tracks
			m.tracks = r.claim(m, tracks)
			r.reportTracks(m, before, m.tracks)
			m.revision++
			r.tell(m)
		}
	})
}

// settled calls f when everybody else who is in the room now has worked off
// what it was told until now. f must only post, or close a channel.
func (r *room) settled(p *peer, f func()) {
	r.post(func() {
		var left atomic.Int32
		left.Store(1)
		done := func() {
			if left.Add(-1) == 0 {
				f()
			}
		}
		for _, m := range r.members {
			if m.peer == p {
				continue
			}
			left.Add(1)
			if !m.peer.post(done) {
				done()
			}
		}
		done()
	})
}

// setState says that the peer's connection was lost.
func (r *room) setState(p *peer, state signaling.ParticipantState) {
	r.post(func() { r.change(p, state) })
}

func (r *room) change(p *peer, state signaling.ParticipantState) {
	if m := r.member(p); m != nil && m.state != state {
		m.state, m.updated = state, time.Now()
		m.revision++
		r.tell(m)
		r.watch(m)
	}
}

// resume says that the peer is back, after all that it posted before, and
// returns what it finds.
func (r *room) resume(p *peer) (others news, ok bool) {
	r.do(func() {
		if ok = r.member(p) != nil; !ok {
			return
		}
		r.change(p, signaling.StateConnected)
		others = news{
			participants: r.others(p), roster: r.roster(), recording: r.recording, connections: r.reconnect(r.member(p)),
			speaker: r.speakers.current,
		}
	})
	return others, ok
}

// leave removes the peer.
func (r *room) leave(p *peer, reason signaling.DisconnectReason) {
	r.post(func() { r.remove(p, reason) })
}

func (r *room) remove(p *peer, reason signaling.DisconnectReason) {
	i := slices.IndexFunc(r.members, func(m *member) bool { return m.peer == p })
	if i < 0 {
		return
	}
	m := r.members[i]
	r.members = slices.Delete(r.members, i, i+1)
	r.departed(m)
	m.state, m.reason = signaling.StateDisconnected, reason
	m.revision++
	r.tell(m)
	r.speakerLeft(m)
	r.part(m)
	r.endIfEmpty()
}

// tell announces the change of one member to all others.
func (r *room) tell(m *member) {
	r.tick++
	n := news{participants: r.shownNow(m), roster: r.roster()}
	for _, other := range r.members {
		if p := other.peer; p != m.peer {
			p.post(func() { p.hear(n) })
		}
	}
	r.indicateRecording()
}

func (r *room) roster() *roster {
	s := &roster{tick: r.tick}
	for _, m := range r.members {
		s.peers = append(s.peers, m.peer)
	}
	for _, m := range r.members {
		for i := range m.tracks {
			t := &m.tracks[i]
			if !t.ready {
				continue
			}
			s.offers = append(s.offers, Offer{
				SID: t.sid, Name: t.name, Kind: t.kind, PublisherSID: m.sid, PublisherIdentity: m.identity,
			})
			s.pubs = append(s.pubs, t.publication)
			s.tracks = append(s.tracks, *t)
			s.owners = append(s.owners, m.sid)
		}
	}
	return s
}

func (r *room) others(p *peer) []signaling.RemoteParticipant {
	list := []signaling.RemoteParticipant{}
	for _, m := range r.members {
		if m.peer != p && m.shown {
			list = append(list, m.remote())
		}
	}
	return list
}

// shownNow is what the others are told of the member. In a large room they know
// only those that publish: one that no longer does has left, as far as they
// know.
func (r *room) shownNow(m *member) []signaling.RemoteParticipant {
	known := m.shown
	m.shown = m.state != signaling.StateDisconnected && (!r.opts.Large || len(m.tracks) > 0)
	if !known && !m.shown {
		return nil
	}
	told := m.remote()
	if !m.shown {
		told.State = signaling.StateDisconnected
	}
	return []signaling.RemoteParticipant{told}
}

func (r *room) member(p *peer) *member {
	for _, m := range r.members {
		if m.peer == p {
			return m
		}
	}
	return nil
}

// endIfEmpty ends a room that came into being by itself as soon as nobody is
// in it, and others after a while.
func (r *room) endIfEmpty() {
	if len(r.members) > 0 || len(r.reserved) > 0 {
		return
	}
	if r.adHoc {
		r.end()
	} else {
		r.idle.Reset(r.opts.EmptyTimeout)
	}
}

func (r *room) endIfUnused() {
	if len(r.members) == 0 && len(r.reserved) == 0 {
		r.end()
	}
}

func (r *room) end() {
	r.over, r.ended = true, time.Now()
	r.updated = r.ended
	r.report(RoomEnded, ParticipantStatus{}, TrackStatus{})
	r.srv.forgetRoom(r)
	r.stop()
}

// complete ends the room and everybody's stay in it.
func (r *room) complete() {
	r.post(func() {
		for _, m := range r.members {
			m.forget()
			r.departed(m)
			p := m.peer
			p.post(func() {
				p.finish(signaling.NewError(signaling.CodeRoomCompleted), signaling.DisconnectCompleted, 0)
			})
		}
		r.members = nil
		clear(r.reserved)
		r.end()
	})
}

var errRoomGone = signaling.NewError(signaling.CodeRoomNotFound)
