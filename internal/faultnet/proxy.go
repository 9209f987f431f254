package faultnet

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy stands between the clients and the server of a stream protocol and
// spoils it: over real TCP, or over [Pipes] in virtual time. Faults act on
// open connections too.
//
// Goroutines: one that accepts, and two for each connection. All end in Close.
type Proxy struct {
	ln   net.Listener
	dial func(context.Context) (net.Conn, error)
	ctx  context.Context //nolint:containedctx // ends dialing and waiting in Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]net.Conn // client to server
	accepted int
	latency  time.Duration
	slice    int
	pause    time.Duration
	silent   bool
	refusing bool
	limits   map[Direction]int
	closed   bool
	changed  bell
}

// Direction is a way through a [Proxy].
type Direction int

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// NewProxy starts a proxy that accepts from ln, which belongs to it, and
// connects each client with what dial returns.
func NewProxy(ln net.Listener, dial func(context.Context) (net.Conn, error)) *Proxy {
	p := &Proxy{ln: ln, dial: dial, conns: make(map[net.Conn]net.Conn), limits: make(map[Direction]int), changed: newBell()}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	return p
}

// NewTCPProxy starts a proxy on a port of the loopback interface, in front of
// the TCP address target.
func NewTCPProxy(target string) (*Proxy, error) {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return NewProxy(ln, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", target)
	}), nil
}

// Addr returns the "host:port" that clients dial.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Accepted counts the connections so far, refused ones too.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Reset resets all connections, in the middle of whatever they carry.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for client, server := range p.conns {
		reset(client)
		reset(server)
	}
}

// SetBlackhole makes all connections half-open, or ends that: they stay, new
// ones are accepted, and nothing comes through.
func (p *Proxy) SetBlackhole(on bool) { p.change(func() { p.silent = on }) }

// SetRefusing makes new connections be reset at once.
func (p *Proxy) SetRefusing(on bool) { p.change(func() { p.refusing = on }) }

// SetLatency delays what comes through, each way.
func (p *Proxy) SetLatency(d time.Duration) { p.change(func() { p.latency = d }) }

// SetSlices cuts what comes through into pieces of size bytes with a pause
// after each. Size 0 ends that.
func (p *Proxy) SetSlices(size int, pause time.Duration) {
	p.change(func() { p.slice, p.pause = size, pause })
}

// CutAfter lets n more bytes through in a direction, over all connections, and
// then resets the connection that is at it. It acts once.
func (p *Proxy) CutAfter(way Direction, n int) { p.change(func() { p.limits[way] = n }) }

func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.changed.ring()
}

// Close ends the proxy and resets its connections. It is idempotent.
func (p *Proxy) Close() error {
	p.change(func() { p.closed = true })
	p.stop()
	err := p.ln.Close()
	p.Reset()
	p.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.accepted++
		refusing := p.refusing || p.closed
		p.mu.Unlock()
		if refusing {
			reset(client)
			continue
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := p.dial(p.ctx)
	if err != nil {
		reset(client)
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		reset(client)
		reset(server)
		return
	}
	p.conns[client] = server
	p.mu.Unlock()

	var ways sync.WaitGroup
	ways.Go(func() { p.copy(server, client, ToServer) })
	p.copy(client, server, ToClient)
	ways.Wait()

	p.mu.Lock()
	delete(p.conns, client)
	p.mu.Unlock()
	_ = client.Close() // both are done with
	_ = server.Close()
}

// copy carries one direction until it ends, orderly or not.
func (p *Proxy) copy(to, from net.Conn, way Direction) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		arrived := time.Now()
		for rest := buf[:n]; len(rest) > 0; {
			sent, sendErr := p.pass(to, rest, arrived, way)
			if sendErr != nil {
				reset(to)
				reset(from)
				return
			}
			rest = rest[sent:]
		}
		if err == nil {
			continue
		}
		// The end is as silent in a black hole as everything else.
		p.hold(arrived)
		if half, ok := to.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) {
			_ = half.CloseWrite() // then it is closed already
		} else {
			reset(to)
			reset(from)
		}
		return
	}
}

var errCut = errors.New("faultnet: cut")

// pass sends a first piece of b as the faults have it.
func (p *Proxy) pass(to net.Conn, b []byte, arrived time.Time, way Direction) (int, error) {
	if !p.hold(arrived) {
		return 0, errCut
	}
	p.mu.Lock()
	size, pause := p.slice, p.pause
	if size > 0 && len(b) > size {
		b = b[:size]
	}
	left, limited := p.limits[way]
	if limited {
		b = b[:min(len(b), left)]
		p.limits[way] = left - len(b)
	}
	cut := limited && left == len(b)
	if cut {
		delete(p.limits, way)
	}
	p.mu.Unlock()

	n, err := to.Write(b)
	if err == nil && cut {
		err = errCut
	}
	if err == nil && size > 0 && pause > 0 {
		p.sleep(time.Now().Add(pause))
	}
	return n, err
}

// hold waits for the latency and out of the black hole. False means that the
// proxy is closing.
func (p *Proxy) hold(arrived time.Time) bool {
	for {
		p.mu.Lock()
		until := arrived.Add(p.latency)
		silent, closed, changed := p.silent, p.closed, p.changed.wait()
		p.mu.Unlock()
		switch {
		case closed:
			return false
		case silent:
			<-changed
		case time.Now().Before(until):
			await(changed, until)
		default:
			return true
		}
	}
}

// sleep waits until then, or until the proxy is closed.
func (p *Proxy) sleep(until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}

// reset closes a connection so that the other end learns of it as an error.
func reset(c net.Conn) {
	switch c := c.(type) {
	case interface{ Reset() }: // a PipeConn, or one in a host's wrapping
		c.Reset()
	case *net.TCPConn:
		_ = c.SetLinger(0) // else it is closed already
		_ = c.Close()
	default:
		_ = c.Close()
	}
}
