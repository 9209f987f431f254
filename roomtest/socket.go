package roomtest

import (
	"net"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/pion/transport/v4"
)

// socket is a real UDP socket of a participant, with its faults, in the form
// that pion wants.
type socket struct {
	*faultnet.Impaired
	under transport.UDPConn
	of    *loopbackStation
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
	s := &socket{Impaired: faultnet.Impair(under, st.seed), under: under, of: st}
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

func (s *socket) RemoteAddr() net.Addr { return s.under.RemoteAddr() }

func (s *socket) Read(b []byte) (int, error) {
	n, _, err := s.ReadFrom(b)
	return n, err
}

func (s *socket) Write(b []byte) (int, error) { return s.WriteTo(b, s.under.RemoteAddr()) }

func (s *socket) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, addr, err := s.ReadFrom(b)
	udp, _ := addr.(*net.UDPAddr) // nil with an error
	return n, udp, err
}

func (s *socket) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) { return s.WriteTo(b, addr) }

// ReadMsgUDP reads a packet; there is never out-of-band data.
func (s *socket) ReadMsgUDP(b, _ []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, addr, err = s.ReadFromUDP(b)
	return n, 0, 0, addr, err
}

// WriteMsgUDP sends a packet without the out-of-band data.
func (s *socket) WriteMsgUDP(b, _ []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if addr == nil {
		n, err = s.Write(b)
	} else {
		n, err = s.WriteTo(b, addr)
	}
	return n, 0, err
}

func (s *socket) SetReadBuffer(bytes int) error { return s.under.SetReadBuffer(bytes) }

func (s *socket) SetWriteBuffer(bytes int) error { return s.under.SetWriteBuffer(bytes) }
