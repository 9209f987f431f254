package engine

import (
	"errors"
	"fmt"
	"maps"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
)

// link is the negotiation of one peer connection under the revision rule: one
// counter shared by both sides, one offer outstanding.
//
// Pion cannot roll an applied offer back. So, towards a server that makes
// offers itself, an offer of ours stays unapplied until its answer arrives, and
// a server's offer that comes first simply replaces it. Mids of the two sides
// never collide, because ours carry a prefix.
type link struct {
	id   string
	peer *rtc.Peer
	// quiet says that the other side makes no offers: ours are applied at
	// once, and their candidates gathered.
	quiet bool
	// held keeps the first offer from taking effect until it is known which
	// ICE servers there are.
	held bool
	mesh meshLink
	fill func() error // adds to an answer what can be sent in it; may be nil

	rev, stable int
	offer       *offer
	answer      *signaling.Description // our last answer
	settled     bool                   // the first answer has arrived
	queued      *signaling.Description // what has to wait for the first answer

	dirty   bool // something changed that an offer must tell
	restart bool // the next offer restarts ICE
	renew   bool // and with the servers of UseServers, for which it waits

	iceRev   int
	iceSent  int
	sentDone bool
	iceUfrag string

	remoteUfrag string
	processed   map[string]int
	waiting     map[string][]signaling.Candidate
}

type offer struct {
	rev     int
	sdp     string
	applied bool
	restart bool
}

// errRemote and errLocal tell whose description could not be used.
var (
	errRemote = errors.New("remote description")
	errLocal  = errors.New("local description")
)

func newLink(id string, peer *rtc.Peer) *link {
	return &link{id: id, peer: peer, processed: map[string]int{}, waiting: map[string][]signaling.Candidate{}}
}

// negotiate makes an offer if one is wanted and possible.
func (l *link) negotiate() (*signaling.Description, error) {
	if !(l.dirty || l.restart) || l.offer != nil || l.wantsTurn() {
		return nil, nil
	}
	if l.renew && l.peer.ServersWait() {
		return nil, nil
	}
	restart := l.restart && l.settled
	sdp, err := l.peer.Offer(restart)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLocal, err)
	}
	l.dirty, l.restart, l.renew = false, false, false
	l.rev++
	l.offer = &offer{rev: l.rev, sdp: sdp, restart: restart}
	l.offering()
	if (!l.settled || l.quiet || restart) && !l.held {
		// An ICE restart cannot be forgotten again: it is applied at once.
		if err := l.apply(); err != nil {
			return nil, err
		}
	}
	return l.description(), nil
}

func (l *link) apply() error {
	if l.offer.applied {
		return nil
	}
	if err := l.peer.ApplyOffer(l.offer.sdp); err != nil {
		return fmt.Errorf("%w: %w", errLocal, err)
	}
	l.offer.applied = true
	return nil
}

// description is the offer that waits for its answer, as it is to be sent, or
// nil. Sending it again is harmless.
func (l *link) description() *signaling.Description {
	if l.offer == nil {
		return nil
	}
	sdp := l.offer.sdp
	if l.offer.applied {
		if pending := l.peer.PendingOffer(); pending != "" {
			sdp = pending
		}
	}
	return &signaling.Description{Type: signaling.DescriptionOffer, Revision: l.offer.rev, SDP: sdp}
}

// receive takes a description of the other side and returns the one to send
// back. settled is true when a negotiation round has ended, so that the media
// sections may have changed.
func (l *link) receive(d signaling.Description) (reply *signaling.Description, settled bool, err error) {
	switch d.Type {
	case signaling.DescriptionAnswer:
		if l.offer == nil || d.Revision != l.offer.rev {
			return nil, false, nil
		}
		if err := l.apply(); err != nil {
			return nil, false, err
		}
		if err := checkRemote(d, l.offer.sdp); err != nil {
			return nil, false, fmt.Errorf("%w: %w", errRemote, err)
		}
		if err := l.peer.SetRemoteAnswer(d.SDP); err != nil {
			return nil, false, fmt.Errorf("%w: %w", errRemote, err)
		}
		l.stable, l.settled, l.offer = l.rev, true, nil
		l.reuse(&l.mesh.told)
		l.remoteChanged(d.SDP)
		if q := l.queued; q != nil {
			l.queued = nil
			reply, _, err = l.receive(*q)
			return reply, true, err
		}
		return nil, true, nil

	case signaling.DescriptionOffer:
		if d.Revision <= l.stable {
			if l.answer != nil && l.answer.Revision == d.Revision {
				return l.answer, false, nil // its answer got lost
			}
			return nil, false, nil
		}
		if l.offer != nil {
			if l.offer.applied {
				l.queued = &d
				return nil, false, nil
			}
			l.offer, l.dirty = nil, true // glare: the server wins
		}
		l.rev = d.Revision
		if err := checkRemote(d, ""); err != nil {
			return nil, false, fmt.Errorf("%w: %w", errRemote, err)
		}
		if err := l.peer.SetRemoteOffer(d.SDP); err != nil {
			return nil, false, fmt.Errorf("%w: %w", errRemote, err)
		}
		if l.fill != nil {
			if err := l.fill(); err != nil {
				return nil, false, fmt.Errorf("%w: %w", errLocal, err)
			}
		}
		sdp, err := l.peer.Answer(false)
		if err != nil {
			return nil, false, fmt.Errorf("%w: %w", errLocal, err)
		}
		l.stable, l.settled = l.rev, true
		l.answer = &signaling.Description{Type: signaling.DescriptionAnswer, Revision: l.rev, SDP: sdp}
		l.remoteChanged(d.SDP)
		return l.answer, true, nil

	case signaling.DescriptionCreateOffer:
		if d.Revision <= l.stable {
			return nil, false, nil
		}
		if l.offer != nil {
			l.queued = &d
			return nil, false, nil
		}
		l.rev, l.dirty, l.mesh.granted = d.Revision, true, true
		reply, err = l.negotiate()
		return reply, false, err
	}
	return nil, false, nil
}

// remoteChanged gives the peer the candidates that waited for this description.
func (l *link) remoteChanged(sdp string) {
	l.remoteUfrag = rtc.DescriptionUfrag(sdp)
	for _, c := range l.waiting[l.remoteUfrag] {
		l.add(c)
	}
	clear(l.waiting)
}

// receiveICE takes the other side's cumulative list of candidates.
func (l *link) receiveICE(ice signaling.ICE) {
	done := l.processed[ice.Ufrag]
	if done >= len(ice.Candidates) || done >= maxCandidates {
		return
	}
	fresh := ice.Candidates[done:min(len(ice.Candidates), maxCandidates)]
	if len(l.processed) > 16 {
		// The generations of the future are forgotten, not how much was taken
		// of the present one.
		maps.DeleteFunc(l.processed, func(ufrag string, _ int) bool { return ufrag != "" && ufrag != l.remoteUfrag })
		clear(l.waiting)
	}
	l.processed[ice.Ufrag] = done + len(fresh)
	if ice.Ufrag != "" && ice.Ufrag != l.remoteUfrag {
		l.waiting[ice.Ufrag] = append(l.waiting[ice.Ufrag], fresh...)
		return
	}
	for _, c := range fresh {
		l.add(c)
	}
}

func (l *link) add(c signaling.Candidate) {
	// A candidate that cannot be used is no error: others may be.
	_ = l.peer.AddCandidate(webrtc.ICECandidateInit{
		Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex, UsernameFragment: c.UsernameFragment,
	})
}

// ice returns our candidates if there are new ones since the last call; with
// again, in any case.
func (l *link) ice(again bool) *signaling.ICE {
	list, ufrag, complete := l.peer.Candidates()
	if ufrag != l.iceUfrag {
		l.iceUfrag, l.iceSent, l.sentDone = ufrag, 0, false
	}
	if !again && len(list) == l.iceSent && complete == l.sentDone {
		return nil
	}
	if len(list) == 0 && !complete {
		return nil
	}
	l.iceRev++
	l.iceSent, l.sentDone = len(list), complete
	ice := &signaling.ICE{Ufrag: ufrag, Revision: l.iceRev, Complete: complete}
	for _, c := range list {
		ice.Candidates = append(ice.Candidates, signaling.Candidate{
			Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex, UsernameFragment: c.UsernameFragment,
		})
	}
	return ice
}

// midOf finds the section whose msid has the track part.
func (l *link) midOf(track string) (mid string, ok bool) {
	for _, s := range l.peer.RemoteSections() {
		if s.Track == track && (s.Direction == "sendonly" || s.Direction == "sendrecv") {
			return s.Mid, true
		}
	}
	return "", false
}
