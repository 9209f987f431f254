package faultnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes of a direction are under way at most, as in the
// buffers of two kernels.
const window = 256 << 10

// PipeConn is one end of a connection of [Pipes].
type PipeConn struct {
	net           *Pipes
	peer          *PipeConn
	in, out       *flow
	local, remote pipeAddr
	closed        bool // guarded by net.mu
}

// Read reads what has arrived.
func (c *PipeConn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.wrap("read", err)
}

// Write sends b. It waits while the window is full.
func (c *PipeConn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.wrap("write", err)
}

func (c *PipeConn) wrap(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Close closes this end. The other reads what is under way, then io.EOF; what
// it writes makes it learn of a reset.
func (c *PipeConn) Close() error {
	c.net.closed(c)
	c.out.finish(net.ErrClosed)
	c.in.abandon()
	return nil
}

// CloseWrite tells the other end that nothing more comes.
func (c *PipeConn) CloseWrite() error {
	c.out.finish(syscall.EPIPE)
	return nil
}

// Reset kills the connection: both ends fail with ECONNRESET at once, and what
// is under way is lost.
func (c *PipeConn) Reset() {
	c.net.forget(c)
	c.in.reset()
	c.out.reset()
}

// SetBlackhole holds back everything in both directions, or lets it go.
func (c *PipeConn) SetBlackhole(on bool) {
	c.in.hold(on)
	c.out.hold(on)
}

// SetLatency sets the time that bytes take, each way, from now on.
func (c *PipeConn) SetLatency(d time.Duration) {
	c.in.delay(d)
	c.out.delay(d)
}

// LocalAddr returns the address of this end.
func (c *PipeConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the other end.
func (c *PipeConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline bounds reading and writing, also such that waits already.
func (c *PipeConn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

// SetReadDeadline bounds reading.
func (c *PipeConn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

// SetWriteDeadline bounds writing.
func (c *PipeConn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}

// flow is one direction of a connection.
type flow struct {
	mu       sync.Mutex
	segments []segment
	size     int // bytes in segments
	latency  time.Duration
	held     bool

	readErr  error // for the reader, at once
	writeErr error // for the writer, at once
	dead     bool  // the reader is gone; what is written resets the writer

	readDeadline, writeDeadline time.Time
	changed                     bell
}

// segment is what arrives at one time: bytes, or the end.
type segment struct {
	data []byte
	due  time.Time
	end  bool
}

func newFlow(latency time.Duration, held bool) *flow {
	return &flow{latency: latency, held: held, changed: newBell()}
}

func (f *flow) read(b []byte) (int, error) {
	for {
		f.mu.Lock()
		n, until, err := f.take(b)
		wake := f.changed.wait()
		f.mu.Unlock()
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		await(wake, until)
	}
}

// take moves what is there into b. With nothing there it says when to look
// again.
func (f *flow) take(b []byte) (n int, until time.Time, err error) {
	if f.readErr != nil {
		return 0, until, f.readErr
	}
	if passed(f.readDeadline) {
		return 0, until, os.ErrDeadlineExceeded
	}
	until = f.readDeadline
	for n < len(b) && len(f.segments) > 0 && !f.held {
		s := &f.segments[0]
		if s.due.After(time.Now()) {
			return n, sooner(until, s.due), nil
		}
		if s.end {
			if n == 0 {
				err = io.EOF
			}
			return n, until, err
		}
		moved := copy(b[n:], s.data)
		n += moved
		f.size -= moved
		s.data = s.data[moved:]
		if len(s.data) == 0 {
			f.segments = f.segments[1:]
		}
		f.changed.ring()
	}
	return n, until, nil
}

func (f *flow) write(b []byte) (n int, err error) {
	for {
		f.mu.Lock()
		moved, err := f.put(b[n:])
		n += moved
		wake, until := f.changed.wait(), f.writeDeadline
		f.mu.Unlock()
		if err != nil || n == len(b) {
			return n, err
		}
		await(wake, until)
	}
}

func (f *flow) put(b []byte) (int, error) {
	switch {
	case f.writeErr != nil:
		return 0, f.writeErr
	case passed(f.writeDeadline):
		return 0, os.ErrDeadlineExceeded
	case f.dead && !f.held:
		f.writeErr = syscall.EPIPE // the second time; the first tells the reason
		return 0, syscall.ECONNRESET
	}
	b = b[:min(len(b), window-f.size)]
	if len(b) > 0 {
		f.push(segment{data: bytes.Clone(b)})
		f.size += len(b)
	}
	return len(b), nil
}

func (f *flow) push(s segment) {
	s.due = time.Now().Add(f.latency)
	f.segments = append(f.segments, s)
	f.changed.ring()
}

// finish ends the flow after what is under way. Writing fails from now on.
func (f *flow) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeErr == nil {
		f.push(segment{end: true})
	}
	if f.writeErr == nil || errors.Is(err, net.ErrClosed) {
		f.writeErr = err
	}
	f.changed.ring()
}

// abandon ends the flow from the reader's side.
func (f *flow) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readErr = net.ErrClosed
	f.dead = true
	f.segments, f.size = nil, 0
	f.changed.ring()
}

func (f *flow) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readErr == nil {
		f.readErr = syscall.ECONNRESET
	}
	if f.writeErr == nil {
		f.writeErr = syscall.ECONNRESET
	}
	f.segments, f.size = nil, 0
	f.changed.ring()
}

func (f *flow) hold(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = on
	f.changed.ring()
}

func (f *flow) delay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = d
}

func (f *flow) setReadDeadline(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readDeadline = t
	f.changed.ring()
}

func (f *flow) setWriteDeadline(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writeDeadline = t
	f.changed.ring()
}
