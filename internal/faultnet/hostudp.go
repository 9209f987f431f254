package faultnet

import (
	"net"
	"net/netip"

	"github.com/pion/transport/v4"
)

// socket is a UDP socket of a host, with the host's faults.
type socket struct {
	UDPConn
	host *Host
}

func (h *Host) socket(open func() (transport.UDPConn, error)) (transport.UDPConn, error) {
	h.mu.RLock()
	under, err := open()
	tap := h.tap
	h.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	s := &socket{UDPConn: UDPConn{impair(wire{under, h}, h.out, h.in), under}, host: h}
	s.SetTap(tap)
	w := h.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != nil {
		w.open[s] = struct{}{}
	}
	return s, nil
}

// wire is the way from a socket into vnet.
type wire struct {
	transport.UDPConn
	host *Host
}

// WriteTo drops packets to hosts that are blocked, and those of addresses that
// the host has lost; vnet would still send them.
func (w wire) WriteTo(b []byte, addr net.Addr) (int, error) {
	remote, _ := addr.(*net.UDPAddr)
	if remote != nil {
		if ip, _ := netip.AddrFromSlice(remote.IP); !w.host.reaches(ip.Unmap()) {
			return len(b), nil
		}
	}
	w.host.mu.RLock()
	defer w.host.mu.RUnlock()
	local, _ := w.LocalAddr().(*net.UDPAddr)
	if local == nil || remote == nil {
		return w.UDPConn.WriteTo(b, addr)
	}
	ip, _ := netip.AddrFromSlice(local.IP)
	ip = ip.Unmap()
	if !remote.IP.IsLoopback() && !w.host.sends(ip) {
		return len(b), nil
	}
	return w.UDPConn.WriteTo(b, addr)
}

// sends reports whether packets from ip leave the host. The lock is held.
func (h *Host) sends(ip netip.Addr) bool {
	if !ip.IsValid() || ip.IsUnspecified() {
		return len(h.ips) > 0
	}
	for _, own := range h.ips {
		if own == ip {
			return true
		}
	}
	return ip.IsLoopback()
}

// Close closes the socket. It is idempotent.
func (s *socket) Close() error {
	err := s.Impaired.Close()
	w := s.host.world
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, s)
	w.shut.ring()
	return err
}

// SetReadBuffer does nothing: the buffer is large.
func (s *socket) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing.
func (s *socket) SetWriteBuffer(int) error { return nil }
