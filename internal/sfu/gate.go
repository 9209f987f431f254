package sfu

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gate bounds what one IP address may do before it has shown a token.
type gate struct {
	limits *Limits

	mu    sync.Mutex
	hosts map[string]*host
}

type host struct {
	sockets int
	joins   *rate.Limiter
	seen    time.Time
}

// The hosts that are remembered after their last socket, so that their rate of
// joining stays known.
const maxIdleHosts = 10_000

func newGate(l *Limits) *gate { return &gate{limits: l, hosts: map[string]*host{}} }

// visit is one socket of a host.
type visit struct {
	gate *gate
	host *host
}

// enter counts a socket, or refuses it.
func (g *gate) enter(remote string) (*visit, bool) {
	ip, _, err := net.SplitHostPort(remote)
	if err != nil {
		ip = remote
	}
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.hosts[ip]
	if h == nil {
		g.forget(now)
		limit := rate.Inf
		if g.limits.JoinRate > 0 {
			limit = rate.Limit(g.limits.JoinRate)
		}
		h = &host{joins: rate.NewLimiter(limit, max(int(2*g.limits.JoinRate), 1))}
		g.hosts[ip] = h
	}
	if g.limits.Sockets > 0 && h.sockets >= g.limits.Sockets {
		return nil, false
	}
	h.sockets++
	h.seen = now
	return &visit{g, h}, true
}

// forget makes room among the hosts that have no socket.
func (g *gate) forget(now time.Time) {
	if len(g.hosts) < maxIdleHosts {
		return
	}
	for ip, h := range g.hosts {
		if h.sockets == 0 && now.Sub(h.seen) > time.Minute {
			delete(g.hosts, ip)
		}
	}
}

func (v *visit) leave() {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	v.host.sockets--
}

// mayJoin counts a join or a resume.
func (v *visit) mayJoin() bool { return v.host.joins.Allow() }
