package sfu

import (
	"net/netip"
	"slices"
	"time"

	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/signaling"
)

// arrive connects a new member, in a peer-to-peer room.
func (r *room) arrive(m *member) []signaling.PeerConnection {
	if r.mesh == nil {
		return nil
	}
	offers := m.peer.offers
	m.peer.offers = nil
	return r.mesh.arrive(m, offers)
}

// reconnect returns what to tell a member of its connections, in a peer-to-peer
// room.
func (r *room) reconnect(m *member) []signaling.PeerConnection {
	if r.mesh == nil {
		return nil
	}
	return r.mesh.resume(m)
}

// watch notes that a member has gone away or come back.
func (r *room) watch(m *member) {
	if r.mesh == nil {
		return
	}
	m.forget()
	if m.state == signaling.StateReconnecting {
		m.leaving = time.AfterFunc(absentTime, func() {
			r.post(func() {
				if m.state == signaling.StateReconnecting && !m.absent {
					r.mesh.away(m)
				}
			})
		})
	}
}

// forget stops the member's timer.
func (m *member) forget() {
	if m.leaving != nil {
		m.leaving.Stop()
		m.leaving = nil
	}
}

// part ends the connections of a member that has left.
func (r *room) part(m *member) {
	m.forget()
	if r.mesh != nil {
		r.mesh.part(m)
	}
}

// claim takes the tracks of a member. In a peer-to-peer room those whose ids
// somebody else uses are refused.
func (r *room) claim(m *member, tracks []track) []track {
	if r.mesh == nil {
		return tracks
	}
	mine, taken := r.mesh.claim(m, tracks)
	p := m.peer
	for _, pub := range taken {
		p.post(func() { p.failTrack(pub, errTakenID) })
	}
	return mine
}

var errTakenID = signaling.Errorf(signaling.CodeTrackInvalid, "the id of the track is in use")

// tellConnection queues what the client is told of one of its connections. It is
// called by the room.
func (p *peer) tellConnection(pc signaling.PeerConnection) {
	p.post(func() { p.descriptions = append(p.descriptions, pc) })
}

// pass hands what the client says of a connection to the room, checked. What a
// join offers waits until the client is in the room.
func (p *peer) pass(pc *signaling.PeerConnection) *signaling.Error {
	if pc.ID == "" || len(pc.ID) > maxConnectionID {
		return nil
	}
	checked := signaling.PeerConnection{ID: pc.ID, AskOffer: pc.AskOffer}
	if d := pc.Description; d != nil {
		passed := *d
		switch d.Type {
		case signaling.DescriptionOffer, signaling.DescriptionAnswer:
			sdp, err := p.admitPassed(d.SDP)
			if err != nil {
				return err
			}
			passed.SDP = sdp
			checked.Description = &passed
		case signaling.DescriptionClose:
			passed.SDP = ""
			checked.Description = &passed
		}
	}
	if pc.ICE != nil {
		checked.ICE = p.admitCandidates(pc.ICE)
	}
	if p.conn == nil { // it is about to join
		offered := checked.Description != nil && checked.Description.Type == signaling.DescriptionOffer
		if offered && len(p.offers) < maxPeerToPeer {
			p.offers = append(p.offers, checked)
		}
		return nil
	}
	r := p.room
	r.post(func() {
		if m := r.member(p); m != nil {
			r.mesh.take(m, &checked)
		}
	})
	return nil
}

// What a client may say of a connection in a peer-to-peer room.
const (
	maxConnectionID = 256
	maxPassedSDP    = 64 << 10
	maxPassedMedia  = 64 // sections
)

// admitPassed checks a description that another client will get.
func (p *peer) admitPassed(sdp string) (string, *signaling.Error) {
	limits := &p.srv.cfg.Limits
	most := limits.Candidates
	if most < 0 {
		most = len(sdp)
	}
	summary, err := admission.CheckSDP(sdp, admission.Limits{
		Bytes: min(limits.SDPBytes, maxPassedSDP), Sections: min(limits.Sections, maxPassedMedia),
	})
	if err != nil {
		return "", asError(err, signaling.CodeServerRemoteDescription)
	}
	for i := range summary.Sections {
		sec := &summary.Sections[i]
		if !p.role.CanPublish() && sec.Direction.Sends() && sec.MsidTrack != "" {
			return "", signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the role %q may not publish", p.role)
		}
	}
	sdp, dropped := admission.FilterSDPCandidates(sdp, anyAddress, most)
	p.srv.metrics.dropped.Add(float64(dropped))
	return sdp, nil
}

func anyAddress(netip.Addr) bool { return true }

// admitCandidates bounds a list of candidates that another client will get.
// Where they lead is that one's business: it is often the same private network.
func (p *peer) admitCandidates(ice *signaling.ICE) *signaling.ICE {
	most := p.srv.cfg.Limits.Candidates
	if most < 0 {
		most = len(ice.Candidates)
	}
	passed := &signaling.ICE{Ufrag: ice.Ufrag, Revision: ice.Revision, Complete: ice.Complete}
	passed.Candidates = slices.DeleteFunc(slices.Clone(ice.Candidates), func(c signaling.Candidate) bool {
		return admission.CheckPassedCandidate(c) != nil
	})
	dropped := len(ice.Candidates) - min(len(passed.Candidates), most)
	p.srv.metrics.dropped.Add(float64(dropped))
	passed.Candidates = passed.Candidates[:min(len(passed.Candidates), most)]
	return passed
}

// ufragOf returns the user fragment of a description that was admitted.
func ufragOf(sdp string) string {
	summary, err := admission.CheckSDP(sdp, admission.Limits{})
	if err != nil {
		return ""
	}
	return summary.Ufrag
}

// reconcileMesh makes the subscriptions all tracks of all others: their media
// comes straight from them, and is known by the ids that they chose.
func (p *peer) reconcileMesh() {
	var subs []*subscription
	if p.role.CanSubscribe() {
		for i, pub := range p.roster.pubs {
			if p.roster.owners[i] != p.sid {
				subs = append(subs, &subscription{pub: pub, owner: p.roster.owners[i], id: pub.id})
			}
		}
	}
	same := slices.EqualFunc(subs, p.subs, func(a, b *subscription) bool { return a.pub == b.pub })
	p.subscribedDirty = p.subscribedDirty || !same
	p.subs = subs
}
