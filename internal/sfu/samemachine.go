package sfu

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/parley-rtc/parley/internal/rtc"
)

// A server on the loopback interface is for programs of its own machine.
// Firefox is one, but does not use that interface: it sends from the addresses
// that lead out of the machine, and pairs them with no loopback address. So the
// server has a socket there as well, which is deaf to everybody else.

// listenSameMachine opens these sockets. Without a network there are none; a
// server that cannot have them is as good for all others.
func (s *Server) listenSameMachine(port int) {
	own := outward()
	for _, ip := range own {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port))))
		if err != nil {
			s.log.Warn("Firefox on this machine will get no media", "err", err)
			continue
		}
		s.muxes = append(s.muxes, rtc.NewUDPMux(&only{PacketConn: conn, from: own}, nil, s.log))
	}
}

// outward returns the addresses with which this machine goes out, at most one
// of each family. Nothing is sent to find them.
func outward() []netip.Addr {
	var own []netip.Addr
	for _, to := range []string{"203.0.113.1:9", "[2001:db8::1]:9"} { // of documentation
		conn, err := new(net.Dialer).DialContext(context.Background(), "udp", to) // does not wait
		if err != nil {
			continue // no route
		}
		if addr := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(); !addr.IsLoopback() && addr.Zone() == "" {
			own = append(own, addr)
		}
		_ = conn.Close() // it has done nothing
	}
	return own
}

// only is a socket that hears some addresses.
type only struct {
	net.PacketConn
	from []netip.Addr
}

func (o *only) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := o.PacketConn.ReadFrom(p)
		if err != nil {
			return n, from, err
		}
		if addr, ok := from.(*net.UDPAddr); ok && slices.Contains(o.from, addr.AddrPort().Addr().Unmap()) {
			return n, from, nil
		}
	}
}
