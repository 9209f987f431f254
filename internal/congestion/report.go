package congestion

import (
	"encoding/binary"
	"time"
)

// The format of transport-wide feedback is that of
// draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1.
const (
	reportHead    = 20 // bytes before the chunks
	reportType    = 205
	reportFormat  = 15
	referenceUnit = 64 * time.Millisecond
	deltaUnit     = 250 * time.Microsecond
)

// The states of a packet in a report.
const (
	notReceived = iota
	smallDelta  // one byte
	largeDelta  // two, with a sign
)

// IsReport reports whether the RTCP packet is transport-wide feedback.
func IsReport(packet []byte) bool {
	return len(packet) >= reportHead && packet[0]&0x1f == reportFormat && packet[1] == reportType
}

// report walks through what a feedback packet says, one packet after the other.
type report struct {
	base      uint16 // number of the first packet
	count     int
	reference uint32 // 24 bits, in referenceUnit

	chunks, deltas []byte
	at             int // packets so far
	chunk          uint16
	left           int // packets that the chunk still has
}

// readReport begins to read an RTCP packet. What follows after its end is not
// looked at; ok is false for what is no report, or a broken one.
func readReport(packet []byte) (r report, ok bool) {
	if !IsReport(packet) {
		return r, false
	}
	size := 4 * (int(binary.BigEndian.Uint16(packet[2:])) + 1)
	if size < reportHead || size > len(packet) {
		return r, false
	}
	r.base = binary.BigEndian.Uint16(packet[12:])
	r.count = int(binary.BigEndian.Uint16(packet[14:]))
	r.reference = binary.BigEndian.Uint32(packet[16:]) >> 8
	r.chunks = packet[reportHead:size]
	rest, told := r.chunks, 0
	for ; told < r.count; rest = rest[2:] {
		if len(rest) < 2 {
			return r, false
		}
		told += chunkLength(binary.BigEndian.Uint16(rest))
	}
	r.deltas = rest
	return r, true
}

func chunkLength(chunk uint16) int {
	switch {
	case chunk>>15 == 0:
		return int(chunk & 0x1fff)
	case chunk>>14 == 2:
		return 14
	}
	return 7
}

// next returns whether the next packet was received, and how long after the one
// before. ok is false after the last one.
func (r *report) next() (received bool, delta time.Duration, ok bool) {
	if r.at >= r.count {
		return false, 0, false
	}
	for r.left == 0 {
		r.chunk, r.chunks = binary.BigEndian.Uint16(r.chunks), r.chunks[2:]
		r.left = chunkLength(r.chunk)
	}
	r.at++
	r.left--
	var symbol uint16
	var units int
	switch {
	case r.chunk>>15 == 0:
		symbol = r.chunk >> 13 & 3
	case r.chunk>>14 == 2:
		symbol = r.chunk >> r.left & 1
	default:
		symbol = r.chunk >> (2 * r.left) & 3
	}
	switch {
	case symbol == smallDelta && len(r.deltas) > 0:
		units, r.deltas = int(r.deltas[0]), r.deltas[1:]
	case symbol == largeDelta && len(r.deltas) > 1:
		units, r.deltas = int(int16(binary.BigEndian.Uint16(r.deltas))), r.deltas[2:]
	default:
		return false, 0, symbol == notReceived || symbol == 3 // deltas that are missing end it
	}
	return true, time.Duration(units) * deltaUnit, true
}
