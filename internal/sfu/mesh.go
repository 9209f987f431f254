package sfu

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/parley-rtc/parley/signaling"
)

// The types of rooms by which media travels differently. Any other type is like
// Group.
const (
	// Group: through this server.
	Group = "group"
	// PeerToPeer: from participant to participant. The server passes
	// descriptions and candidates on and sees no media.
	PeerToPeer = "peer-to-peer"
)

// maxPeerToPeer is how many participants a peer-to-peer room has at most: each
// sends everything once for each of the others.
const maxPeerToPeer = 10

// absentTime is how long a participant whose signaling is lost keeps its
// connections. It is less than what a browser takes to find media lost, which
// ends the room of one whose only partner has closed its page.
const absentTime = 4 * time.Second

// generations is how many lists of candidates are kept of each end: that in
// use, and those of offers that are under way or came to nothing.
const generations = 4

// mesh holds the peer connections between the participants of a room, one for
// each pair. It belongs to the room's goroutine.
//
// Each end has its own revision counter, shared with its client; what one end
// offers reaches the other with that one's next revision. One exchange goes on
// at a time, so an offer is either passed on or, when it crosses that of the
// other end, ignored. A browser rolls it back and makes it again. A client that
// cannot do that asks first, and offers when it is told to.
type mesh struct {
	room  *room
	pairs []*pair
}

// pair is the connection of two members.
type pair struct {
	ends  [2]*end
	phase phase
	turn  int // the end whose offer is made or answered
	born  time.Time
}

// phase of a pair:
//
//	idle -> granted -> offered -> idle
//	idle ------------> offered
type phase int

const (
	pairIdle    phase = iota
	pairGranted       // one end was told to offer
	pairOffered       // the offer of one end waits for the other's answer
)

// end is one side of a pair, as its client sees it.
type end struct {
	member   *member
	id       string
	revision int  // the latest that either side used
	asks     bool // wants to offer

	told     *signaling.Description // offer, or request for one, that the client has to answer
	offer    *signaling.Description // of the client, which has no answer yet
	answered *signaling.Description // the answer to its last offer

	ufrag  string          // of its latest description that was passed on
	ice    []signaling.ICE // its candidates, a list for each ufrag, the latest last
	iceRev int             // of what it is told of the other end's
}

// arrive connects a new member with the others and returns what to tell it of
// its connections. The one that it offers becomes the one to the first of them.
func (ms *mesh) arrive(m *member, offers []signaling.PeerConnection) []signaling.PeerConnection {
	m.listing = true
	for _, o := range ms.room.members {
		if o == m || o.absent {
			continue
		}
		if len(offers) == 0 || leaves(m, o) {
			ms.connect(m, o)
			continue
		}
		p := ms.pair(m, offers[0].ID, o)
		ms.note(p.ends[0], offers[0].ICE)
		ms.offer(p, 0, offers[0].Description)
		offers = offers[1:]
	}
	list := ms.list(m)
	for i := range offers { // there is nobody for it
		list = append(list, signaling.PeerConnection{ID: offers[i].ID, Description: closing(offers[i].Description.Revision)})
	}
	return list
}

func closing(after int) *signaling.Description {
	return &signaling.Description{Type: signaling.DescriptionClose, Revision: after + 1}
}

// connect makes the connection of two members, the first of which offers unless
// it leaves that to the other one.
func (ms *mesh) connect(m, o *member) {
	p := ms.pair(m, uuid.NewString(), o)
	if leaves(m, o) {
		ms.grant(p, 1)
	} else {
		ms.grant(p, 0)
	}
}

// leaves reports whether the first offer is the other one's: between a program
// of ours and a browser it is the browser's. Pion takes over the payload types
// that are offered to it. A browser keeps its own for sections that it adds, and
// refuses answers in which one number means two things.
func leaves(m, o *member) bool {
	return m.peer.extended && !o.peer.extended
}

func (ms *mesh) pair(m *member, id string, o *member) *pair {
	p := &pair{ends: [2]*end{{member: m, id: id}, {member: o, id: uuid.NewString()}}, born: time.Now()}
	ms.pairs = append(ms.pairs, p)
	return p
}

// grant tells an end to offer. Nothing else is under way.
func (ms *mesh) grant(p *pair, i int) {
	e := p.ends[i]
	p.phase, p.turn = pairGranted, i
	e.asks = false
	e.revision++
	e.told = &signaling.Description{Type: signaling.DescriptionCreateOffer, Revision: e.revision}
	ms.tell(p, i, e.told)
}

// next lets the end offer that asks for it, the one whose turn it was last.
func (ms *mesh) next(p *pair) {
	for _, i := range []int{1 - p.turn, p.turn} {
		if p.phase == pairIdle && p.ends[i].asks {
			ms.grant(p, i)
		}
	}
}

func (ms *mesh) tell(p *pair, i int, d *signaling.Description) {
	e := p.ends[i]
	e.send(signaling.PeerConnection{ID: e.id, Description: d, Participant: p.ends[1-i].member.sid})
}

func (e *end) send(pc signaling.PeerConnection) {
	if !e.member.listing { // otherwise the list will say it
		e.member.peer.tellConnection(pc)
	}
}

// find returns the pair and which end of it the member knows under the id.
func (ms *mesh) find(m *member, id string) (p *pair, i int) {
	for _, p := range ms.pairs {
		for i, e := range p.ends {
			if e.member == m && e.id == id {
				return p, i
			}
		}
	}
	return nil, 0
}

// take applies what a client says of one of its connections. What it has no
// connection for is answered with the end of that.
func (ms *mesh) take(m *member, pc *signaling.PeerConnection) {
	p, i := ms.find(m, pc.ID)
	if p == nil {
		if d := pc.Description; d != nil && d.Type == signaling.DescriptionOffer {
			m.peer.tellConnection(signaling.PeerConnection{ID: pc.ID, Description: closing(d.Revision)})
		}
		return
	}
	if pc.AskOffer {
		p.ends[i].asks = true
	}
	if d := pc.Description; d != nil {
		switch d.Type {
		case signaling.DescriptionOffer:
			ms.offer(p, i, d)
		case signaling.DescriptionAnswer:
			ms.answer(p, i, d)
		case signaling.DescriptionClose:
			ms.closed(p, i)
			return
		}
	}
	if pc.ICE != nil && ms.note(p.ends[i], pc.ICE) {
		ms.passICE(p, i, pc.ICE)
	}
	ms.next(p)
}

// offer takes the offer of an end.
func (ms *mesh) offer(p *pair, i int, d *signaling.Description) {
	e, o := p.ends[i], p.ends[1-i]
	switch {
	case e.answered != nil && d.Revision == e.answered.Revision:
		ms.tell(p, i, e.answered) // it was lost, or is asked for again
		return
	case d.Revision <= e.revision:
		return // it is with the other end, or crossed the other's offer and will come again
	}
	e.revision = d.Revision
	if p.phase != pairIdle && p.turn != i {
		if p.phase == pairOffered {
			// It has answered and gone on, and the answer was lost.
			e.revision++
			again := *e.told
			again.Revision = e.revision
			e.told = &again
			ms.tell(p, i, e.told)
		}
		return
	}
	p.phase, p.turn = pairOffered, i
	e.told, e.offer, e.answered = nil, d, nil
	e.ufrag = ufragOf(d.SDP)
	o.revision++
	o.told = &signaling.Description{Type: signaling.DescriptionOffer, Revision: o.revision, SDP: d.SDP}
	ms.tell(p, 1-i, o.told)
	ms.passICE(p, i, e.current())
}

// answer takes the answer of an end to what the other one offered.
func (ms *mesh) answer(p *pair, i int, d *signaling.Description) {
	e, o := p.ends[i], p.ends[1-i]
	if p.phase != pairOffered || p.turn == i || d.Revision != e.told.Revision {
		return // to an offer that was never made, or answered before
	}
	p.phase = pairIdle
	e.told = nil
	e.ufrag = ufragOf(d.SDP)
	o.answered = &signaling.Description{Type: signaling.DescriptionAnswer, Revision: o.offer.Revision, SDP: d.SDP}
	o.offer = nil
	ms.tell(p, 1-i, o.answered)
	ms.passICE(p, i, e.current())
}

// note keeps the candidates of an end, and reports whether they are news.
func (ms *mesh) note(e *end, ice *signaling.ICE) bool {
	if ice == nil {
		return false
	}
	if i := slices.IndexFunc(e.ice, func(old signaling.ICE) bool { return old.Ufrag == ice.Ufrag }); i >= 0 {
		if e.ice[i].Revision >= ice.Revision {
			return false
		}
		e.ice = slices.Delete(e.ice, i, i+1)
	}
	if len(e.ice) == generations {
		e.ice = slices.Delete(e.ice, 0, 1)
	}
	e.ice = append(e.ice, *ice)
	return true
}

// current is the list of candidates that belongs to the end's description.
func (e *end) current() *signaling.ICE {
	for i := range e.ice {
		if e.ice[i].Ufrag == e.ufrag {
			return &e.ice[i]
		}
	}
	return nil
}

// passICE tells the other end the candidates of one, once that has a description
// for them.
func (ms *mesh) passICE(p *pair, i int, ice *signaling.ICE) {
	if ice == nil || ice.Ufrag != p.ends[i].ufrag {
		return
	}
	o := p.ends[1-i]
	o.iceRev++
	passed := *ice
	passed.Revision = o.iceRev
	o.send(signaling.PeerConnection{ID: o.id, ICE: &passed, Participant: p.ends[i].member.sid})
}

// closed takes note that a client has given a connection up. There will be
// another one, unless this was itself given up at once.
func (ms *mesh) closed(p *pair, i int) {
	ms.end(p, 1-i)
	if time.Since(p.born) >= ms.room.srv.cfg.SessionTimeout {
		ms.connect(p.ends[i].member, p.ends[1-i].member)
	}
}

// end forgets a pair and tells one end of it.
func (ms *mesh) end(p *pair, tell int) {
	ms.pairs = slices.DeleteFunc(ms.pairs, func(o *pair) bool { return o == p })
	ms.tell(p, tell, closing(p.ends[tell].revision))
}

// part ends all connections of a member that is gone.
func (ms *mesh) part(m *member) {
	for _, p := range slices.Clone(ms.pairs) {
		for i, e := range p.ends {
			if e.member == m {
				ms.end(p, 1-i)
			}
		}
	}
}

// away ends the connections of a member that does not come back soon.
func (ms *mesh) away(m *member) {
	m.absent = true
	ms.part(m)
}

// resume connects a member again, if it was away for too long, and returns what
// to tell it of its connections. Those that it is not told of have ended.
func (ms *mesh) resume(m *member) []signaling.PeerConnection {
	m.listing = true
	if m.absent {
		m.absent = false
		for _, o := range ms.room.members {
			if o != m && !o.absent {
				ms.connect(m, o)
			}
		}
	}
	return ms.list(m)
}

// list returns what there is to say of all connections of a member: what waits
// for its answer, or else the last answer to it, and the others' candidates.
func (ms *mesh) list(m *member) []signaling.PeerConnection {
	m.listing = false
	list := []signaling.PeerConnection{}
	for _, p := range ms.pairs {
		for i, e := range p.ends {
			if e.member != m {
				continue
			}
			o := p.ends[1-i]
			pc := signaling.PeerConnection{ID: e.id, Participant: o.member.sid, Description: e.answered}
			if e.told != nil {
				pc.Description = e.told
			}
			if ice := o.current(); ice != nil {
				e.iceRev++
				again := *ice
				again.Revision = e.iceRev
				pc.ICE = &again
			}
			list = append(list, pc)
		}
	}
	return list
}

// claim returns the tracks whose ids nobody else in the room uses: the media of
// others is known by them. Those of the rest are returned too.
func (ms *mesh) claim(m *member, tracks []track) (mine []track, taken []*publication) {
	for _, t := range tracks {
		if ms.uses(m, t.id) {
			taken = append(taken, t.publication)
		} else {
			mine = append(mine, t)
		}
	}
	return mine, taken
}

func (ms *mesh) uses(m *member, id string) bool {
	for _, o := range ms.room.members {
		if o != m && slices.ContainsFunc(o.tracks, func(t track) bool { return t.id == id }) {
			return true
		}
	}
	return false
}
