package icetcp

import (
	"encoding/binary"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// media and other make packets with a number.
func media(n, size int) []byte {
	b := make([]byte, size)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[1:], uint16(n))
	return b
}

func other(n, size int) []byte {
	b := media(n, size)
	b[0] = 22
	return b
}

// readAll returns the numbers of what comes on a connection, until it is silent.
func readAll(conn net.Conn) (numbers []int) {
	for {
		_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // net.Pipe never fails
		var length [2]byte
		if _, err := readFull(conn, length[:]); err != nil {
			return numbers
		}
		b := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := readFull(conn, b); err != nil {
			return numbers
		}
		numbers = append(numbers, int(binary.BigEndian.Uint16(b[1:])))
	}
}

func readFull(conn net.Conn, b []byte) (n int, err error) {
	for n < len(b) {
		more, err := conn.Read(b[n:])
		if n += more; err != nil {
			return n, err
		}
	}
	return n, nil
}

// sending runs a queue over a pipe in virtual time.
func sending(t *testing.T, f func(q *queue, far net.Conn, lost *int64)) {
	synctest.Test(t, func(*testing.T) {
		near, far := net.Pipe()
		q, done, ended := newQueue(), make(chan struct{}), make(chan struct{})
		var lost int64
		go func() {
			defer close(ended)
			q.send(near, done, func(n int64) { lost += n })
		}()
		f(&q, far, &lost)
		close(done)
		_ = near.Close()
		<-ended
	})
}

func TestQueueKeepsTheOrder(t *testing.T) {
	sending(t, func(q *queue, far net.Conn, lost *int64) {
		var want []int
		for n := range 100 {
			require.True(t, q.put(media(n, 1000+n), time.Now()))
			want = append(want, n)
		}
		require.Equal(t, want, readAll(far))
		synctest.Wait()
		require.Zero(t, *lost)
	})
}

// What the other side does not read for a while is late, and lost; what is no
// media waits.
func TestQueueLosesLateMedia(t *testing.T) {
	sending(t, func(q *queue, far net.Conn, lost *int64) {
		require.True(t, q.put(media(1, 100), time.Now()))
		synctest.Wait() // it is being written
		for n := 2; n < 50; n++ {
			require.True(t, q.put(media(n, 100), time.Now()))
		}
		require.True(t, q.put(other(100, 100), time.Now()))
		time.Sleep(QueueTime + time.Millisecond)
		require.True(t, q.put(media(101, 100), time.Now()))
		require.Equal(t, []int{1, 100, 101}, readAll(far))
		synctest.Wait()
		require.EqualValues(t, 48, *lost)
	})
}

func TestQueueIsBounded(t *testing.T) {
	sending(t, func(q *queue, far net.Conn, _ *int64) {
		count := func(packet func(n, size int) []byte) (n int) {
			for q.put(packet(n, 1022), time.Now()) {
				n++
				synctest.Wait()
			}
			return n
		}
		require.Equal(t, QueueBytes>>10, count(media))
		require.Equal(t, ReserveBytes>>10, count(other), "there is room for what is no media")
		require.False(t, q.put(media(0, 10), time.Now()))
		require.Len(t, readAll(far), (QueueBytes+ReserveBytes)>>10)
		require.True(t, q.put(media(0, 1022), time.Now()))
		require.False(t, q.put(make([]byte, 1<<16), time.Now()), "no frame can hold it")
		require.Len(t, readAll(far), 1)
	})
}

func TestQueueEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		q := newQueue()
		ended := make(chan time.Time)
		go func() {
			q.send(near, nil, func(int64) {})
			ended <- time.Now()
		}()
		q.put(media(1, 10), time.Now())
		began := time.Now()
		require.Equal(t, WriteTime, (<-ended).Sub(began), "nobody reads")
		require.NoError(t, far.Close())
		require.NoError(t, near.Close())
	})
}

// A packet costs no memory.
func BenchmarkQueue(b *testing.B) {
	near, far := net.Pipe()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			if _, err := far.Read(buf); err != nil {
				return
			}
		}
	}()
	q, done := newQueue(), make(chan struct{})
	go q.send(near, done, func(int64) {})
	p := media(1, 1200)
	b.ReportAllocs()
	for b.Loop() {
		q.put(p, time.Now())
	}
	close(done)
	_ = near.Close()
}
