package relay

import (
	"net"
	"net/netip"
	"slices"
)

// permits decides about the address of a peer; reaches, later, about its port.
// What it refuses is answered with error 403.
func (s *Server) permits(_ net.Addr, peer net.IP) bool {
	ip, ok := netip.AddrFromSlice(peer)
	ip = ip.Unmap()
	if !ok || s.denied(ip) {
		return false
	}
	return ip == s.cfg.PublicIP || s.isMedia(ip, nil) || s.allowed(ip)
}

func (s *Server) denied(ip netip.Addr) bool { return contains(s.cfg.Deny, ip) }

func (s *Server) allowed(ip netip.Addr) bool {
	return contains(s.cfg.Allow, ip) && s.policy.Allows(ip)
}

func contains(list []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// isMedia reports whether media is received at the address, and at the port if
// it is given.
func (s *Server) isMedia(ip netip.Addr, port *uint16) bool {
	return slices.ContainsFunc(s.cfg.Peers, func(p Peer) bool {
		return p.IP.Unmap() == ip && (port == nil || p.First <= *port && *port <= p.Last)
	})
}

// reaches reports whether packets may go between a relay and the peer, and
// where it is on this machine.
func (s *Server) reaches(peer netip.AddrPort) (local netip.AddrPort, ok bool) {
	ip, port := peer.Addr(), peer.Port()
	if s.denied(ip) {
		return peer, false
	}
	if ip == s.cfg.PublicIP {
		local = netip.AddrPortFrom(s.cfg.IP, port)
		return local, s.ours(local)
	}
	return peer, s.ours(peer) || s.allowed(ip)
}

// ours reports whether the local address is one of the SFU or of a relay.
func (s *Server) ours(local netip.AddrPort) bool {
	port := local.Port()
	if s.isMedia(local.Addr(), &port) {
		return true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.relays[local]
	return ok
}

// seen returns the address by which clients know a local one.
func (s *Server) seen(local netip.AddrPort) netip.AddrPort {
	if local.Addr() == s.cfg.IP {
		return netip.AddrPortFrom(s.cfg.PublicIP, local.Port())
	}
	return local
}
