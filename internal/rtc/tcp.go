package rtc

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-rtc/parley/internal/icetcp"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// tcpWait is what UDP has on top of TCP. A pair of candidates is chosen for
// good, and on a network that loses packets TCP may come through first, but
// carries media badly. It is shorter than relayWait: a server that can be called
// is better than a way around.
const tcpWait = relayWait * 3 / 4

// maxTCPCalls bounds how many addresses the other side can have us call, from
// each of ours.
const maxTCPCalls = 8

func (cfg Config) tcpWait() time.Duration {
	for _, t := range cfg.NetworkTypes {
		if t == webrtc.NetworkTypeUDP4 || t == webrtc.NetworkTypeUDP6 {
			return tcpWait
		}
	}
	if len(cfg.NetworkTypes) == 0 {
		return tcpWait
	}
	return 0 // there is nothing to wait for
}

// tcpCalls are the candidates of the other side that wait to be called by TCP.
type tcpCalls struct {
	dialer *icetcp.Dialer // nil: we do not call, and our candidates are not hidden
	wanted bool
	wait   time.Duration

	mu    sync.Mutex
	over  bool
	ufrag string   // of the other side's present generation
	seen  []string // of this generation
	list  []string // that wait
	timer *time.Timer
}

// clear is called with the lock held.
func (t *tcpCalls) clear() {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.seen, t.list, t.timer = nil, nil, nil
}

// end lets nobody be called any more.
func (t *tcpCalls) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	t.over = true
}

func isTCP(candidate string) bool {
	f := strings.Fields(strings.TrimPrefix(candidate, "candidate:"))
	return len(f) > 2 && strings.EqualFold(f[2], "tcp")
}

// withoutTCP takes the candidates of TCP out of a description.
func withoutTCP(sdp string) (rest string, candidates []string) {
	const line = "a=candidate:"
	if !strings.Contains(sdp, " tcptype ") {
		return sdp, nil
	}
	var b strings.Builder
	for l := range strings.Lines(sdp) {
		value, ok := strings.CutPrefix(l, line)
		if !ok || !isTCP(value) {
			b.WriteString(l)
			continue
		}
		candidates = append(candidates, strings.TrimSpace(value))
	}
	return b.String(), candidates
}

// callLater has candidates of the other side wait until UDP had its time. A
// ufrag that is not the last one begins a generation: candidates of an earlier
// one are forgotten.
func (p *Peer) callLater(candidates []string, ufrag string) {
	t := &p.tcp
	if !t.wanted {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if ufrag != "" && ufrag != t.ufrag {
		t.clear()
		t.ufrag = ufrag
	}
	for _, c := range candidates {
		if t.over || len(t.seen) >= maxTCPCalls {
			return
		}
		if slices.Contains(t.seen, c) {
			continue // descriptions repeat what they said
		}
		t.seen, t.list = append(t.seen, c), append(t.list, c)
		if t.timer == nil {
			t.timer = time.AfterFunc(t.wait, p.callByTCP)
		}
	}
}

// callByTCP uses what waited, unless there is no need to.
func (p *Peer) callByTCP() {
	p.tcp.mu.Lock()
	list := p.tcp.list
	p.tcp.list, p.tcp.timer = nil, nil
	p.tcp.mu.Unlock()
	switch p.ICEState() {
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
		if p.tcp.wait > 0 {
			return
		}
		// It is from before an ICE restart, whose description has just come.
	}
	for _, text := range list {
		c, err := ice.UnmarshalCandidate(text)
		if err != nil || c.TCPType() != ice.TCPTypePassive || c.Type() != ice.CandidateTypeHost || p.closed() {
			continue // others may be of use
		}
		// Without its type: see icetcp.Dialer.
		_ = p.ice.AddRemoteCandidate(&webrtc.ICECandidate{ // an error is of this one
			Foundation: c.Foundation(), Priority: c.Priority(), Address: c.Address(), Port: uint16(c.Port()),
			Protocol: webrtc.ICEProtocolTCP, Typ: webrtc.ICECandidateTypeHost, Component: c.Component(),
		})
	}
}

// callNobody ends what there is for calls by TCP once UDP leads to the other side: a
// pair of candidates is chosen for good, and each local address has a goroutine
// that waits.
func (p *Peer) callNobody(chosen *webrtc.ICECandidate) {
	if p.tcp.dialer == nil || chosen == nil || chosen.Protocol == webrtc.ICEProtocolTCP {
		return
	}
	_, rest, _ := strings.Cut(chosen.ToJSON().Candidate, " ufrag ") // of its generation
	ufrag, _, _ := strings.Cut(rest, " ")
	p.tcp.dialer.RemoveConnByUfrag(ufrag)
}
