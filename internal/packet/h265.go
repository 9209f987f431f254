package packet

import (
	"encoding/binary"
	"fmt"

	"github.com/parley-rtc/parley/media/bitstream"
)

// Payload structures of H.265 (RFC 7798, 4.4), besides single NAL units.
const (
	h265AP = 48
	h265FU = 49
)

// h265 writes aggregation packets, fragmentation units and single NAL units
// (RFC 7798, 4.4), in decoding order, without DONL fields.
func (p *Packetizer) h265(dst []Payload, data []byte) ([]Payload, error) {
	if err := p.split(data); err != nil {
		return dst, err
	}
	for _, nal := range p.nals {
		if t := bitstream.H265Type(nal); t >= h265AP || len(nal) < 3 {
			return dst, fmt.Errorf("%w: NAL unit of type %d and %d bytes", ErrSample, t, len(nal))
		}
	}
	return p.pack(dst, 2, (*Packetizer).h265Aggregate, (*Packetizer).h265Fragment), nil
}

func (p *Packetizer) h265Aggregate(dst []Payload, nals [][]byte) []Payload {
	start := p.begin()
	// F is set where one unit has it; layer and temporal id are the lowest.
	var forbidden byte
	layer, temporal := 63, byte(7)
	p.buf = append(p.buf, 0, 0)
	for _, nal := range nals {
		forbidden |= nal[0] & 0x80
		layer = min(layer, int(nal[0]&1)<<5|int(nal[1]>>3))
		temporal = min(temporal, nal[1]&7)
		p.buf = binary.BigEndian.AppendUint16(p.buf, uint16(len(nal)))
		p.buf = append(p.buf, nal...)
	}
	p.buf[start] = forbidden | h265AP<<1 | byte(layer>>5)
	p.buf[start+1] = byte(layer)<<3 | temporal
	return p.end(dst, start)
}

func (p *Packetizer) h265Fragment(dst []Payload, nal []byte) []Payload {
	const header = 3
	first := nal[0]&0x81 | h265FU<<1
	fu := byte(bitstream.H265Type(nal)) | fuStart
	for rest := nal[2:]; len(rest) > 0; {
		n := min(len(rest), p.mtu-header)
		if n == len(rest) {
			fu |= fuEnd
		}
		start := p.begin()
		p.buf = append(p.buf, first, nal[1], fu)
		p.buf = append(p.buf, rest[:n]...)
		dst = p.end(dst, start)
		rest = rest[n:]
		fu &^= fuStart
	}
	return dst
}

type h265Frame struct{ annexB }

func (f *h265Frame) add(payload []byte) error {
	if len(payload) < 3 {
		return errPayload
	}
	switch t := bitstream.H265Type(payload); {
	case t == h265AP:
		for body := payload[2:]; len(body) > 0; {
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
	case t == h265FU:
		if len(payload) < 4 {
			return errPayload
		}
		return f.fragment(payload[2], payload[3:], payload[0]&0x81|payload[2]&0x3f<<1, payload[1])
	case t > h265FU:
		return errPayload
	}
	return f.unit(payload...)
}

func (f *h265Frame) startsFrame(payload []byte) bool {
	var scratch [3]byte
	nal := h265First(payload, &scratch)
	if len(nal) == 0 {
		return false
	}
	t := bitstream.H265Type(nal)
	return t == bitstream.H265AUD || t == bitstream.H265VPS
}

// h265FirstSlice reads first_slice_segment_in_pic_flag.
func h265FirstSlice(nal []byte) bool { return nal[2]&0x80 != 0 }

// h265First returns the start of the first NAL unit of a payload, with its
// header where a fragment has it spread, in scratch. It returns nil when none
// begins there.
func h265First(payload []byte, scratch *[3]byte) []byte {
	if len(payload) < 3 {
		return nil
	}
	switch bitstream.H265Type(payload) {
	case h265AP:
		nal, _, _ := aggregated(payload[2:])
		return nal
	case h265FU:
		if len(payload) < 4 || payload[2]&fuStart == 0 {
			return nil
		}
		*scratch = [3]byte{payload[2] & 0x3f << 1, payload[1], payload[3]}
		return scratch[:]
	}
	return payload
}

// h265Picture looks for parameter sets and IRAP slices that begin in a payload.
func h265Picture(payload []byte) (pic bitstream.Picture, ok bool) {
	look := func(nal []byte) {
		if len(nal) < 3 {
			return
		}
		switch t := bitstream.H265Type(nal); {
		case t == bitstream.H265VPS:
			pic.Keyframe = true
		case t == bitstream.H265SPS && pic.Width == 0:
			if sps, err := bitstream.ParseH265SPS(nal); err == nil {
				pic = bitstream.Picture{Keyframe: true, Width: sps.Width, Height: sps.Height}
			}
		case bitstream.H265IRAP(nal):
			pic.Keyframe = pic.Keyframe || h265FirstSlice(nal)
		}
	}
	if len(payload) < 3 {
		return pic, false
	}
	if bitstream.H265Type(payload) == h265AP {
		for body := payload[2:]; ; {
			nal, rest, more := aggregated(body)
			if !more {
				break
			}
			look(nal)
			body = rest
		}
	} else {
		var scratch [3]byte
		look(h265First(payload, &scratch))
	}
	return pic, pic.Keyframe
}
