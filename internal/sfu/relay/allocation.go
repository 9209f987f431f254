package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/turn/v5"
)

var (
	errFull        = errors.New("too many allocations")
	errUnsupported = errors.New("only UDP is relayed, at any port")
	errFamily      = errors.New("no address of this family to relay from")
	errClosed      = errors.New("relay is closed")
)

// generator opens the sockets of allocations, in the form that pion wants.
type generator struct{ server *Server }

func (g generator) Validate() error { return nil }

func (g generator) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	s := g.server
	switch {
	case c.UserID == "" || c.RequestedPort != 0:
		return nil, nil, errUnsupported // even ports, and the ones after them
	case (c.Network == "udp4") != s.cfg.IP.Is4():
		return nil, nil, errFamily
	}
	conn, err := s.cfg.Net.ListenPacket(c.Network, netip.AddrPortFrom(s.cfg.IP, 0).String())
	if err != nil {
		return nil, nil, err
	}
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	r := &relayed{PacketConn: conn, server: s, identity: c.UserID, local: local}
	r.end = time.AfterFunc(Lifetime, func() { _ = r.Close() }) // which ends the allocation
	if err := s.addRelay(r); err != nil {
		_ = r.Close() // it was never used
		return nil, nil, err
	}
	return r, net.UDPAddrFromAddrPort(s.seen(local)), nil
}

func (g generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errUnsupported
}

func (g generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) {
	return nil, errUnsupported
}

// mayAllocate decides about one more allocation. No is answered with error 486.
func (s *Server) mayAllocate(identity, _ string, _ net.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.room(identity) == nil
}

// room tells what is in the way of one more allocation. The lock is held.
func (s *Server) room(identity string) error {
	if s.closed {
		return errClosed
	}
	mine := 0
	for _, r := range s.relays {
		if r.identity == identity {
			mine++
		}
	}
	if mine >= MaxAllocations || len(s.relays) >= s.cfg.MaxAllocations {
		return errFull
	}
	return nil
}

// addRelay makes the socket known. It asks again whether there is room: other
// connections may have been quicker.
func (s *Server) addRelay(r *relayed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.room(r.identity); err != nil {
		return err
	}
	s.relays[r.local] = r
	return nil
}

// allocated is told by pion.
func (s *Server) allocated(client, server net.Addr, _, _, _ string, relay net.Addr, _ int) {
	at := tupleOf(client, server)
	s.mu.Lock()
	defer s.mu.Unlock()
	local := netip.AddrPortFrom(s.cfg.IP, uint16(relay.(*net.UDPAddr).Port)) //nolint:gosec // a port
	if r := s.relays[local]; r != nil {
		r.tuple = at
		s.byTuple[at] = r
	}
	if c := s.streams[at]; c != nil {
		_ = c.SetReadDeadline(time.Time{}) // it fails where the reading does
	}
}

// released is told by pion.
func (s *Server) released(client, server net.Addr, _, _, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.streams[tupleOf(client, server)]; c != nil {
		_ = c.SetReadDeadline(time.Now().Add(idleTime)) // it fails where the reading does
	}
}

// authorized is told by pion of each request. One that keeps an allocation
// alive gives it another Lifetime, whatever more it asks for.
func (s *Server) authorized(client, server net.Addr, _, _, _, method string, ok bool) {
	if !ok || method != "Refresh" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byTuple[tupleOf(client, server)]; r != nil {
		r.end.Reset(Lifetime)
	}
}

// relayed is the socket of an allocation. It talks to who may be talked to, and
// is silent to all others.
type relayed struct {
	net.PacketConn
	server   *Server
	identity string
	local    netip.AddrPort
	end      *time.Timer
	tuple    tuple // guarded by the server's lock
	once     sync.Once
}

func (r *relayed) WriteTo(b []byte, to net.Addr) (int, error) {
	peer, ok := addrPort(to)
	if ok {
		peer, ok = r.server.reaches(peer)
	}
	if !ok {
		return len(b), nil
	}
	return r.PacketConn.WriteTo(b, net.UDPAddrFromAddrPort(peer))
}

func (r *relayed) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		peer, ok := addrPort(from)
		if !ok {
			continue
		}
		peer = r.server.seen(peer)
		if _, ok := r.server.reaches(peer); ok {
			return n, net.UDPAddrFromAddrPort(peer), nil
		}
	}
}

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	ap := u.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()), true
}

// Close makes room for another allocation.
func (r *relayed) Close() error {
	r.once.Do(func() {
		s := r.server
		s.mu.Lock()
		if s.relays[r.local] == r {
			delete(s.relays, r.local)
		}
		if s.byTuple[r.tuple] == r {
			delete(s.byTuple, r.tuple)
		}
		s.mu.Unlock()
		r.end.Stop()
		_ = r.PacketConn.Close() // nothing waits in it
	})
	return nil
}
