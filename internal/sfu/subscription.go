package sfu

import (
	"crypto/rand"
	"slices"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// subscription is a track that a participant wants to receive. It belongs to
// the subscriber's goroutine.
type subscription struct {
	pub   *publication
	owner string // SID of the publisher
	id    string // what the client knows it by; empty: it waits
	first uint16 // slots: the sequence number it begins with
	slot  *slot
	down  *dataDownlink
	share                  // video: what it gets
	err   *signaling.Error // why it waits, where the client is told
}

// reconcile makes the subscriptions those that the rules ask for.
func (p *peer) reconcile() {
	if p.room.mesh != nil {
		p.reconcileMesh()
		return
	}
	r := p.roster
	wanted := make(map[*publication]string, len(r.pubs))
	var barred []string
	if p.role.CanSubscribe() {
		limits := p.limits
		if limits == nil {
			limits = everything
		}
		allowed := Evaluate(limits, r.offers, p.sid)
		for i, want := range Evaluate(p.rules, r.offers, p.sid) {
			switch {
			case want && allowed[i]:
				wanted[r.pubs[i]] = r.owners[i]
			case want:
				barred = append(barred, r.pubs[i].sid)
			}
		}
	}
	p.subscribedDirty = p.subscribedDirty || !slices.Equal(barred, p.barred)
	p.barred = barred
	p.subs = slices.DeleteFunc(p.subs, func(s *subscription) bool {
		if _, keep := wanted[s.pub]; keep {
			delete(wanted, s.pub)
			return false
		}
		p.drop(s)
		p.subscribedDirty = true
		return true
	})
	for _, pub := range r.pubs { // in the room's order
		if owner, want := wanted[pub]; want {
			p.subs = append(p.subs, &subscription{pub: pub, owner: owner})
			p.subscribedDirty = true
		}
	}
	p.forgetWishes()
	p.assign()
}

// everything are the limits of one whom nobody limits.
var everything = []signaling.Rule{{All: true}}

var errBarred = signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the subscribe rules that an administrator set exclude the track")

// assign gives the subscriptions that wait a way to the client, as far as
// there is one.
func (p *peer) assign() {
	if p.link == nil {
		return
	}
	for _, s := range p.subs {
		if s.slot != nil || s.down != nil {
			continue
		}
		if s.pub.data != nil {
			p.assignChannel(s)
		} else {
			p.assignSlot(s)
		}
	}
}

func (p *peer) assignSlot(s *subscription) {
	if !p.slotMode {
		p.assignSection(s)
		return
	}
	free := p.link.freeSlot(media.Kind(s.pub.kind))
	if free == nil {
		return
	}
	s.slot, free.used = free, s
	s.id, s.first = free.id, free.begin(s.pub.up)
	p.subscribedDirty = true
	p.starts = append(p.starts, s)
	p.allotment.news = true
}

func (p *peer) assignChannel(s *subscription) {
	init := s.pub.data.settings()
	if init == nil {
		return
	}
	id := freshID()
	down, err := p.link.sendChannel(id, init)
	if err != nil {
		return // the connection has ended
	}
	s.id, s.down = id, down
	p.subscribedDirty = true
	s.pub.data.attach(down)
}

// freshID returns an id that no subscription had before.
func freshID() string { return rand.Text() }

// start begins to forward to the subscriptions that the client has been told
// of, once its connection is up: what is sent earlier goes nowhere, and so
// would the key frame that it begins with.
func (p *peer) start() {
	if p.link == nil || !p.link.ready() {
		return
	}
	for _, s := range p.starts {
		if s.slot != nil {
			s.pub.up.attach(s.slot)
			if !s.pub.up.catchUp(s.slot) {
				s.slot.keyframe()
			}
		}
	}
	p.starts = nil
}

// drop takes a subscription's way to the client from it.
func (p *peer) drop(s *subscription) {
	if s.slot != nil {
		s.pub.up.detach(s.slot)
		s.slot.end()
		p.link.release(s.slot)
		s.slot = nil
	}
	if s.down != nil {
		s.pub.data.detach(s.down)
		s.down.close()
		s.down = nil
	}
	s.id, s.err = "", nil
}

// subscribed is everything that the client receives. A client with slots is
// also told what waits for one, and one that speaks our extensions what it asks
// for in vain.
func (p *peer) subscribed() *signaling.Subscribed {
	list := &signaling.Subscribed{Revision: p.subscribedRevision}
	for _, s := range p.subs {
		if s.id == "" && s.err == nil && !(p.slotMode && s.pub.up != nil) {
			continue
		}
		list.Tracks = append(list.Tracks, signaling.Subscription{SID: s.pub.sid, ID: s.id, From: s.first, Err: s.err})
	}
	if p.extended {
		for _, sid := range p.barred {
			list.Tracks = append(list.Tracks, signaling.Subscription{SID: sid, Err: errBarred})
		}
	}
	return list
}
