package roomtest

import (
	"net"
	"sync"
)

// lines is a set of open connections, so that they can be broken.
type lines struct {
	mu   sync.Mutex
	open map[*line]struct{}
}

// line is a connection that leaves the set when it is closed.
type line struct {
	net.Conn
	of *lines
}

func (ls *lines) add(c net.Conn) net.Conn {
	l := &line{c, ls}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.open == nil {
		ls.open = map[*line]struct{}{}
	}
	ls.open[l] = struct{}{}
	return l
}

func (l *line) Close() error {
	l.of.mu.Lock()
	delete(l.of.open, l)
	l.of.mu.Unlock()
	return l.Conn.Close()
}

func (ls *lines) count() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.open)
}

// reset breaks all connections as a crash does and says how many there were.
func (ls *lines) reset() int {
	ls.mu.Lock()
	open := ls.open
	ls.open = nil
	ls.mu.Unlock()
	for l := range open {
		switch c := l.Conn.(type) {
		case interface{ Reset() }: // in memory
			c.Reset()
		case *net.TCPConn:
			_ = c.SetLinger(0) // it is closed already otherwise
			_ = c.Close()
		}
	}
	return len(open)
}

// listener keeps the connections that it accepts.
type listener struct {
	net.Listener
	lines
	wire *wiretap
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wire.signaling(l.add(c)), nil
}
