package icetcp

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// registry holds the ends that are in use, and implements what is the same on
// both sides of an ice.TCPMux.
type registry struct {
	port int
	call caller       // of its ends
	lost atomic.Int64 // packets

	mu     sync.Mutex
	closed bool
	ends   map[string]map[netip.Addr]*end // by ufrag and local address
}

// get returns what arrives for the ufrag at a local address from now on.
func (r *registry) get(ufrag string, local netip.Addr) (net.PacketConn, error) {
	if !local.IsValid() || ufrag == "" {
		return nil, &net.AddrError{Err: "not an address of ICE over TCP", Addr: local.String()}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, net.ErrClosed
	}
	byAddr := r.ends[ufrag]
	if byAddr == nil {
		if r.ends == nil {
			r.ends = map[string]map[netip.Addr]*end{}
		}
		byAddr = map[netip.Addr]*end{}
		r.ends[ufrag] = byAddr
	}
	e := byAddr[local]
	if e == nil {
		e = &end{
			name: name{ufrag, local}, port: r.port, packets: make(chan *packet, waiting), done: make(chan struct{}),
			call: r.call, lost: &r.lost, streams: map[netip.AddrPort]*stream{},
		}
		byAddr[local] = e
	}
	e.users++
	return &handle{end: e, release: r.release, over: make(chan struct{})}, nil
}

// find returns the end for those who came to an address of ours. Behind a
// translation of addresses it may be another one than that of the candidate.
func (r *registry) find(ufrag string, local netip.Addr) *end {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.ends[ufrag][local]; e != nil {
		return e
	}
	for _, e := range r.ends[ufrag] {
		return e
	}
	return nil
}

// RemoveConnByUfrag ends what was got for the ufrag.
func (r *registry) RemoveConnByUfrag(ufrag string) {
	r.mu.Lock()
	gone := r.ends[ufrag]
	delete(r.ends, ufrag)
	r.mu.Unlock()
	for _, e := range gone {
		e.close()
	}
}

// release ends what nobody uses any more.
func (r *registry) release(e *end) {
	r.mu.Lock()
	e.users--
	last := e.users == 0
	if byAddr := r.ends[e.name.ufrag]; last && byAddr[e.name.local] == e {
		delete(byAddr, e.name.local)
		if len(byAddr) == 0 {
			delete(r.ends, e.name.ufrag)
		}
	}
	r.mu.Unlock()
	if last {
		e.close()
	}
}

// shut ends all ends, and lets nobody have others.
func (r *registry) shut() {
	r.mu.Lock()
	all := r.ends
	r.ends, r.closed = nil, true
	r.mu.Unlock()
	for _, byAddr := range all {
		for _, e := range byAddr {
			e.close()
		}
	}
}

// usable returns the local address of a candidate, if it can have one by TCP.
func usable(ip net.IP) (netip.Addr, bool) {
	local, ok := netip.AddrFromSlice(ip)
	local = local.Unmap()
	return local, ok && !local.IsLinkLocalUnicast() && !local.IsMulticast()
}
