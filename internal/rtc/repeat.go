package rtc

import (
	"bytes"
	"net"
	"net/netip"
	"time"

	"github.com/pion/transport/v4"
)

// Pion doubles the time between two retransmissions of its DTLS handshake and
// cannot be told not to: where every third packet is lost, one join in fifty
// would wait half a minute for the next attempt. So each packet of a handshake
// is sent again soon, whether or not it was lost: it is a few kilobytes for each
// connection, and the receiver drops copies by their sequence number.
var repeatAfter = [...]time.Duration{15 * time.Millisecond, 40 * time.Millisecond}

// Repeating returns a network like n whose UDP sockets send the packets of DTLS
// handshakes more than once.
func Repeating(n transport.Net) transport.Net { return repeatingNet{n, &batch{}} }

type repeatingNet struct {
	transport.Net
	batch *batch // of its sockets
}

// packetConn is what pion wants of a fast socket.
type packetConn interface {
	transport.UDPConn
	ReadFromAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

func (n repeatingNet) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := n.Net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return &call{PacketConn: repeating(c)}, nil
}

func (n repeatingNet) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	if udp, ok := c.(*net.UDPConn); ok {
		return batching(udp, n.batch), nil
	}
	return udpRepeater{c}, nil
}

func repeating(c net.PacketConn) net.PacketConn {
	switch c := c.(type) {
	case *net.UDPConn:
		return fastRepeater{c}
	case transport.UDPConn:
		return udpRepeater{c}
	}
	return repeater{c}
}

// handshake reports whether a packet is one of a handshake.
func handshake(packet []byte) bool {
	// RFC 6347, section 4.1: the content type comes first. 20 and 22 are what
	// handshakes are made of; media and ICE begin with other bytes.
	return len(packet) > 0 && (packet[0] == 20 || packet[0] == 22)
}

// repeat sends a packet of a handshake with write again, later. It is called
// for no other packet, since making write allocates.
func repeat(packet []byte, write func([]byte) (int, error)) {
	again := bytes.Clone(packet)
	for _, d := range repeatAfter {
		time.AfterFunc(d, func() {
			_, _ = write(again) // the socket may be closed, and nobody relies on it
		})
	}
}

type repeater struct{ net.PacketConn }

func (c repeater) WriteTo(b []byte, addr net.Addr) (int, error) {
	if handshake(b) {
		repeat(b, func(b []byte) (int, error) { return c.PacketConn.WriteTo(b, addr) })
	}
	return c.PacketConn.WriteTo(b, addr)
}

type udpRepeater struct{ transport.UDPConn }

func (c udpRepeater) WriteTo(b []byte, addr net.Addr) (int, error) {
	if handshake(b) {
		repeat(b, func(b []byte) (int, error) { return c.UDPConn.WriteTo(b, addr) })
	}
	return c.UDPConn.WriteTo(b, addr)
}

func (c udpRepeater) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) { return c.WriteTo(b, addr) }

// fastRepeater keeps what makes a real socket fast: addresses that need no
// allocation.
type fastRepeater struct{ *net.UDPConn }

func (c fastRepeater) WriteTo(b []byte, addr net.Addr) (int, error) {
	if handshake(b) {
		repeat(b, func(b []byte) (int, error) { return c.UDPConn.WriteTo(b, addr) })
	}
	return c.UDPConn.WriteTo(b, addr)
}

func (c fastRepeater) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) { return c.WriteTo(b, addr) }

func (c fastRepeater) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.UDPConn.ReadFromUDPAddrPort(b)
}

func (c fastRepeater) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if handshake(b) {
		repeat(b, func(b []byte) (int, error) { return c.UDPConn.WriteToUDPAddrPort(b, addr) })
	}
	return c.UDPConn.WriteToUDPAddrPort(b, addr)
}
