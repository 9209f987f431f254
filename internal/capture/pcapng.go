package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// The format is draft-ietf-opsawg-pcapng: blocks of a type, a length, a body
// padded to 32 bits, and the length again. Options are a code, a length and a
// padded value, and end with zeros.
const (
	blockSection   = 0x0A0D0D0A
	blockInterface = 1
	blockPacket    = 6
	blockSecrets   = 10

	optionEnd        = 0
	optionComment    = 1
	optionName       = 2 // of an interface
	optionFlags      = 2 // of a packet
	optionProgram    = 4 // of a section
	optionResolution = 9 // of the time of an interface

	byteOrder    = 0x1A2B3C4D
	linkTypeRaw  = 101 // packets begin with their IP header
	secretsTLS   = 0x544C534B
	flagInbound  = 1
	flagOutbound = 2
)

var le = binary.LittleEndian

// appendBlock adds a block whose body is appended by body.
func appendBlock(b []byte, kind uint32, body func([]byte) []byte) []byte {
	start := len(b)
	b = le.AppendUint32(b, kind)
	b = le.AppendUint32(b, 0)
	b = body(b)
	n := uint32(len(b) - start + 4)
	le.PutUint32(b[start+4:], n)
	return le.AppendUint32(b, n)
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	b = le.AppendUint16(b, code)
	b = le.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...), len(value))
}

// pad fills up behind n bytes that begin at a multiple of 32 bits.
func pad(b []byte, n int) []byte {
	for ; n%4 != 0; n++ {
		b = append(b, 0)
	}
	return b
}

func padded(n int) int { return (n + 3) &^ 3 }

func appendSection(b []byte, forgotten int) []byte {
	return appendBlock(b, blockSection, func(b []byte) []byte {
		b = le.AppendUint32(b, byteOrder)
		b = le.AppendUint16(b, 1) // version 1.0
		b = le.AppendUint16(b, 0)
		b = le.AppendUint64(b, ^uint64(0)) // of unknown length
		if forgotten > 0 {
			b = appendOption(b, optionComment, fmt.Appendf(nil, "%d older packets were not kept", forgotten))
		}
		b = appendOption(b, optionProgram, []byte("parley roomtest"))
		return appendOption(b, optionEnd, nil)
	})
}

// maxText keeps options within the 16 bits of their length.
const maxText = 1024

func appendInterface(b []byte, name string) []byte {
	return appendBlock(b, blockInterface, func(b []byte) []byte {
		b = le.AppendUint16(b, linkTypeRaw)
		b = le.AppendUint16(b, 0)
		b = le.AppendUint32(b, 0) // packets are whole
		b = appendOption(b, optionName, []byte(name[:min(len(name), maxText)]))
		b = appendOption(b, optionResolution, []byte{9}) // nanoseconds
		return appendOption(b, optionEnd, nil)
	})
}

func appendSecrets(b, keys []byte) []byte {
	return appendBlock(b, blockSecrets, func(b []byte) []byte {
		b = le.AppendUint32(b, secretsTLS)
		b = le.AppendUint32(b, uint32(len(keys)))
		return pad(append(b, keys...), len(keys))
	})
}

const (
	packetFixed = 4 + 4 + 4 + 8 + 4 + 4 // type, length, interface, time, lengths
	flagsSize   = 4 + 4
	udpSize     = 8
)

func headerSize(a netip.Addr) int {
	if a.Unmap().Is4() {
		return 20 + udpSize
	}
	return 40 + udpSize
}

// packetSize is how much appendPacket adds.
func packetSize(p *Packet) int {
	n := packetFixed + padded(headerSize(p.From.Addr())+len(p.Data)) + flagsSize + 4 + 4
	if p.Comment != "" {
		n += 4 + padded(min(len(p.Comment), maxText))
	}
	return n
}

func appendPacket(b []byte, p *Packet) []byte {
	start, size := len(b), packetSize(p)
	length := headerSize(p.From.Addr()) + len(p.Data)
	ns := uint64(p.Time.UnixNano())
	b = le.AppendUint32(b, blockPacket)
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint32(b, uint32(p.Interface))
	b = le.AppendUint32(b, uint32(ns>>32))
	b = le.AppendUint32(b, uint32(ns))
	b = le.AppendUint32(b, uint32(length))
	b = le.AppendUint32(b, uint32(length))
	b = appendIP(b, p)
	b = pad(append(b, p.Data...), length)
	if p.Comment != "" {
		b = appendOption(b, optionComment, []byte(p.Comment[:min(len(p.Comment), maxText)]))
	}
	flags := uint32(flagOutbound)
	if p.Inbound {
		flags = flagInbound
	}
	b = le.AppendUint16(b, optionFlags)
	b = le.AppendUint16(b, 4)
	b = le.AppendUint32(b, flags)
	b = appendOption(b, optionEnd, nil)
	return le.AppendUint32(b, uint32(len(b)-start+4))
}

const protocolUDP = 17

// appendIP makes up the headers that a socket does not show.
func appendIP(b []byte, p *Packet) []byte {
	be := binary.BigEndian
	from, to := p.From.Addr().Unmap(), p.To.Addr().Unmap()
	udp := uint16(udpSize + len(p.Data))
	var check uint16
	if from.Is4() {
		start := len(b)
		b = append(b, 0x45, 0)
		b = be.AppendUint16(b, 20+udp)
		b = append(b, 0, 0, 0x40, 0, 64, protocolUDP, 0, 0) // whole, 64 hops
		src, dst := from.As4(), [4]byte{}
		if to.Is4() {
			dst = to.As4()
		}
		b = append(append(b, src[:]...), dst[:]...)
		be.PutUint16(b[start+10:], ^sum(0, b[start:]))
		// RFC 768: a checksum of zero is none.
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = be.AppendUint16(b, udp)
		b = append(b, protocolUDP, 64)
		src, dst := from.As16(), to.As16()
		b = append(append(b, src[:]...), dst[:]...)
		s := uint32(protocolUDP) + uint32(udp)*2 + uint32(p.From.Port()) + uint32(p.To.Port())
		s += uint32(sum(0, src[:])) + uint32(sum(0, dst[:]))
		check = ^sum(s, p.Data)
		if check == 0 {
			check = 0xFFFF
		}
	}
	b = be.AppendUint16(b, p.From.Port())
	b = be.AppendUint16(b, p.To.Port())
	b = be.AppendUint16(b, udp)
	return be.AppendUint16(b, check)
}

// sum is the ones' complement sum of RFC 1071.
func sum(s uint32, data []byte) uint16 {
	for ; len(data) >= 2; data = data[2:] {
		s += uint32(data[0])<<8 | uint32(data[1])
	}
	if len(data) == 1 {
		s += uint32(data[0]) << 8
	}
	for s > 0xFFFF {
		s = s>>16 + s&0xFFFF
	}
	return uint16(s)
}
