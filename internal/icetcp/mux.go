package icetcp

import (
	"bufio"
	"container/list"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where a mux listens.
type Config struct {
	// Listener is closed with the mux.
	Listener net.Listener
	// Addresses are those of this machine at which there are candidates; nil:
	// all that the listener has.
	Addresses []netip.Addr
	// Acquire counts a connection from an address; false: there are enough. The
	// function that it returns is called when the connection has ended. Nil:
	// there may be any number.
	Acquire func(netip.Addr) (release func(), ok bool)
	// Logger gets what happens; nil is silent.
	Logger *slog.Logger
}

// Mux is the side that is called, an ice.TCPMux. It owns a goroutine that
// accepts, and up to two for each TCP connection; Close waits for all of them.
type Mux struct {
	registry
	cfg  Config
	log  *slog.Logger
	done chan struct{}
	once sync.Once
	wg   sync.WaitGroup

	refused atomic.Int64

	mu        sync.Mutex // never held with another lock
	streams   map[*stream]struct{}
	strangers list.List // of *stream, the oldest first
}

// NewMux accepts connections until the mux is closed.
func NewMux(cfg Config) *Mux {
	m := &Mux{cfg: cfg, log: cfg.Logger, done: make(chan struct{}), streams: map[*stream]struct{}{}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if at, ok := addrPort(cfg.Listener.Addr()); ok {
		m.port = int(at.Port())
	}
	m.wg.Go(m.accept)
	return m
}

// LocalAddr is where the mux listens. Pion has no candidates at other addresses
// than this one, unless it is unspecified.
func (m *Mux) LocalAddr() net.Addr { return m.cfg.Listener.Addr() }

// GetConnByUfrag implements ice.TCPMux.
func (m *Mux) GetConnByUfrag(ufrag string, _ bool, local net.IP) (net.PacketConn, error) {
	addr, _ := usable(local)
	return m.get(ufrag, addr)
}

// GetAllConns has pion leave out addresses that are of no use.
func (m *Mux) GetAllConns(ufrag string, _ bool, local net.IP) ([]net.PacketConn, error) {
	return all(&m.registry, ufrag, local, m.cfg.Addresses)
}

// all returns the one connection of an address, or none if it is not among the
// addresses.
func all(r *registry, ufrag string, local net.IP, addresses []netip.Addr) ([]net.PacketConn, error) {
	addr, ok := usable(local)
	if !ok || addresses != nil && !slices.Contains(addresses, addr) {
		return nil, nil
	}
	conn, err := r.get(ufrag, addr)
	if err != nil {
		return nil, err
	}
	return []net.PacketConn{conn}, nil
}

// Figures are counts of what a mux did so far.
type Figures struct {
	Streams int   // TCP connections that are open
	Refused int64 // that were too many, or never answered
	Lost    int64 // packets that their readers were too slow for
}

// Figures may be called at any time.
func (m *Mux) Figures() Figures {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Figures{len(m.streams), m.refused.Load(), m.lost.Load()}
}

// Close ends everything. It is idempotent.
func (m *Mux) Close() error {
	var err error
	m.once.Do(func() {
		m.mu.Lock()
		close(m.done)
		streams := make([]*stream, 0, len(m.streams))
		for s := range m.streams {
			streams = append(streams, s)
		}
		m.mu.Unlock()
		err = m.cfg.Listener.Close()
		m.shut()
		for _, s := range streams {
			s.close()
		}
	})
	m.wg.Wait()
	return err
}

func (m *Mux) over() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// acceptPause is how long nothing is accepted when the system has no room for a
// connection.
const acceptPause = 100 * time.Millisecond

func (m *Mux) accept() {
	for {
		conn, err := m.cfg.Listener.Accept()
		if err == nil {
			if !m.welcome(conn) {
				m.refused.Add(1)
				_ = conn.Close() // there is nothing to say to it
			}
			continue
		}
		if t, ok := err.(interface{ Temporary() bool }); !ok || !t.Temporary() {
			return
		}
		m.log.Warn("ICE over TCP accepts nobody for a moment", "err", err)
		pause := time.NewTimer(acceptPause)
		select {
		case <-pause.C:
		case <-m.done:
		}
		pause.Stop()
	}
}

// welcome begins to read a connection, unless there are too many.
func (m *Mux) welcome(conn net.Conn) bool {
	remote, okRemote := addrPort(conn.RemoteAddr())
	local, okLocal := addrPort(conn.LocalAddr())
	if !okRemote || !okLocal {
		return false
	}
	release := func() {}
	if m.cfg.Acquire != nil {
		var ok bool
		if release, ok = m.cfg.Acquire(remote.Addr()); !ok {
			return false
		}
	}
	s := newStream(remote, &m.lost)
	var strange *list.Element // guarded by the mux; nil: it is none any more
	known := func() {
		if strange != nil {
			m.strangers.Remove(strange)
			strange = nil
		}
	}
	s.onAnswer = func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		known()
	}
	s.onEnd = func() {
		release()
		if !s.answered.Load() {
			m.refused.Add(1)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		known()
		delete(m.streams, s)
	}
	s.attach(conn)
	m.mu.Lock()
	if m.over() {
		m.mu.Unlock()
		release()
		return false
	}
	m.streams[s] = struct{}{}
	strange = m.strangers.PushBack(s)
	var oldest *stream
	if m.strangers.Len() > Strangers {
		oldest = m.strangers.Front().Value.(*stream)
	}
	m.wg.Go(func() { m.serve(s, local.Addr()) }) // Close waits for the one that calls this
	m.mu.Unlock()
	if oldest != nil {
		oldest.close()
	}
	return true
}

// serve reads a stream to its end.
func (m *Mux) serve(s *stream, local netip.Addr) {
	defer s.close()
	began, in := time.Now(), bufio.NewReaderSize(s.conn, readBytes)
	first := packets.Get().(*packet)
	var e *end
	if s.read(in, first, began.Add(HelloTime)) {
		if ufrag, ok := wanted(first.data[:first.size]); ok {
			e = m.find(ufrag, local)
		}
	}
	if e == nil || !e.add(s) {
		packets.Put(first)
		return
	}
	defer e.remove(s)
	m.log.Debug("ICE over TCP", "remote", s.remote)
	m.wg.Go(s.send)
	if !e.deliver(first) {
		packets.Put(first)
		return
	}
	s.deliver(in, e, began)
}
