package rtc

import (
	"sync"
	"sync/atomic"
)

// batch lets the packets of one picture leave in one call of the kernel, where
// it can do that: most of what a packet costs is the way through the kernel, and
// each one wakes up threads of ours that wait for the socket. While somebody
// holds, the sockets keep packets of media back; a release sends all that are
// kept, whose ever they are.
type batch struct {
	held atomic.Int32 // how many hold
	mu   sync.Mutex
	full []*batchConn // that keep packets
}

func (b *batch) hold() { b.held.Add(1) }

func (b *batch) release() {
	b.held.Add(-1)
	for c := b.next(); c != nil; c = b.next() {
		c.flush()
	}
}

// add takes note of a socket that keeps packets. When nobody holds any more it
// reports that, and the socket must flush.
func (b *batch) add(c *batchConn) (over bool) {
	b.mu.Lock()
	b.full = append(b.full, c)
	b.mu.Unlock()
	// Whoever released between that and our look at held may have missed us.
	return b.held.Load() == 0
}

func (b *batch) next() *batchConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.full)
	if n == 0 {
		return nil
	}
	c := b.full[n-1]
	b.full[n-1] = nil
	b.full = b.full[:n-1]
	return c
}

// Hold keeps what is written back until Release, so that the packets of one
// picture are sent together. Both cost nothing where that is impossible. Not
// more than a picture is to be written in between.
func (o *Outlet) Hold() { o.peer.batch.hold() }

// Release ends a Hold.
func (o *Outlet) Release() { o.peer.batch.release() }
