package relay

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Times of TCP connections.
const (
	// idleTime is how long one may have no allocation.
	idleTime = 10 * time.Second
	// writeTime is how long a client may take nothing of what it is sent.
	writeTime = 15 * time.Second
)

// streams is a listener whose connections have bounds.
type streams struct {
	net.Listener
	server *Server
	certs  *tls.Config // nil: plain TCP
}

func (l *streams) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.server.addStream(conn, l.certs); c != nil {
			return c, nil
		}
		_ = conn.Close() // there is nothing to say to it
	}
}

// addStream makes a connection known; nil: there are too many.
func (s *Server) addStream(conn net.Conn, certs *tls.Config) *stream {
	var from netip.Addr
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		from = a.AddrPort().Addr()
	}
	release, ok := s.sockets.Acquire(from)
	if !ok {
		return nil
	}
	c := &stream{Conn: conn, raw: conn, server: s, tuple: tupleOf(conn.RemoteAddr(), conn.LocalAddr()), release: release}
	if certs != nil {
		c.Conn = tls.Server(conn, certs) // the first reading shakes hands
	}
	_ = c.SetDeadline(time.Now().Add(idleTime)) // it fails where the reading does
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		release()
		return nil
	}
	s.streams[c.tuple] = c
	return c
}

// stream is the TCP connection of a client.
type stream struct {
	net.Conn
	raw     net.Conn // without TLS, whose goodbye may wait
	server  *Server
	tuple   tuple
	release func()
	once    sync.Once
}

// Write gives the client writeTime. A connection that a frame was cut off on
// is of no use any more.
func (c *stream) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTime)) // it fails where the writing does
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // the writing has failed already
	}
	return n, err
}

func (c *stream) Close() error {
	var err error
	c.once.Do(func() {
		s := c.server
		s.mu.Lock()
		if s.streams[c.tuple] == c {
			delete(s.streams, c.tuple)
		}
		s.mu.Unlock()
		err = c.raw.Close()
		c.release()
	})
	return err
}
