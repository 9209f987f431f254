package faultnet

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/pion/transport/v4"
)

// dialTimeout is how long dialing tries that takes no context.
const dialTimeout = 30 * time.Second

// route is what a stream runs over: it is silent while an address of it has
// no host, or one whose cable is pulled.
type route struct {
	from, to     *Host
	fromIP, toIP netip.Addr
}

func (r route) silent() bool { return r.from.cut(r.fromIP) || r.to.cut(r.toIP) }

func (h *Host) cut(ip netip.Addr) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.dark || !h.sends(ip)
}

// reroute tells all streams what the network is like now.
func (w *World) reroute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	open := make(map[*PipeConn]route)
	for _, c := range w.pipes.Conns() {
		if r, ok := w.routes[c]; ok {
			open[c] = r
			c.SetBlackhole(r.silent())
		}
	}
	w.routes = open
	w.pipes.poke()
}

// Listen announces a TCP address of this host; without one, its first.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	addr, err := h.ResolveTCPAddr(network, address)
	if err != nil {
		return nil, err
	}
	return h.ListenTCP(network, addr)
}

// ListenTCP announces a TCP address of this host; without one, its first.
func (h *Host) ListenTCP(network string, local *net.TCPAddr) (transport.TCPListener, error) {
	var ip netip.Addr
	port := 0
	if local != nil {
		ip, _ = netip.AddrFromSlice(local.IP)
		ip, port = ip.Unmap(), local.Port
	}
	own := h.Addresses()
	if (!ip.IsValid() || ip.IsUnspecified()) && len(own) > 0 {
		ip = own[0]
	}
	if !h.has(ip) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: local, Err: syscall.EADDRNOTAVAIL}
	}
	l, err := h.world.pipes.Listen(net.JoinHostPort(ip.String(), strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	return &tcpListener{Listener: l}, nil
}

// DialContext opens a TCP connection to a host of the open network or of the
// same LAN. It has the delay of the world but loses nothing, and falls silent
// with its hosts.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	remote, err := h.ResolveTCPAddr(network, address)
	if err != nil {
		return nil, err
	}
	return h.dialTCP(ctx, network, remote)
}

// DialTCP opens a TCP connection. It gives up after 30 s.
func (h *Host) DialTCP(network string, _, remote *net.TCPAddr) (transport.TCPConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	return h.dialTCP(ctx, network, remote)
}

func (h *Host) dialTCP(ctx context.Context, network string, remote *net.TCPAddr) (transport.TCPConn, error) {
	fail := func(err error) (transport.TCPConn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: remote, Err: err}
	}
	toIP, _ := netip.AddrFromSlice(remote.IP)
	toIP = toIP.Unmap()
	to := h.world.owner(toIP)
	own := h.Addresses()
	if len(own) == 0 || to == nil || to.lan != nil && to.lan != h.lan {
		return fail(syscall.EHOSTUNREACH)
	}
	r := route{from: h, to: to, fromIP: own[0], toIP: toIP}
	seen := own[0]
	if h.lan != nil && to.lan != h.lan {
		seen = h.lan.public
	}
	w := h.world
	c, err := w.pipes.connect(ctx, dialing{
		network: network, host: own[0].String(), seen: seen.String(), address: remote.String(),
		latency: h.out.get().Delay, silent: r.silent,
	})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.routes[c] = r
	w.mu.Unlock()
	c.SetBlackhole(r.silent()) // it may have changed before the route was known
	return tcpConn{c}, nil
}

// tcpListener gives a listener the form that pion wants.
type tcpListener struct{ *Listener }

func (l *tcpListener) Accept() (net.Conn, error) { return l.AcceptTCP() }

func (l *tcpListener) AcceptTCP() (transport.TCPConn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tcpConn{c.(*PipeConn)}, nil
}

func (l *tcpListener) Addr() net.Addr { return l.addr.tcp() }

func (l *tcpListener) SetDeadline(time.Time) error { return transport.ErrNotSupported }

// tcpConn gives a connection the form that pion wants.
type tcpConn struct{ *PipeConn }

func (c tcpConn) LocalAddr() net.Addr { return c.local.tcp() }

func (c tcpConn) RemoteAddr() net.Addr { return c.remote.tcp() }

func (c tcpConn) CloseRead() error { return nil }

func (c tcpConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c.PipeConn}, r)
}

func (c tcpConn) SetLinger(int) error { return nil }

func (c tcpConn) SetKeepAlive(bool) error { return nil }

func (c tcpConn) SetKeepAlivePeriod(time.Duration) error { return nil }

func (c tcpConn) SetNoDelay(bool) error { return nil }

func (c tcpConn) SetWriteBuffer(int) error { return nil }

func (c tcpConn) SetReadBuffer(int) error { return nil }
