package rtc

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// What one call of the kernel may take: it allows 64 packets, and 64 KiB.
const (
	batchPackets = 40
	batchBytes   = 60_000
	udpSegment   = 103 // of linux/udp.h
)

// batchConn is a socket that sends packets of one size, and a shorter one at the
// end, in one call: the kernel, or the network card, cuts them (udp(7),
// UDP_SEGMENT). When that fails, as it does with some cards and tunnels, it
// never does it again.
type batchConn struct {
	fastRepeater
	all *batch

	keeps atomic.Bool // whether packets are in buf, or just leaving

	mu     sync.Mutex
	off    bool
	listed bool // in all.full
	buf    []byte
	count  int // packets in buf
	size   int // of each but the last
	to     netip.AddrPort
	option [3]uint64 // at least CmsgSpace(2) bytes, aligned
}

func batching(c *net.UDPConn, b *batch) packetConn {
	return &batchConn{fastRepeater: fastRepeater{c}, all: b}
}

func (c *batchConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	held := c.all.held.Load() != 0
	// What the same stream has written before may still be kept.
	if !held && !c.keeps.Load() || !mediaPacket(b) {
		return c.fastRepeater.WriteToAddrPort(b, addr)
	}
	c.mu.Lock()
	if !held {
		c.send()
	}
	if !held || c.off {
		c.mu.Unlock()
		return c.fastRepeater.WriteToAddrPort(b, addr)
	}
	short := len(c.buf) < c.count*c.size // the last one ends the batch
	if c.count > 0 && (short || len(b) > c.size || addr != c.to || c.count == batchPackets || len(c.buf)+len(b) > batchBytes) {
		c.send()
	}
	if c.count == 0 {
		c.size, c.to = len(b), addr
	}
	c.buf = append(c.buf, b...)
	c.count++
	c.keeps.Store(true)
	over := false
	if !c.listed {
		c.listed = true
		over = c.all.add(c)
	}
	c.mu.Unlock()
	if over {
		c.flush()
	}
	return len(b), nil
}

// mediaPacket reports whether a packet is SRTP and not SRTCP (RFC 7983, section
// 7, and RFC 5761, section 4).
func mediaPacket(b []byte) bool {
	return len(b) > 1 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223)
}

// flush sends what is kept.
func (c *batchConn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed = false
	c.send()
}

// send sends what is kept. An error is nobody's: the packets are as lost as
// others that did not arrive.
func (c *batchConn) send() {
	if c.count > 1 {
		option := unsafe.Slice((*byte)(unsafe.Pointer(&c.option)), syscall.CmsgSpace(2))
		h := (*syscall.Cmsghdr)(unsafe.Pointer(&c.option))
		h.Level, h.Type = syscall.IPPROTO_UDP, udpSegment
		h.SetLen(syscall.CmsgLen(2))
		binary.NativeEndian.PutUint16(option[syscall.CmsgLen(0):], uint16(c.size))
		_, _, err := c.UDPConn.WriteMsgUDPAddrPort(c.buf, option, c.to)
		c.off = err != nil
	}
	if c.count == 1 || c.off {
		for rest := c.buf; len(rest) > 0; rest = rest[min(c.size, len(rest)):] {
			_, _ = c.UDPConn.WriteToUDPAddrPort(rest[:min(c.size, len(rest))], c.to)
		}
	}
	c.buf, c.count = c.buf[:0], 0
	c.keeps.Store(false)
}
