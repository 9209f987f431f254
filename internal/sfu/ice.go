package sfu

import (
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
)

// The most ICE generations whose candidates are kept before their description
// has come.
const maxGenerations = 4

// remoteICE is what the client told of one ICE generation. Its lists are
// cumulative.
type remoteICE struct {
	known     bool // the generation's description is applied
	revision  int
	processed int // entries of the list
	list      []signaling.Candidate
	added     int // candidates that were let through
}

// takeICE takes the candidates of an ice section.
func (l *link) takeICE(ice *signaling.ICE) {
	r := l.remotes[ice.Ufrag]
	if r == nil {
		if len(l.remotes) >= maxGenerations {
			for ufrag, old := range l.remotes {
				if !old.known {
					delete(l.remotes, ufrag)
				}
			}
			if len(l.remotes) >= maxGenerations {
				return
			}
		}
		r = &remoteICE{}
		l.remotes[ice.Ufrag] = r
	}
	if ice.Revision < r.revision {
		return
	}
	r.revision = ice.Revision
	// What is beyond twice the budget could never be used.
	r.list = ice.Candidates[:min(len(ice.Candidates), 2*max(l.peer.srv.cfg.Limits.Candidates, 0))]
	if r.known {
		l.addCandidates(r)
	}
}

// flushICE makes the generation of a description the current one.
func (l *link) flushICE(ufrag string) {
	r := l.remotes[ufrag]
	if r == nil {
		r = &remoteICE{}
	}
	clear(l.remotes) // older generations are over
	l.remotes[ufrag] = r
	r.known = true
	l.addCandidates(r)
}

func (l *link) addCandidates(r *remoteICE) {
	for ; r.processed < len(r.list); r.processed++ {
		c := r.list[r.processed]
		if !l.peer.srv.allowCandidate(c.Candidate, &r.added) {
			l.peer.srv.metrics.dropped.Inc()
			continue
		}
		// A candidate that cannot be parsed is of no use, and harmless.
		_ = l.pc.AddCandidate(webrtc.ICECandidateInit{
			Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex, UsernameFragment: c.UsernameFragment,
		})
	}
}

// filter takes the candidates that may not be used out of a description.
func (l *link) filter(sdp string) (filtered, ufrag string) {
	return l.peer.srv.filterSDP(sdp), rtc.DescriptionUfrag(sdp)
}
