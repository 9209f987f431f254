package packet

import (
	"encoding/binary"
	"fmt"

	"github.com/parley-rtc/parley/media/bitstream"
)

// Payload structures of H.264 (RFC 6184, table 1), besides single NAL units.
const (
	h264STAPA = 24
	h264FUA   = 28

	fuStart = 0x80
	fuEnd   = 0x40
)

// Why not pion's payloader: it keeps SPS and PPS back until the next unit, so
// it joins units of different access units, loses repeated ones, drops them
// when they do not fit into one packet, and drops delimiters and filler.

// split finds the NAL units of an access unit.
func (p *Packetizer) split(data []byte) error {
	p.nals = p.nals[:0]
	for nal := range bitstream.NALs(data) {
		p.nals = append(p.nals, nal)
	}
	if len(p.nals) == 0 {
		return fmt.Errorf("%w: no NAL unit behind a start code", ErrSample)
	}
	return nil
}

// pack has units that fit together share a packet, which begins with a header
// and holds a length of two bytes before each, and larger ones fragmented; the
// others go alone.
func (p *Packetizer) pack(dst []Payload, header int,
	together func(*Packetizer, []Payload, [][]byte) []Payload, apart func(*Packetizer, []Payload, []byte) []Payload,
) []Payload {
	for nals := p.nals; len(nals) > 0; {
		n, size := 0, header
		for n < len(nals) && size+2+len(nals[n]) <= p.mtu {
			size += 2 + len(nals[n])
			n++
		}
		switch {
		case n >= 2:
			dst = together(p, dst, nals[:n])
			nals = nals[n:]
		case len(nals[0]) <= p.mtu:
			start := p.begin()
			p.buf = append(p.buf, nals[0]...)
			dst = p.end(dst, start)
			nals = nals[1:]
		default:
			dst = apart(p, dst, nals[0])
			nals = nals[1:]
		}
	}
	return dst
}

// h264 writes packetization mode 1 (RFC 6184, 6.3): units that fit together
// share a STAP-A, larger ones become FU-A, the others go alone.
func (p *Packetizer) h264(dst []Payload, data []byte) ([]Payload, error) {
	if err := p.split(data); err != nil {
		return dst, err
	}
	for _, nal := range p.nals {
		if t := bitstream.H264Type(nal); t == 0 || t >= h264STAPA {
			return dst, fmt.Errorf("%w: NAL unit of type %d", ErrSample, t)
		}
	}
	return p.pack(dst, 1, (*Packetizer).h264Aggregate, (*Packetizer).h264Fragment), nil
}

func (p *Packetizer) h264Aggregate(dst []Payload, nals [][]byte) []Payload {
	start := p.begin()
	p.buf = append(p.buf, h264STAPA)
	var forbidden, importance byte
	for _, nal := range nals {
		forbidden |= nal[0] & 0x80
		importance = max(importance, nal[0]&0x60)
		p.buf = binary.BigEndian.AppendUint16(p.buf, uint16(len(nal)))
		p.buf = append(p.buf, nal...)
	}
	p.buf[start] |= forbidden | importance
	return p.end(dst, start)
}

func (p *Packetizer) h264Fragment(dst []Payload, nal []byte) []Payload {
	const header = 2
	indicator := nal[0]&0xe0 | h264FUA
	fu := nal[0]&0x1f | fuStart
	for rest := nal[1:]; len(rest) > 0; {
		n := min(len(rest), p.mtu-header)
		if n == len(rest) {
			fu |= fuEnd
		}
		start := p.begin()
		p.buf = append(p.buf, indicator, fu)
		p.buf = append(p.buf, rest[:n]...)
		dst = p.end(dst, start)
		rest = rest[n:]
		fu &^= fuStart
	}
	return dst
}

// annexB joins NAL units behind start codes.
type annexB struct {
	frameBuffer
	open bool // a fragmented unit has begun and not ended
	kind byte // its type
}

func (f *annexB) reset() {
	f.frameBuffer.reset()
	f.open = false
}

func (f *annexB) unit(header ...byte) error {
	if f.open {
		return errPayload
	}
	f.buf = append(f.buf, 0, 0, 0, 1)
	return f.write(header)
}

// fragment takes the data of a fragment whose unit has this header.
func (f *annexB) fragment(fu byte, data []byte, header ...byte) error {
	kind := fu & 0x3f
	switch first := fu&fuStart != 0; {
	case first && fu&fuEnd != 0:
		return errPayload // RFC 6184, 5.8; RFC 7798, 4.4.3
	case first:
		if err := f.unit(header...); err != nil {
			return err
		}
		f.open, f.kind = true, kind
	case !f.open || f.kind != kind:
		return errPayload
	}
	f.open = fu&fuEnd == 0
	return f.write(data)
}

func (f *annexB) finish() error {
	if f.open {
		return errPayload
	}
	return f.complete()
}

// aggregated returns the first unit of the body of an aggregation packet.
func aggregated(body []byte) (nal, rest []byte, ok bool) {
	if len(body) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(body))
	if n == 0 || n > len(body)-2 {
		return nil, nil, false
	}
	return body[2 : 2+n], body[2+n:], true
}

type h264Frame struct{ annexB }

func (f *h264Frame) add(payload []byte) error {
	switch t := bitstream.H264Type(payload); {
	case t == h264STAPA:
		if len(payload) == 1 {
			return errPayload
		}
		for body := payload[1:]; len(body) > 0; {
			nal, rest, ok := aggregated(body)
			if !ok {
				return errPayload
			}
			if err := f.unit(nal...); err != nil {
				return err
			}
			body = rest
		}
		return nil
	case t == h264FUA:
		if len(payload) < 3 {
			return errPayload
		}
		return f.fragment(payload[1]&^0x20, payload[2:], payload[0]&0xe0|payload[1]&0x1f)
	case t == 0 || t > h264STAPA:
		return errPayload
	}
	return f.unit(payload...)
}

func (f *h264Frame) startsFrame(payload []byte) bool {
	// A slice proves nothing: parameter sets may come before it.
	var scratch [2]byte
	nal := h264First(payload, &scratch)
	if len(nal) == 0 {
		return false
	}
	t := bitstream.H264Type(nal)
	return t == bitstream.H264AUD || t == bitstream.H264SPS
}

// h264FirstSlice reports whether a slice is the first of its picture: its first
// field, first_mb_in_slice, is 0, which ue(v) codes as a single 1 bit.
func h264FirstSlice(nal []byte) bool { return nal[1]&0x80 != 0 }

// h264First returns the start of the first NAL unit of a payload, with its
// header where a fragment has it spread, in scratch. It returns nil when none
// begins there.
func h264First(payload []byte, scratch *[2]byte) []byte {
	if len(payload) == 0 {
		return nil
	}
	switch bitstream.H264Type(payload) {
	case h264STAPA:
		nal, _, _ := aggregated(payload[1:])
		return nal
	case h264FUA:
		if len(payload) < 3 || payload[1]&fuStart == 0 {
			return nil
		}
		*scratch = [2]byte{payload[1] & 0x1f, payload[2]}
		return scratch[:]
	}
	return payload
}

// h264Picture looks for parameter sets and IDR slices that begin in a payload.
func h264Picture(payload []byte) (pic bitstream.Picture, ok bool) {
	look := func(nal []byte) {
		if len(nal) < 2 {
			return
		}
		switch bitstream.H264Type(nal) {
		case bitstream.H264SPS:
			if sps, err := bitstream.ParseH264SPS(nal); err == nil {
				pic = bitstream.Picture{Keyframe: true, Width: sps.Width, Height: sps.Height}
			}
		case bitstream.H264IDR:
			pic.Keyframe = pic.Keyframe || h264FirstSlice(nal)
		}
	}
	if len(payload) == 0 {
		return pic, false
	}
	if bitstream.H264Type(payload) == h264STAPA {
		for body := payload[1:]; ; {
			nal, rest, more := aggregated(body)
			if !more {
				break
			}
			look(nal)
			body = rest
		}
	} else {
		var scratch [2]byte
		look(h264First(payload, &scratch))
	}
	return pic, pic.Keyframe
}
