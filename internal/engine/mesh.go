package engine

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
)

// A peer-to-peer room has a connection to each of the others. Each of them is
// one of ours like that to a server, and ends without the room's noticing: what
// another participant says or does breaks its own connection only.
//
// Pion cannot take an offer back, so none of ours ever crosses the other side's:
// a connection that wants to offer asks the server, which says when.

// Times of connections between participants.
const (
	// closedTime is how long the server has to say that who closed a
	// connection has left.
	closedTime = time.Second
	// againTime is the pace at which a connection that is down is restarted,
	// with up to half of it added at random.
	againTime = 3 * time.Second
)

// maxEnded is how many ids of ended connections are remembered: the server may
// not have heard of the end yet.
const maxEnded = 64

// mesh is what an engine has in a peer-to-peer room.
type mesh struct {
	timeout time.Duration // after which a connection that is down is given up
	ended   []string      // ids
	said    []signaling.PeerConnection
	wg      sync.WaitGroup // closing connections
}

// meshLink is what a link has there.
type meshLink struct {
	participant string // SID of who is at the other end
	asking      bool   // offers only when told to
	asked       bool
	granted     bool
	filling     bool // an answer is being made
	gone        bool
	up          bool
	downSince   time.Time
	timer       *time.Timer

	freed, told []*rtc.Outlet                // ended sections: not negotiated yet, in an offer
	free        map[media.Kind][]*rtc.Outlet // to be used again
}

// SetMesh says that the room is a peer-to-peer one, in which a connection that
// is down is given up after the timeout, and new ones use these ICE servers. It
// comes before the server's first sections.
func (e *Engine) SetMesh(timeout time.Duration, servers []webrtc.ICEServer) {
	if e.mesh != nil {
		return
	}
	e.mesh = &mesh{timeout: timeout}
	e.cfg.ICEServers = servers
	for _, l := range e.links {
		e.manage(l)
	}
	for _, p := range e.published {
		p.spread(e.links[0])
	}
	for _, s := range e.senders {
		s.spread(e.links[0])
	}
}

func (e *Engine) manage(l *link) {
	l.mesh.asking, l.quiet = true, true
	l.fill = func() error { return e.fill(l) }
}

// Alone reports whether there is nobody to be connected with.
func (e *Engine) Alone() bool { return e.mesh != nil && len(e.links) == 0 }

// applyMesh is Apply in a peer-to-peer room.
func (e *Engine) applyMesh(list []signaling.PeerConnection, full bool) {
	if full {
		for _, l := range slices.Clone(e.links) {
			if !slices.ContainsFunc(list, func(pc signaling.PeerConnection) bool { return pc.ID == l.id }) {
				e.endLink(l, false)
			}
		}
	}
	for i := range list {
		e.applyLink(&list[i])
	}
	e.negotiateMesh()
}

func (e *Engine) applyLink(pc *signaling.PeerConnection) {
	l, d := e.link(pc.ID), pc.Description
	if l == nil {
		if l = e.openLink(pc.ID, d); l == nil {
			return
		}
	}
	if pc.Participant != "" {
		l.mesh.participant = pc.Participant
	}
	if l.offer != nil && !l.settled {
		e.sendICE(l, false) // nobody was there for it before
	}
	if d != nil {
		if d.Type == signaling.DescriptionClose {
			e.endLink(l, false)
			return
		}
		before := l.remoteUfrag
		if err := e.describe(l, *d); err != nil {
			e.cfg.Logger.Warn("a connection with a participant is given up", "participant", l.mesh.participant, "err", err)
			e.endLink(l, true)
			return
		}
		if before != "" && l.remoteUfrag != before {
			l.restart = false // the other side has done it
		}
	}
	if pc.ICE != nil {
		l.receiveICE(*pc.ICE)
	}
}

// openLink makes a connection that the server asks for, or returns nil. The
// mids of both ends differ because one of them always offers first.
func (e *Engine) openLink(id string, d *signaling.Description) *link {
	if d == nil || len(e.links) >= maxLinks || slices.Contains(e.mesh.ended, id) {
		return nil
	}
	prefix := "a"
	switch d.Type {
	case signaling.DescriptionOffer:
	case signaling.DescriptionCreateOffer:
		prefix = "c"
	default:
		return nil
	}
	l, err := e.open(id, prefix)
	if err == nil && prefix == "c" {
		err = e.offerEverything(l)
	}
	if err == nil {
		for _, s := range e.senders {
			if err = s.reach(l); err != nil {
				break
			}
		}
	}
	if err != nil {
		e.cfg.Logger.Warn("no connection with a participant", "err", err)
		if l != nil {
			e.endLink(l, true)
		}
		return nil
	}
	e.manage(l)
	return l
}

// offerEverything puts into the first offer of a connection all that we send,
// and a section of each kind that the other side can answer with.
func (e *Engine) offerEverything(l *link) error {
	for _, kind := range []media.Kind{media.Audio, media.Video} {
		if _, err := l.peer.AddInlet(kind); err != nil {
			return err
		}
	}
	for _, p := range e.published {
		if err := e.reach(p, l); err != nil {
			return err
		}
	}
	return nil
}

// fill adds what we send to an answer as far as the offer has room for it; the
// rest needs an offer of ours.
func (e *Engine) fill(l *link) error {
	l.mesh.filling = true
	defer func() { l.mesh.filling = false }()
	for _, p := range e.published {
		if p.part(l) == nil {
			if err := e.reach(p, l); err != nil {
				return err
			}
		}
	}
	l.reuse(&l.mesh.freed)
	return nil
}

// reuse takes ended sections that are negotiated for free.
func (l *link) reuse(from *[]*rtc.Outlet) {
	if l.mesh.free == nil {
		l.mesh.free = map[media.Kind][]*rtc.Outlet{}
	}
	for _, o := range *from {
		l.mesh.free[o.MediaKind()] = append(l.mesh.free[o.MediaKind()], o)
	}
	*from = nil
}

// negotiateMesh asks for the offers that are due, or makes them.
func (e *Engine) negotiateMesh() {
	for _, l := range slices.Clone(e.links) {
		d, err := l.negotiate()
		if err != nil {
			e.cfg.Logger.Warn("a connection with a participant is given up", "participant", l.mesh.participant, "err", err)
			e.endLink(l, true)
			continue
		}
		if d != nil {
			e.queue(l).Description = d
		}
		if l.wantsTurn() && !l.mesh.asked {
			l.mesh.asked = true
			e.queue(l).AskOffer = true
		}
	}
}

// wantsTurn reports whether an offer is due that may not be made yet.
func (l *link) wantsTurn() bool {
	return l.mesh.asking && !l.mesh.granted && l.offer == nil && (l.dirty || l.restart)
}

// offering notes that an offer was made.
func (l *link) offering() {
	l.mesh.granted, l.mesh.asked = false, false
	l.mesh.told = append(l.mesh.told, l.mesh.freed...)
	l.mesh.freed = nil
}

// endLink ends a connection. With tell the server hears of it.
func (e *Engine) endLink(l *link, tell bool) {
	if l.mesh.gone {
		return
	}
	l.mesh.gone = true
	e.links = slices.DeleteFunc(slices.Clone(e.links), func(o *link) bool { return o == l })
	delete(e.out, l.id)
	if e.mesh.ended = append(e.mesh.ended, l.id); len(e.mesh.ended) > maxEnded {
		e.mesh.ended = e.mesh.ended[1:]
	}
	l.stopTimer()
	for _, p := range e.published {
		p.leave(l)
	}
	for _, s := range e.senders {
		s.leave(l)
	}
	var inlets []*slot
	for key, s := range e.inlets {
		if key.link == l {
			inlets = append(inlets, s)
			delete(e.inlets, key)
		}
	}
	if tell {
		e.mesh.said = append(e.mesh.said, signaling.PeerConnection{ID: l.id, Description: &signaling.Description{
			Type: signaling.DescriptionClose, Revision: l.rev + 1,
		}})
		e.cfg.Outgoing()
	}
	e.mesh.wg.Go(func() {
		if err := l.peer.Close(); err != nil {
			e.cfg.Logger.Debug("closing a connection with a participant", "err", err)
		}
		for _, s := range inlets {
			s.wait()
		}
	})
}

func (l *link) stopTimer() {
	if l.mesh.timer != nil {
		l.mesh.timer.Stop()
		l.mesh.timer = nil
	}
}

// after looks at the link again in a while.
func (e *Engine) after(l *link, d time.Duration) {
	l.stopTimer()
	l.mesh.timer = time.AfterFunc(d, func() {
		e.cfg.Post(func() {
			if !e.closed && !l.mesh.gone {
				l.mesh.timer = nil
				e.look(l)
				e.cfg.ConnectionChanged()
			}
		})
	})
}

// look looks after one connection: one that is down is restarted, again and
// again, until its time is over.
func (e *Engine) look(l *link) {
	now := time.Now()
	switch stateOf(l.peer) {
	case StateConnected:
		l.mesh.downSince = time.Time{}
		l.stopTimer()
		if !l.mesh.up {
			l.mesh.up = true
			for _, p := range e.published {
				if part := p.part(l); part != nil && p.codec.Kind() == media.Video {
					p.keyframe()
				}
			}
		}
	case StateDown, StateFailed:
		if l.mesh.downSince.IsZero() {
			l.mesh.downSince = now
		} else if l.mesh.timer != nil {
			return
		}
		if now.Sub(l.mesh.downSince) >= e.mesh.timeout {
			e.endLink(l, true)
			return
		}
		l.restart = true
		e.negotiateMesh()
		e.after(l, againTime+rand.N(againTime/2))
	case StateClosed, StateDTLSFailed:
		switch {
		case l.mesh.downSince.IsZero():
			l.mesh.downSince = now
			e.after(l, closedTime)
		case l.mesh.timer == nil:
			e.endLink(l, true)
		}
	case StateNew:
	}
}

// connectionMesh is Connection in a peer-to-peer room. A connection that the
// other side has closed counts no more.
func (e *Engine) connectionMesh() Connection {
	c := Connection{State: StateNew}
	first := true
	for _, l := range e.links {
		s := stateOf(l.peer)
		if s == StateClosed || s == StateDTLSFailed {
			continue
		}
		if first || s > c.State {
			c.State, first = s, false
		}
		if pair := l.peer.CandidatePair(); pair != "" {
			c.Pair = pair
		}
		if rtt := l.peer.RTT(); rtt != 0 {
			c.RTT = rtt
		}
	}
	return c
}

// BindFrom is Bind for a track of a participant in a peer-to-peer room: only the
// connection with that one is looked at.
func (e *Engine) BindFrom(participant string, sub signaling.Subscription, r *Receiver) error {
	l := e.linkOf(participant, sub.ID)
	if l == nil {
		return ErrNoSection
	}
	mid, _ := l.midOf(sub.ID)
	s := e.slot(l, mid)
	if s == nil {
		return ErrNoSection
	}
	s.assign(r, 0, false)
	return nil
}

func (e *Engine) linkOf(participant, id string) *link {
	for _, l := range e.links {
		if l.mesh.participant == participant {
			if _, ok := l.midOf(id); ok {
				return l
			}
		}
	}
	return nil
}

// Home is what carries a track of a participant in a peer-to-peer room now: a
// connection, or a data channel; nil while nothing does.
func (e *Engine) Home(participant, id string) any {
	if r := e.Channel(MeshLabel(participant, id)); r != nil {
		if _, open := e.opened[r]; open {
			return r
		}
		return nil
	}
	if l := e.linkOf(participant, id); l != nil {
		return l
	}
	return nil
}

// MeshLabel is how Channel knows the data channel of a participant.
func MeshLabel(participant, id string) string { return participant + " " + id }

// labelOf returns the name under which a channel of the other side is kept.
func (e *Engine) labelOf(l *link, r *DataReceiver) string {
	if e.mesh == nil {
		return r.Label()
	}
	return MeshLabel(l.mesh.participant, r.Label())
}
