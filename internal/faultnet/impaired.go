package faultnet

import (
	"bytes"
	"container/heap"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// inboxSize is how many packets wait for a reader, as in a socket's buffer.
const inboxSize = 4096

// Impaired is a packet socket with faults in both directions, which can be
// changed while it is in use. It is meant for the one real socket of a server,
// which impairs all its clients at once and needs no rights.
//
// Goroutines: one that receives from the socket and one that delivers what is
// delayed. Both end in Close.
type Impaired struct {
	conn    net.PacketConn
	out, in *link
	tap     atomic.Pointer[Tap]
	wg      sync.WaitGroup

	mu       sync.Mutex
	delayed  packets
	seq      uint64
	inbox    []packet
	err      error // what ended receiving
	closed   bool
	deadline time.Time
	readable bell          // inbox, err or deadline changed; guarded by mu
	poke     chan struct{} // a packet was delayed, or closed
}

type packet struct {
	data []byte
	addr net.Addr
	due  time.Time
	seq  uint64
	sent bool // by us, not to us
}

// Tap is told of a packet when it is written or reaches the socket: once for
// each copy of it, or once as lost. It must not keep data, nor wait.
type Tap func(now time.Time, local, remote net.Addr, data []byte, fate Fate)

// Fate is what becomes of a packet.
type Fate struct {
	Sent bool // by the socket, not to it
	Lost bool // by the faults
}

// Impair wraps conn, which belongs to the result from then on. Without faults
// set, packets pass at once.
func Impair(conn net.PacketConn, seed uint64) *Impaired {
	return impair(conn, newLink(seed, "send"), newLink(seed, "receive"))
}

func impair(conn net.PacketConn, out, in *link) *Impaired {
	c := &Impaired{conn: conn, out: out, in: in, poke: make(chan struct{}, 1), readable: newBell()}
	c.wg.Go(c.receive)
	c.wg.Go(c.deliver)
	return c
}

// SetFaults sets the same faults for both directions.
func (c *Impaired) SetFaults(f Faults) {
	c.SetSendFaults(f)
	c.SetReceiveFaults(f)
}

// SetSendFaults sets what happens to packets on their way out.
func (c *Impaired) SetSendFaults(f Faults) { c.out.set(func(old *Faults) { *old = f }) }

// SetReceiveFaults sets what happens to packets on their way in.
func (c *Impaired) SetReceiveFaults(f Faults) { c.in.set(func(old *Faults) { *old = f }) }

// SetTap makes the tap listen from now on; nil ends that.
func (c *Impaired) SetTap(t Tap) {
	if t == nil {
		c.tap.Store(nil)
		return
	}
	c.tap.Store(&t)
}

// tell tells the tap about the copies that go on.
func (c *Impaired) tell(now time.Time, addr net.Addr, data []byte, sent bool, copies int) {
	t := c.tap.Load()
	if t == nil {
		return
	}
	for range max(copies, 1) {
		(*t)(now, c.conn.LocalAddr(), addr, data, Fate{Sent: sent, Lost: copies == 0})
	}
}

// Sent counts the packets that were written.
func (c *Impaired) Sent() Counts { return c.out.count() }

// Received counts the packets that reached the socket. Packets that nobody
// reads overflow.
func (c *Impaired) Received() Counts { return c.in.count() }

// WriteTo sends a packet, or loses it: the result is the same.
func (c *Impaired) WriteTo(b []byte, addr net.Addr) (int, error) {
	now := time.Now()
	delays := c.out.admit(now, len(b))
	c.tell(now, addr, b, true, len(delays))
	for _, delay := range delays {
		if delay <= 0 {
			if n, err := c.conn.WriteTo(b, addr); err != nil {
				return n, err
			}
			continue
		}
		if !c.delay(packet{data: bytes.Clone(b), addr: addr, due: now.Add(delay), sent: true}) {
			return 0, net.ErrClosed
		}
	}
	return len(b), nil
}

// ReadFrom returns the next packet that made it.
func (c *Impaired) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		c.mu.Lock()
		var p packet
		err := c.err
		got := len(c.inbox) > 0
		switch {
		case c.closed:
			err = net.ErrClosed
		case passed(c.deadline):
			err = os.ErrDeadlineExceeded
		case got:
			p = c.inbox[0]
			c.inbox[0] = packet{}
			c.inbox = c.inbox[1:]
			c.mu.Unlock()
			return copy(b, p.data), p.addr, nil
		}
		wake, until := c.readable.wait(), c.deadline
		c.mu.Unlock()
		if err != nil {
			return 0, nil, &net.OpError{Op: "read", Net: "udp", Source: c.conn.LocalAddr(), Err: err}
		}
		await(wake, until)
	}
}

// Close closes the socket and drops what is under way. It is idempotent.
func (c *Impaired) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.delayed = nil
	c.inbox = nil
	c.readable.ring()
	c.mu.Unlock()
	c.wakeUp()
	err := c.conn.Close()
	c.wg.Wait()
	return err
}

// LocalAddr returns the address of the socket.
func (c *Impaired) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// SetDeadline sets both deadlines.
func (c *Impaired) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline bounds ReadFrom, also one that waits already.
func (c *Impaired) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	c.readable.ring()
	return nil
}

// SetWriteDeadline sets the deadline of the socket below.
func (c *Impaired) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// receive takes packets from the socket until it is closed.
func (c *Impaired) receive() {
	buf := make([]byte, 64<<10)
	for {
		n, addr, err := c.conn.ReadFrom(buf)
		if err != nil {
			c.mu.Lock()
			c.err = err
			c.readable.ring()
			c.mu.Unlock()
			return
		}
		now := time.Now()
		delays := c.in.admit(now, n)
		c.tell(now, addr, buf[:n], false, len(delays))
		for _, delay := range delays {
			p := packet{data: bytes.Clone(buf[:n]), addr: addr, due: now.Add(delay)}
			if delay > 0 {
				c.delay(p)
				continue
			}
			c.mu.Lock()
			c.arrive(p)
			c.mu.Unlock()
		}
	}
}

func (c *Impaired) arrive(p packet) {
	if c.closed {
		return
	}
	if len(c.inbox) >= inboxSize {
		c.in.overflow()
		return
	}
	c.inbox = append(c.inbox, p)
	c.readable.ring()
}

func (c *Impaired) delay(p packet) bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	c.seq++
	p.seq = c.seq
	heap.Push(&c.delayed, p)
	first := c.delayed[0].seq == p.seq
	c.mu.Unlock()
	if first {
		c.wakeUp()
	}
	return true
}

func (c *Impaired) wakeUp() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// deliver hands over delayed packets when they are due.
func (c *Impaired) deliver() {
	for {
		due, next, closed := c.due()
		if closed {
			return
		}
		for _, p := range due {
			// An error would have been the writer's, who has left.
			_, _ = c.conn.WriteTo(p.data, p.addr)
		}
		if len(due) == 0 {
			await(c.poke, next)
		}
	}
}

// due takes what is due. It returns the packets to send, and when to look
// again if there are none.
func (c *Impaired) due() (send []packet, next time.Time, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for len(c.delayed) > 0 && !c.delayed[0].due.After(now) {
		p := heap.Pop(&c.delayed).(packet)
		if p.sent {
			send = append(send, p)
		} else {
			c.arrive(p)
		}
	}
	if len(c.delayed) > 0 {
		next = c.delayed[0].due
	}
	return send, next, c.closed
}

// packets is a heap by due time, then age.
type packets []packet

func (p packets) Len() int { return len(p) }

func (p packets) Less(i, j int) bool {
	if p[i].due.Equal(p[j].due) {
		return p[i].seq < p[j].seq
	}
	return p[i].due.Before(p[j].due)
}

func (p packets) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

func (p *packets) Push(x any) { *p = append(*p, x.(packet)) }

func (p *packets) Pop() any {
	old := *p
	last := old[len(old)-1]
	old[len(old)-1] = packet{}
	*p = old[:len(old)-1]
	return last
}
