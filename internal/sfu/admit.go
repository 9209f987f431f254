package sfu

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
)

// gate bounds what clients of one network may do before they have shown a
// token.
type gate struct {
	sockets *admission.Sockets // nil: no bound
	joins   *admission.Rate
	resumes *admission.Rate // costs less, and a whole office does it at once
}

// resumeShare is how many times as often as joined a session may be resumed.
const resumeShare = 5

func newGate(l *Limits) *gate {
	g := &gate{}
	if l.Sockets > 0 {
		g.sockets = &admission.Sockets{PerNetwork: l.Sockets}
	}
	if l.JoinRate > 0 {
		g.joins = &admission.Rate{PerSecond: l.JoinRate, Burst: max(int(2*l.JoinRate), 1)}
		g.resumes = &admission.Rate{PerSecond: resumeShare * l.JoinRate, Burst: max(int(2*resumeShare*l.JoinRate), 1)}
	}
	return g
}

// enter counts a socket, or refuses it.
func (g *gate) enter(remote netip.Addr) (leave func(), ok bool) {
	if g.sockets == nil {
		return func() {}, true
	}
	return g.sockets.Acquire(remote)
}

// join counts a join or a resume, or refuses it.
func (g *gate) join(remote netip.Addr, resume bool) *signaling.Error {
	rate := g.joins
	if resume {
		rate = g.resumes
	}
	if rate == nil {
		return nil
	}
	ok, retryAfter := rate.Allow(remote, time.Now())
	if ok {
		return nil
	}
	err := signaling.NewError(signaling.CodeServerBusy)
	err.RetryAfter = retryAfter
	return err
}

// remoteAddr is the address in a request's RemoteAddr, or the invalid one.
func remoteAddr(remote string) netip.Addr {
	addr, _ := netip.ParseAddrPort(remote)
	return addr.Addr()
}

// addressPolicy says where clients may make us send to.
func (s *Server) addressPolicy() admission.AddressPolicy {
	m := &s.cfg.Media
	// Another network than the operating system's has no secrets to keep.
	p := admission.AddressPolicy{AllowPrivate: m.AllowPrivate || m.Net != nil, AllowLoopback: m.Loopback}
	add := func(ip net.IP) {
		if a, ok := netip.AddrFromSlice(ip); ok {
			p.Own = append(p.Own, a.Unmap())
		}
	}
	for _, text := range slices.Concat(m.IPs, m.PublicIPs) {
		add(net.ParseIP(text))
	}
	if m.Net == nil {
		addrs, _ := net.InterfaceAddrs() // without them the rest still holds
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				add(n.IP)
			}
		}
	}
	return p
}

// admitted is a client's description that may be applied.
type admitted struct {
	sdp   string
	ufrag string
}

// admitSDP checks a description of the client and takes out of it what may not
// be used.
func (l *link) admitSDP(sdp string) (admitted, *signaling.Error) {
	limits := &l.peer.srv.cfg.Limits
	summary, err := admission.CheckSDP(sdp, admission.Limits{Bytes: limits.SDPBytes, Sections: limits.Sections})
	if err != nil {
		return admitted{}, asError(err, signaling.CodeServerRemoteDescription)
	}
	most := limits.Candidates
	if most < 0 {
		most = len(sdp)
	}
	sdp, dropped := admission.FilterSDPCandidates(sdp, l.peer.srv.policy.Allows, most)
	l.peer.srv.metrics.dropped.Add(float64(dropped))
	sdp, fault := keepCodecs(sdp, l.peer.room.opts.VideoCodecs)
	if fault != nil {
		return admitted{}, fault
	}
	return admitted{sdp: sdp, ufrag: summary.Ufrag}, nil
}

// takeICE takes the candidates of an ice section.
func (l *link) takeICE(ice *signaling.ICE) {
	l.addCandidates(l.budget.Take(*ice, l.peer.srv.policy))
}

// addCandidates adds candidates that were let through.
func (l *link) addCandidates(list []signaling.Candidate) {
	if n := l.budget.Dropped(); n > l.dropped {
		l.peer.srv.metrics.dropped.Add(float64(n - l.dropped))
		l.dropped = n
	}
	for _, c := range list {
		// A candidate that pion does not like is of no use, and harmless.
		_ = l.pc.AddCandidate(webrtc.ICECandidateInit{
			Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex, UsernameFragment: c.UsernameFragment,
		})
	}
}
