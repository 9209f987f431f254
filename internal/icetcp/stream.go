package icetcp

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// readBytes is the buffer of a connection that is read.
const readBytes = 4096

// stream is one TCP connection. It owns a goroutine that reads and one that
// writes, which end with close.
type stream struct {
	remote netip.AddrPort
	queue  queue
	lost   *atomic.Int64 // packets, of all streams
	done   chan struct{}
	once   sync.Once
	onEnd  func() // nil: nothing; called once

	// answered is set by the first write. onAnswer is called then.
	answered atomic.Bool
	onAnswer func()

	mu   sync.Mutex
	conn net.Conn // nil: it is being called
}

func newStream(remote netip.AddrPort, lost *atomic.Int64) *stream {
	return &stream{remote: remote, queue: newQueue(), lost: lost, done: make(chan struct{})}
}

// attach gives the stream its connection; false: it is over.
func (s *stream) attach(conn net.Conn) bool {
	tune(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed() {
		return false
	}
	s.conn = conn
	return true
}

func (s *stream) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *stream) close() {
	s.once.Do(func() {
		close(s.done)
		s.mu.Lock()
		conn := s.conn
		s.mu.Unlock()
		if conn != nil {
			_ = conn.Close() // it is over either way
		}
		if s.onEnd != nil {
			s.onEnd()
		}
	})
}

// write queues a packet, or loses it. It never waits.
func (s *stream) write(b []byte) (int, error) {
	if !s.answered.Load() && s.answered.CompareAndSwap(false, true) && s.onAnswer != nil {
		s.onAnswer()
	}
	if s.closed() {
		return 0, net.ErrClosed // not io.ErrClosedPipe, which would end all that is above ICE
	}
	if !s.queue.put(b, time.Now()) {
		s.lost.Add(1)
	}
	return len(b), nil
}

// send writes what is queued.
func (s *stream) send() {
	defer s.close()
	s.queue.send(s.conn, s.done, func(packets int64) { s.lost.Add(packets) })
}

// deliver reads packets for the end until one of both is over.
func (s *stream) deliver(in *bufio.Reader, e *end, began time.Time) {
	for {
		limit := time.Now().Add(SilentTime)
		if s.onAnswer != nil && !s.answered.Load() {
			limit = began.Add(AnswerTime)
		}
		p := packets.Get().(*packet)
		if !s.read(in, p, limit) || !e.deliver(p) {
			packets.Put(p)
			return
		}
	}
}

// read reads a frame that is not empty; false: there is none any more.
func (s *stream) read(in *bufio.Reader, p *packet, limit time.Time) bool {
	if s.conn.SetReadDeadline(limit) != nil {
		return false
	}
	p.from, p.size = s.remote, 0
	for p.size == 0 {
		var ok bool
		if p.size, ok = readFrame(in, p.data[:]); !ok {
			return false
		}
	}
	return true
}

// readFrame reads a frame into b, as much as fits there: a longer one is none.
func readFrame(in *bufio.Reader, b []byte) (size int, ok bool) {
	length, err := in.Peek(2)
	if err != nil {
		return 0, false
	}
	size = int(binary.BigEndian.Uint16(length))
	if _, err := in.Discard(2); err != nil || size > len(b) {
		return 0, false
	}
	_, err = io.ReadFull(in, b[:size])
	return size, err == nil
}
