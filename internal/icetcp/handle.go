package icetcp

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// handle is an end as one candidate of pion's has it, a net.PacketConn. Several
// may read one.
type handle struct {
	*end
	release func(*end)
	over    chan struct{}
	once    sync.Once
}

// ReadFromAddrPort waits for a packet of any of the streams.
func (h *handle) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case p := <-h.packets:
		n, from := copy(b, p.data[:p.size]), p.from
		packets.Put(p)
		return n, from, nil
	case <-h.over:
	case <-h.done:
	}
	return 0, netip.AddrPort{}, net.ErrClosed
}

// WriteToAddrPort queues a packet. It never waits: what has no room is lost.
func (h *handle) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s := h.stream(to)
	if s == nil {
		return 0, net.ErrClosed // see stream.write
	}
	return s.write(b)
}

// ReadFrom implements net.PacketConn.
func (h *handle) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := h.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.TCPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn.
func (h *handle) WriteTo(b []byte, to net.Addr) (int, error) {
	at, ok := addrPort(to)
	if !ok {
		return 0, &net.AddrError{Err: "not an address of TCP", Addr: to.String()}
	}
	return h.WriteToAddrPort(b, at)
}

// LocalAddr is the address of the candidate.
func (h *handle) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.name.local, uint16(h.port)))
}

// Close ends the reading. The streams end when nobody uses them any more.
func (h *handle) Close() error {
	h.once.Do(func() {
		close(h.over)
		h.release(h.end)
	})
	return nil
}

// SetDeadline and the others do nothing: what reads ends by Close, and nothing
// that writes waits.
func (h *handle) SetDeadline(time.Time) error      { return nil }
func (h *handle) SetReadDeadline(time.Time) error  { return nil }
func (h *handle) SetWriteDeadline(time.Time) error { return nil }

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), true
}
