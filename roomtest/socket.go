package roomtest

import (
	"net"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/pion/transport/v4"
)

// socket is a real UDP socket of a participant, with its faults, in the form
// that pion wants.
type socket struct {
	faultnet.UDPConn
	of *loopbackStation
}

// ListenPacket opens a UDP socket.
func (st *loopbackStation) ListenPacket(network, address string) (net.PacketConn, error) {
	addr, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	return st.ListenUDP(network, addr)
}

// ListenUDP opens a UDP socket.
func (st *loopbackStation) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	under, err := st.Net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	return st.opened(under), nil
}

// DialUDP opens a UDP socket that talks to one address only.
func (st *loopbackStation) DialUDP(network string, local, remote *net.UDPAddr) (transport.UDPConn, error) {
	under, err := st.Net.DialUDP(network, local, remote)
	if err != nil {
		return nil, err
	}
	return st.opened(dialed{under}), nil
}

// dialed is a connected socket, which takes no destination.
type dialed struct{ transport.UDPConn }

func (d dialed) WriteTo(b []byte, _ net.Addr) (int, error) { return d.Write(b) }

func (st *loopbackStation) opened(under transport.UDPConn) transport.UDPConn {
	s := &socket{UDPConn: faultnet.UDPConn{Impaired: faultnet.Impair(under, st.seed), Under: under}, of: st}
	s.SetTap(st.tap)
	st.mu.Lock()
	defer st.mu.Unlock()
	s.SetFaults(st.faults)
	st.sockets[s] = struct{}{}
	return s
}

// Close closes the socket. It is idempotent.
func (s *socket) Close() error {
	err := s.Impaired.Close()
	s.of.mu.Lock()
	delete(s.of.sockets, s)
	s.of.mu.Unlock()
	select {
	case s.of.closed <- struct{}{}:
	default:
	}
	return err
}
