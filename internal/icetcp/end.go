package icetcp

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
)

// waiting is how many packets of a connection wait to be read. Its streams wait
// then too.
const waiting = 64

// packet is one that has arrived.
type packet struct {
	data [FrameBytes]byte
	size int
	from netip.AddrPort
}

var packets = sync.Pool{New: func() any { return new(packet) }}

// name says what an end is for: the ufrag of a connection, at one of our
// addresses.
type name struct {
	ufrag string
	local netip.Addr
}

// caller opens and reads a stream, before the context ends.
type caller func(context.Context, *end, *stream)

// end is our end of all TCP connections of one ICE generation at one address.
type end struct {
	name    name
	port    int
	packets chan *packet
	done    chan struct{}
	closing sync.Once
	lost    *atomic.Int64  // packets
	call    caller         // nil: others call us
	wg      sync.WaitGroup // of the streams that were called
	users   int            // guarded by the registry

	mu      sync.RWMutex
	closed  bool
	streams map[netip.AddrPort]*stream
}

// add takes a stream on. If there are too many, one that was never answered has
// to go.
func (e *end) add(s *stream) bool {
	e.mu.Lock()
	var gone *stream
	full := len(e.streams) >= PerConnection
	for at, other := range e.streams {
		if full && !other.answered.Load() {
			gone = other
			delete(e.streams, at)
			break
		}
	}
	ok := !e.closed && e.streams[s.remote] == nil && (!full || gone != nil)
	if ok {
		e.streams[s.remote] = s
	}
	e.mu.Unlock()
	if gone != nil {
		gone.close()
	}
	return ok
}

func (e *end) remove(s *stream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.streams[s.remote] == s {
		delete(e.streams, s.remote)
	}
}

// deliver hands a packet on. It waits while those before it are not read. If it
// reports false, the packet is still the caller's.
func (e *end) deliver(p *packet) bool {
	select {
	case e.packets <- p:
		return true
	case <-e.done:
		return false
	}
}

// stream returns that of an address. If it is for us to call, it is called the
// first time.
func (e *end) stream(to netip.AddrPort) *stream {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	e.mu.RLock()
	s := e.streams[to]
	e.mu.RUnlock()
	if s != nil || e.call == nil {
		return s
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s = e.streams[to]; s != nil || e.closed || len(e.streams) >= PerConnection {
		return s
	}
	s = newStream(to, e.lost)
	ctx, cancel := context.WithTimeout(context.Background(), CallTime)
	s.onEnd = cancel
	e.streams[to] = s
	e.wg.Go(func() { e.call(ctx, e, s) })
	return s
}

// close ends all streams, and waits for those that were called.
func (e *end) close() {
	e.closing.Do(func() {
		close(e.done)
		e.mu.Lock()
		e.closed = true
		streams := e.streams
		e.streams = nil
		e.mu.Unlock()
		for _, s := range streams {
			s.close()
		}
	})
	e.wg.Wait()
}
