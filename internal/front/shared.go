package front

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// shared is a listener for two: HTTP takes its connections, and those on which
// media comes instead (ICE over TCP) are passed on to another listener. They
// tell by their first byte. A frame of ICE begins with its length, and what must
// come first is shorter than 512 bytes; HTTP begins with a letter, and TLS with
// 22.
//
// HTTP finds that out when it reads, with its own bounds for those who say
// nothing; there is no other goroutine, and nothing waits in between.
type shared struct {
	net.Listener
	media passed
}

func share(ln net.Listener) *shared {
	return &shared{ln, passed{addr: ln.Addr(), conns: make(chan net.Conn), done: make(chan struct{})}}
}

// Accept returns a connection for HTTP, which may find that it is none.
func (s *shared) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &undecided{Conn: conn, media: &s.media}, nil
}

// passed is the listener of those who came for media.
type passed struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *passed) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *passed) Addr() net.Addr { return p.addr }

// Close ends the passing on. The shared listener goes on with HTTP.
func (p *passed) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// mostFirst is the most that the first byte of a frame of ICE can be.
const mostFirst = 1

// undecided is a connection of which HTTP reads the first bytes. When it is for
// media, HTTP sees it end, and does with it what it likes to no effect.
type undecided struct {
	net.Conn
	media *passed
	known atomic.Bool // it is for HTTP

	mu   sync.Mutex
	gone bool // it is for media, or closed
}

func (c *undecided) Read(b []byte) (int, error) {
	if c.known.Load() {
		return c.Conn.Read(b)
	}
	conn, ok := c.own()
	if !ok {
		return 0, io.EOF
	}
	n, err := conn.Read(b)
	switch {
	case n == 0:
		return n, err
	case b[0] > mostFirst:
		c.known.Store(true)
		return n, err
	}
	if !c.pass(bytes.Clone(b[:n])) {
		_ = conn.Close() // nobody wants it
	}
	return 0, io.EOF
}

// own returns the connection while it is HTTP's.
func (c *undecided) own() (net.Conn, bool) {
	if c.known.Load() {
		return c.Conn, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Conn, !c.gone
}

// pass gives the connection away.
func (c *undecided) pass(first []byte) bool {
	c.mu.Lock()
	was := c.gone
	c.gone = true
	c.mu.Unlock()
	if was || c.Conn.SetDeadline(time.Time{}) != nil {
		return false
	}
	select {
	case c.media.conns <- &begun{Conn: c.Conn, first: first}:
		return true
	case <-c.media.done:
		return false
	}
}

func (c *undecided) Write(b []byte) (int, error) {
	conn, ok := c.own()
	if !ok {
		return 0, net.ErrClosed
	}
	return conn.Write(b)
}

func (c *undecided) Close() error {
	if !c.known.Load() {
		c.mu.Lock()
		was := c.gone
		c.gone = true
		c.mu.Unlock()
		if was {
			return nil
		}
	}
	return c.Conn.Close()
}

// CloseWrite is what HTTP does before it closes, so that its answer arrives.
func (c *undecided) CloseWrite() error {
	conn, ok := c.own()
	if half, can := conn.(interface{ CloseWrite() error }); ok && can {
		return half.CloseWrite()
	}
	return nil
}

func (c *undecided) SetDeadline(t time.Time) error {
	return c.set(t, net.Conn.SetDeadline)
}

func (c *undecided) SetReadDeadline(t time.Time) error {
	return c.set(t, net.Conn.SetReadDeadline)
}

func (c *undecided) SetWriteDeadline(t time.Time) error {
	return c.set(t, net.Conn.SetWriteDeadline)
}

func (c *undecided) set(t time.Time, how func(net.Conn, time.Time) error) error {
	if c.known.Load() {
		return how(c.Conn, t)
	}
	c.mu.Lock() // so that none is set on what was just given away
	defer c.mu.Unlock()
	if c.gone {
		return nil
	}
	return how(c.Conn, t)
}

// begun is a connection of which something has been read.
type begun struct {
	net.Conn
	first []byte // that is read first
}

func (c *begun) Read(b []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.first)
	c.first = c.first[n:]
	return n, nil
}

// SyscallConn is for options of the socket.
func (c *begun) SyscallConn() (syscall.RawConn, error) {
	if conn, ok := c.Conn.(syscall.Conn); ok {
		return conn.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
