package rtc

import (
	"encoding/binary"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mail is a batching socket and one that receives from it.
type mail struct {
	*batchConn
	to *net.UDPConn
}

func newMail(t *testing.T) mail {
	t.Helper()
	m := mail{batching(loopbackSocket(t), &batch{}).(*batchConn), loopbackSocket(t)}
	require.NoError(t, m.to.SetReadBuffer(1<<20))
	t.Cleanup(func() {
		require.NoError(t, m.Close())
		require.NoError(t, m.to.Close())
	})
	return m
}

// send writes a packet that begins with these bytes.
func (m mail) send(t *testing.T, size int, head ...byte) []byte {
	t.Helper()
	packet := make([]byte, size)
	copy(packet, head)
	n, err := m.WriteToAddrPort(packet, m.to.LocalAddr().(*net.UDPAddr).AddrPort())
	require.NoError(t, err)
	require.Equal(t, size, n)
	out := append([]byte(nil), packet...)
	clear(packet) // it is the caller's again
	return out
}

func (m mail) requirePackets(t *testing.T, want ...[]byte) {
	t.Helper()
	buf := make([]byte, 2000)
	require.NoError(t, m.to.SetReadDeadline(time.Now().Add(10*time.Second)))
	for i, w := range want {
		n, err := m.to.Read(buf)
		require.NoError(t, err, "packet %d", i)
		require.Equal(t, w, buf[:n], "packet %d", i)
	}
}

// nothing asserts that no packet has come.
func (m mail) nothing(t *testing.T) {
	t.Helper()
	raw, err := m.to.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Read(func(fd uintptr) bool {
		_, _, err = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	}))
	require.ErrorIs(t, err, syscall.EAGAIN)
}

func TestPacketsOfAPictureAreSentTogether(t *testing.T) {
	m := newMail(t)
	var want [][]byte
	m.all.hold()
	for i, size := range []int{1188, 1188, 1188, 200, 1188, 300, 40, 1188, 1188} {
		want = append(want, m.send(t, size, 0x80, 102, byte(i)))
	}
	require.Equal(t, 2, m.count, "what is longer, or comes after a shorter one, begins a new batch")
	m.all.release()
	m.requirePackets(t, want...)
	require.False(t, m.off, "the kernel can do it")
	require.Zero(t, m.count)
	m.nothing(t)
}

// What is no media, and media that nobody holds, does not wait.
func TestOthersDoNotWaitForAPicture(t *testing.T) {
	m := newMail(t)
	m.all.hold()
	kept := m.send(t, 900, 0x80, 102, 1)
	m.nothing(t)
	for _, head := range [][]byte{{0, 1}, {22, 254}, {0x80, 200}, {0x81, 206}} { // STUN, DTLS, RTCP
		want := m.send(t, 100, head...)
		if head[0] == 22 { // and its copies
			m.requirePackets(t, want, want, want)
			continue
		}
		m.requirePackets(t, want)
	}
	m.all.release()
	m.requirePackets(t, kept)
	m.requirePackets(t, m.send(t, 900, 0x80, 102, 2))
}

// Where the kernel or the card refuses, the packets go one by one, for ever.
func TestBatchesThatAreRefused(t *testing.T) {
	m := newMail(t)
	raw, err := m.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { // without checksums the kernel cuts nothing
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_NO_CHECK, 1)
	}))
	require.NoError(t, err)
	for range 2 {
		m.all.hold()
		var want [][]byte
		for i, size := range []int{1000, 1000, 10} {
			want = append(want, m.send(t, size, 0x80, 102, byte(i)))
		}
		m.all.release()
		m.requirePackets(t, want...)
		require.True(t, m.off)
	}
}

// A batch is bounded, whatever is written.
func TestBatchesAreBounded(t *testing.T) {
	m := newMail(t)
	var want [][]byte
	m.all.hold()
	for i := range 90 {
		want = append(want, m.send(t, 1400, 0x80, 102, byte(i)))
		require.LessOrEqual(t, m.count, batchPackets)
		require.LessOrEqual(t, len(m.buf), batchBytes)
	}
	m.all.release()
	m.requirePackets(t, want...)
}

// Pictures of several tracks, and sound between them, on several sockets: each
// packet is sent once, and nothing stays behind.
func TestBatchesAtTheSameTime(t *testing.T) {
	const writers, pictures = 4, 100
	all := &batch{}
	conns := []packetConn{batching(loopbackSocket(t), all), batching(loopbackSocket(t), all)}
	to := loopbackSocket(t)
	addr := to.LocalAddr().(*net.UDPAddr).AddrPort()
	want := 0
	room := make(chan struct{}, 128) // what the receiver's buffer surely takes
	var wg sync.WaitGroup
	for w := range writers {
		perPicture := 1 + w*3
		want += pictures * perPicture
		wg.Go(func() {
			packet := make([]byte, 100+w)
			packet[0], packet[2] = 0x80, byte(w)
			for i := range pictures {
				for range perPicture {
					room <- struct{}{}
				}
				if w > 0 { // the first is sound
					all.hold()
				}
				for j := range perPicture {
					binary.BigEndian.PutUint16(packet[3:], uint16(i*perPicture+j))
					_, _ = conns[w%2].WriteToAddrPort(packet, addr) // counted below
				}
				if w > 0 {
					all.release()
				}
			}
		})
	}
	next := [writers]uint16{}
	buf := make([]byte, 200)
	require.NoError(t, to.SetReadDeadline(time.Now().Add(30*time.Second)))
	for range want {
		n, err := to.Read(buf)
		require.NoError(t, err)
		<-room
		w := buf[2]
		require.Equal(t, 100+int(w), n)
		require.Equal(t, next[w], binary.BigEndian.Uint16(buf[3:]), "the packets of a stream stay in order")
		next[w]++
	}
	wg.Wait()
	for _, c := range conns {
		require.Zero(t, c.(*batchConn).count)
		require.NoError(t, c.Close())
	}
	require.NoError(t, to.Close())
}

func TestBatchesDoNotAllocate(t *testing.T) {
	m := newMail(t)
	packet, addr := make([]byte, 1188), m.to.LocalAddr().(*net.UDPAddr).AddrPort()
	packet[0] = 0x80
	picture := func() {
		m.all.hold()
		for range 8 {
			if _, err := m.WriteToAddrPort(packet, addr); err != nil {
				t.Error(err)
			}
		}
		m.all.release()
	}
	picture()
	require.Zero(t, testing.AllocsPerRun(20, picture))
}
