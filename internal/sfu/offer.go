package sfu

import (
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// Clients that know no slots get their media the way browsers do: a section
// for each subscription, whose a=msid names it, in offers that we make. One
// offer is out at a time; what changes meanwhile waits for its answer, and an
// offer of the client that crosses it is ignored: it will come again.

// offers is the state of our own offers on one connection.
type offers struct {
	needed  bool                   // something is not negotiated
	pending *signaling.Description // waits for its answer
	freed   []*slot                // since the last offer
	told    []*slot                // inactive in the pending offer
	free    map[media.Kind][]*slot // negotiated as inactive: to be used again
}

// assignSection gives a subscription a section: one that the client offered to
// receive in and that carried nothing yet, one that is free again, or a new
// one.
func (p *peer) assignSection(s *subscription) {
	kind := media.Kind(s.pub.kind)
	sl := p.link.freeSlot(kind)
	if sl == nil {
		var err error
		if sl, err = p.link.addSection(kind, s.owner); err != nil {
			return // the connection has ended
		}
	}
	if sl == nil { // there are too many: it failed, until there is room
		if s.err == nil {
			s.err, p.subscribedDirty = signaling.NewError(signaling.CodeTrackCapacityReached), true
		}
		return
	}
	s.slot, sl.used, s.id, s.err = sl, s, sl.id, nil
	sl.begin(s.pub.up)
	p.subscribedDirty = true
	p.starts = append(p.starts, s)
	p.allotment.news = true
}

// addSection makes a section for one subscription.
func (l *link) addSection(kind media.Kind, stream string) (*slot, error) {
	s := &slot{kind: kind, id: freshID()}
	cfg := rtc.OutletConfig{ID: s.id, Stream: stream, Keyframe: s.keyframe, History: s.history}
	var out *rtc.Outlet
	var err error
	if list := l.offers.free[kind]; len(list) > 0 {
		l.offers.free[kind] = list[1:]
		out, err = l.pc.ReuseOutlet(list[0].out, cfg)
	} else {
		if limit := l.peer.srv.cfg.Limits.Sections; limit > 0 && l.sections() >= limit {
			return nil, nil
		}
		cfg.Both = true
		out, err = l.pc.AddOutlet(kind, cfg)
	}
	if err != nil {
		return nil, err
	}
	s.setOutlet(out)
	l.slots = append(l.slots, s)
	l.offers.needed = true
	return s, nil
}

// sections counts the sections that the next description has at most, before
// one is added: one is for data, and some are counted in both directions.
func (l *link) sections() int {
	n := 1 + len(l.slots) + len(l.offers.freed) + len(l.offers.told) + len(l.wire)
	for _, list := range l.offers.free {
		n += len(list)
	}
	return n
}

// freeSection ends the section of a subscription. An id is never used again.
func (l *link) freeSection(s *slot) {
	for i := range l.slots {
		if l.slots[i] == s {
			l.slots = append(l.slots[:i:i], l.slots[i+1:]...)
			break
		}
	}
	l.peer.srv.metrics.freed(s.out)
	if l.pc.FreeOutlet(s.out) == nil { // otherwise the connection has ended
		l.offers.freed = append(l.offers.freed, s)
		l.offers.needed = true
	}
}

// makeOffer makes the next offer, if one is needed and it is our turn.
func (p *peer) makeOffer() {
	l := p.link
	if p.slotMode || l == nil || l.answer == nil || !l.offers.needed || l.offers.pending != nil {
		return
	}
	sdp, err := l.pc.Offer(false)
	if err == nil {
		err = l.pc.ApplyOffer(sdp)
	}
	if err != nil {
		p.finish(signaling.Errorf(signaling.CodeServerLocalDescription, "the offer cannot be made: %w", err), "", 0)
		return
	}
	l.revision++
	l.offers.pending = &signaling.Description{
		Type: signaling.DescriptionOffer, Revision: l.revision, SDP: l.pc.PendingOffer(),
	}
	l.offers.needed = false
	l.offers.told, l.offers.freed = l.offers.freed, nil
	p.tellDescription(l.offers.pending)
}

// repeatOffer makes the pending offer again with a newer revision. The client
// has answered it and gone on to an offer of its own, but the answer was lost;
// pion could not take the client's offer before it has one.
func (p *peer) repeatOffer(after int) {
	l := p.link
	l.revision = after + 1
	again := *l.offers.pending
	again.Revision = l.revision
	l.offers.pending = &again
	p.tellDescription(l.offers.pending)
}

// takeAnswer applies the client's answer to the pending offer.
func (p *peer) takeAnswer(d *signaling.Description) *signaling.Error {
	l := p.link
	if l.offers.pending == nil || l.offers.pending.Revision != d.Revision {
		return nil // to an offer that was never made, or answered before
	}
	answer, fault := l.admitSDP(d.SDP)
	if fault != nil {
		return fault
	}
	if err := l.pc.SetRemoteAnswer(answer.sdp); err != nil {
		return signaling.Errorf(signaling.CodeServerRemoteDescription, "the answer cannot be applied: %w", err)
	}
	l.offers.pending = nil
	for _, s := range l.offers.told {
		if l.offers.free == nil {
			l.offers.free = map[media.Kind][]*slot{}
		}
		l.offers.free[s.kind] = append(l.offers.free[s.kind], s)
	}
	l.offers.told = nil
	l.readSections()
	l.addCandidates(l.budget.Begin(answer.ufrag, p.srv.policy))
	p.bind()
	p.tellRoom()
	p.assign()
	return nil
}
