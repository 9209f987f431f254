package icetcp

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// pieceBytes is how much is written at once: what is written cannot be taken
// back when it gets late.
const pieceBytes = 16 << 10

// keptBytes is the largest buffer that is kept for later.
const keptBytes = 64 << 10

// queue holds the frames that wait to be written. Any number of goroutines may
// put, one may send.
type queue struct {
	wake chan struct{} // one slot: there is something

	mu      sync.Mutex
	frames  frames
	writing int // bytes of those that are being written
}

// frames are packets with their lengths before them, RFC 4571 section 2.
type frames struct {
	data  []byte
	marks []mark
}

// mark is what is known of a frame.
type mark struct {
	at    time.Time
	end   int // in the data
	media bool
}

func newQueue() queue { return queue{wake: make(chan struct{}, 1)} }

// isMedia reports whether a packet is of RTP or RTCP, RFC 7983.
func isMedia(b []byte) bool { return len(b) > 0 && b[0] >= 128 && b[0] < 192 }

// put queues a packet, which it copies; false: there is no room for it.
func (q *queue) put(b []byte, now time.Time) bool {
	media, most := isMedia(b), QueueBytes
	if !media {
		most += ReserveBytes
	}
	q.mu.Lock()
	f := &q.frames
	if q.writing+len(f.data)+2+len(b) > most || len(b) > 1<<16-1 {
		q.mu.Unlock()
		return false
	}
	f.data = append(binary.BigEndian.AppendUint16(f.data, uint16(len(b))), b...)
	f.marks = append(f.marks, mark{now, len(f.data), media})
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// take exchanges what waits for an empty list.
func (q *queue) take(empty frames) frames {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.frames
	q.frames = frames{empty.data[:0], empty.marks[:0]}
	q.writing = len(all.data)
	return all
}

// send writes to the connection until done or an error. lost is told how many
// packets were given up because they were late.
func (q *queue) send(conn net.Conn, done <-chan struct{}, lost func(packets int64)) {
	var all frames
	for {
		select {
		case <-q.wake:
		case <-done:
			return
		}
		if cap(all.data) > keptBytes {
			all = frames{}
		}
		all = q.take(all)
		late, err := all.write(conn)
		if late > 0 {
			lost(late)
		}
		q.mu.Lock()
		q.writing = 0
		q.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// write writes the frames in pieces, without media that is late by then.
func (f *frames) write(conn net.Conn) (late int64, err error) {
	from, to, now := 0, 0, time.Now() // of the next piece
	piece := func() error {
		if from == to {
			return nil
		}
		if err := conn.SetWriteDeadline(now.Add(WriteTime)); err != nil {
			return err
		}
		_, err := conn.Write(f.data[from:to])
		from, now = to, time.Now()
		return err
	}
	for _, m := range f.marks {
		if m.end-from > pieceBytes || m.late(now) {
			if err := piece(); err != nil {
				return late, err
			}
		}
		if m.late(now) {
			late++
			from = m.end
		}
		to = m.end
	}
	return late, piece()
}

func (m mark) late(now time.Time) bool { return m.media && now.Sub(m.at) > QueueTime }
