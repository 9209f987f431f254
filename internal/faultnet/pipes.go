package faultnet

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// backlog is how many dialed connections wait to be accepted.
const backlog = 256

// Pipes is a network of byte streams in memory: listeners, dialing, and
// connections that have deadlines, buffers and faults as those of TCP. All
// waiting in it is durable in the sense of testing/synctest. It has no
// goroutines.
//
// The zero value is not usable; see [NewPipes].
type Pipes struct {
	mu        sync.Mutex
	listeners map[string]*Listener
	conns     map[*PipeConn]struct{} // one end of each
	ports     uint16
	latency   time.Duration
	refusing  bool
	blackhole bool
	changed   bell
	forgotten func() // a connection is over; may be nil, set before use
}

// NewPipes returns a network without latency or faults.
func NewPipes() *Pipes {
	return &Pipes{
		listeners: make(map[string]*Listener),
		conns:     make(map[*PipeConn]struct{}),
		ports:     49151,
		changed:   newBell(),
	}
}

// Listen announces a "host:port". The host can be any name; port 0 or none
// chooses one.
func (n *Pipes) Listen(address string) (*Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, "0"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == "0" || port == "" {
		port = n.port()
	}
	l := &Listener{net: n, addr: pipeAddr(net.JoinHostPort(host, port)), waiting: make(chan *PipeConn, backlog), closed: make(chan struct{})}
	if _, taken := n.listeners[string(l.addr)]; taken {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: l.addr, Err: syscall.EADDRINUSE}
	}
	n.listeners[string(l.addr)] = l
	return l, nil
}

func (n *Pipes) port() string {
	n.ports++
	if n.ports == 0 {
		n.ports = 49152
	}
	return strconv.Itoa(int(n.ports))
}

// DialContext connects to a listener. It fits http.Transport and the dialers
// of WebSocket libraries. While the network is a black hole it waits for ctx.
func (n *Pipes) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.connect(ctx, dialing{network: network, host: "client", seen: "client", address: address})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dialing is one attempt to connect.
type dialing struct {
	network    string
	host, seen string        // of the dialing end, and how the other end sees it
	address    string        // to dial
	latency    time.Duration // added to that of the network
	silent     func() bool   // whether a black hole is on the way; may be nil
}

func (n *Pipes) connect(ctx context.Context, d dialing) (*PipeConn, error) {
	fail := func(err error) (*PipeConn, error) {
		return nil, &net.OpError{Op: "dial", Net: d.network, Addr: pipeAddr(d.address), Err: err}
	}
	switch d.network {
	case "tcp", "tcp4", "tcp6":
	default:
		return fail(net.UnknownNetworkError(d.network))
	}
	if err := n.handshake(ctx, d); err != nil {
		return fail(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[d.address]
	if l == nil || n.refusing {
		return fail(syscall.ECONNREFUSED)
	}
	near, far := n.pair(d, l.addr)
	select {
	case l.waiting <- far:
		n.conns[near] = struct{}{}
		return near, nil
	default:
		return fail(syscall.ECONNREFUSED)
	}
}

// handshake waits for one round trip without a black hole.
func (n *Pipes) handshake(ctx context.Context, d dialing) error {
	for {
		n.mu.Lock()
		silent, latency, changed := n.blackhole, n.latency+d.latency, n.changed.wait()
		n.mu.Unlock()
		if silent || d.silent != nil && d.silent() {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			}
			continue
		}
		if latency <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(2 * latency)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		}
	}
}

// poke makes those who dial look at the network again.
func (n *Pipes) poke() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changed.ring()
}

// pair makes the two ends of a connection. The lock is held.
func (n *Pipes) pair(d dialing, far pipeAddr) (a, b *PipeConn) {
	latency, port := n.latency+d.latency, n.port()
	up, down := newFlow(latency, n.blackhole), newFlow(latency, n.blackhole)
	a = &PipeConn{net: n, in: down, out: up, local: pipeAddr(net.JoinHostPort(d.host, port)), remote: far}
	b = &PipeConn{net: n, in: up, out: down, local: far, remote: pipeAddr(net.JoinHostPort(d.seen, port))}
	a.peer, b.peer = b, a
	return a, b
}

// SetLatency sets the time that bytes take, each way, from now on.
func (n *Pipes) SetLatency(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.latency = d
	for c := range n.conns {
		c.SetLatency(d)
	}
}

// SetBlackhole makes the network swallow everything without telling anybody,
// or ends that. What was sent meanwhile then arrives, as after TCP has sent it
// again.
func (n *Pipes) SetBlackhole(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blackhole = on
	for c := range n.conns {
		c.SetBlackhole(on)
	}
	n.changed.ring()
}

// SetRefusing makes dialing fail at once, as where no server listens.
func (n *Pipes) SetRefusing(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusing = on
}

// Reset resets all connections, and leaves the way for new ones open.
func (n *Pipes) Reset() {
	for _, c := range n.Conns() {
		c.Reset()
	}
}

// Cut resets all connections and refuses new ones until Restore.
func (n *Pipes) Cut() {
	n.SetRefusing(true)
	n.Reset()
}

// Restore ends Cut and the black hole.
func (n *Pipes) Restore() {
	n.SetRefusing(false)
	n.SetBlackhole(false)
}

// Conns returns the dialing ends of the connections of which an end is open.
func (n *Pipes) Conns() []*PipeConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	conns := make([]*PipeConn, 0, len(n.conns))
	for c := range n.conns {
		conns = append(conns, c)
	}
	return conns
}

// closed forgets a connection of which both ends are closed.
func (n *Pipes) closed(c *PipeConn) {
	n.mu.Lock()
	c.closed = true
	both := c.peer.closed
	n.mu.Unlock()
	if both {
		n.forget(c)
	}
}

func (n *Pipes) forget(c *PipeConn) {
	n.mu.Lock()
	delete(n.conns, c)
	delete(n.conns, c.peer)
	n.mu.Unlock()
	if n.forgotten != nil {
		n.forgotten()
	}
}

// Listener accepts the connections dialed to its address.
type Listener struct {
	net     *Pipes
	addr    pipeAddr
	waiting chan *PipeConn
	once    sync.Once
	closed  chan struct{}
}

// Accept waits for the next connection. Its dynamic type is *PipeConn.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
	default:
		select {
		case c := <-l.waiting:
			return c, nil
		case <-l.closed:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
}

// Close ends listening and resets the connections that nobody accepted. It is
// idempotent.
func (l *Listener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		delete(l.net.listeners, string(l.addr))
		l.net.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.waiting:
				c.Reset()
				continue
			default:
			}
			break
		}
	})
	return nil
}

// Addr returns the "host:port" to dial.
func (l *Listener) Addr() net.Addr { return l.addr }

// pipeAddr is the "host:port" of an end.
type pipeAddr string

func (a pipeAddr) Network() string { return "tcp" }

func (a pipeAddr) String() string { return string(a) }

// tcp returns the address as pion wants it, or nil where the host is a name.
func (a pipeAddr) tcp() *net.TCPAddr {
	ap, err := netip.ParseAddrPort(string(a))
	if err != nil {
		return nil
	}
	return net.TCPAddrFromAddrPort(ap)
}
