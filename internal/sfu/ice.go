package sfu

import (
	"net"
	"net/netip"
	"slices"

	"github.com/parley-rtc/parley/signaling"
)

// MediaAddress is where the server receives media: an address of this machine,
// and the UDP ports from First to Last.
type MediaAddress struct {
	IP          netip.Addr
	First, Last uint16
}

// MediaAddresses lists where the server receives media, as this machine knows
// it. It knows nothing of a UDPMux that was given, nor of sockets that are
// opened anywhere.
func (s *Server) MediaAddresses() []MediaAddress { return slices.Clone(s.media) }

func (s *Server) noteMedia(conn net.PacketConn) {
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		at := a.AddrPort()
		s.media = append(s.media, MediaAddress{at.Addr().Unmap(), at.Port(), at.Port()})
	}
}

// noteRange notes where the sockets of a port range will be.
func (s *Server) noteRange() {
	m := &s.cfg.Media
	ips := m.IPs
	if len(ips) == 0 {
		ips, _ = localIPs(m.Loopback) // without a list nothing is known
	}
	for _, text := range ips {
		if ip, err := netip.ParseAddr(text); err == nil {
			s.media = append(s.media, MediaAddress{ip.Unmap(), m.PortMin, m.PortMax})
		}
	}
}

// OfferRelay has clients told of ICE servers of their own, which relay returns
// for an identity each time that it is asked. Rooms without TURN leave them out.
// It must be called before the first request.
func (s *Server) OfferRelay(relay func(identity string) []signaling.ICEServer) { s.relay = relay }

// iceServers are those for a participant of the room, or of the one that is
// named; there may be none of the name yet.
func (s *Server) iceServers(identity string, o *RoomOptions) []signaling.ICEServer {
	if s.relay == nil || o != nil && o.DisableTURN {
		return s.cfg.ICEServers
	}
	return slices.Concat(s.relay(identity), s.cfg.ICEServers)
}
