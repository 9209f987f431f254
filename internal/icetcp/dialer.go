package icetcp

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"time"
)

// discard is the port of candidates that call: nobody can call them.
const discard = 9

// Dialer is the side that calls. Its candidates are those of an ice.TCPMux, as
// if others called it: they must be told nobody, and the candidates of the other
// side must be given to pion without saying that they wait to be called. What is
// sent to an address for the first time calls it, and never again: after a
// connection is lost it takes an ICE restart.
//
// Each end owns the goroutines of its connections, and waits for them when the
// last candidate closes it. There is nothing else to close.
type Dialer struct {
	registry
	dial func(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error)
}

// NewDialer returns a dialer that opens connections with dial, on goroutines of
// its own; nil: those of the operating system. The context ends when the
// connection is not wanted any more.
func NewDialer(dial func(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error)) *Dialer {
	if dial == nil {
		dial = func(ctx context.Context, local netip.Addr, remote netip.AddrPort) (net.Conn, error) {
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))}
			return d.DialContext(ctx, "tcp", remote.String())
		}
	}
	d := &Dialer{dial: dial}
	d.port, d.call = discard, d.connect
	return d
}

// GetConnByUfrag implements ice.TCPMux.
func (d *Dialer) GetConnByUfrag(ufrag string, _ bool, local net.IP) (net.PacketConn, error) {
	addr, _ := usable(local)
	return d.get(ufrag, addr)
}

// GetAllConns has pion leave out addresses that are of no use.
func (d *Dialer) GetAllConns(ufrag string, _ bool, local net.IP) ([]net.PacketConn, error) {
	return all(&d.registry, ufrag, local, nil)
}

// Close lets nobody call any more.
func (d *Dialer) Close() error {
	d.shut()
	return nil
}

// connect opens and reads a stream.
func (d *Dialer) connect(ctx context.Context, e *end, s *stream) {
	defer s.close()
	conn, err := d.dial(ctx, e.name.local, s.remote)
	if err != nil {
		return
	}
	if !s.attach(conn) {
		_ = conn.Close() // nobody wants it
		return
	}
	e.wg.Go(s.send) // not yet waited for: this goroutine is, too
	s.deliver(bufio.NewReaderSize(conn, readBytes), e, time.Now())
}
