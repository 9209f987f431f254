package bitstream

import (
	"fmt"
	"iter"
)

// Types of AV1 OBUs (AV1, 6.2.2).
const (
	OBUSequenceHeader    = 1
	OBUTemporalDelimiter = 2
	OBUFrameHeader       = 3
	OBUTileGroup         = 4
	OBUMetadata          = 5
	OBUFrame             = 6
	OBURedundantHeader   = 7
	OBUTileList          = 8
	OBUPadding           = 15
)

// OBU is one open bitstream unit of AV1.
type OBU struct {
	Type int
	// Extended is true when the header has a second byte, which holds the
	// layer.
	Extended              bool
	TemporalID, SpatialID int
	// Header is the OBU's header, one or two bytes, as found.
	Header []byte
	// Payload is what follows header and size field.
	Payload []byte
}

// OBUs yields the OBUs of a temporal unit in low-overhead form. An OBU without
// size field reaches to the end. On broken data it yields one error, then ends.
// The slices point into data.
func OBUs(data []byte) iter.Seq2[OBU, error] {
	return func(yield func(OBU, error) bool) {
		for len(data) > 0 {
			o, n, err := ParseOBU(data)
			if err != nil {
				yield(OBU{}, err)
				return
			}
			if !yield(o, nil) {
				return
			}
			data = data[n:]
		}
	}
}

// ParseOBU reads the OBU at the front of data and returns how many bytes it
// takes.
func ParseOBU(data []byte) (o OBU, n int, err error) {
	if len(data) == 0 {
		return OBU{}, 0, fmt.Errorf("av1: obu header: %w", ErrTruncated)
	}
	h := data[0]
	if h&0x80 != 0 {
		return OBU{}, 0, fmt.Errorf("av1: obu header: %w", ErrInvalid)
	}
	o.Type, o.Extended = int(h>>3&15), h&4 != 0
	n = 1
	if o.Extended {
		if len(data) < 2 {
			return OBU{}, 0, fmt.Errorf("av1: obu extension: %w", ErrTruncated)
		}
		o.TemporalID, o.SpatialID = int(data[1]>>5), int(data[1]>>3&3)
		n = 2
	}
	o.Header = data[:n:n]
	if sized := h&2 != 0; !sized {
		o.Payload = data[n:]
		return o, len(data), nil
	}
	size, k := ReadLEB128(data[n:])
	if k == 0 {
		return OBU{}, 0, fmt.Errorf("av1: obu size: %w", ErrTruncated)
	}
	n += k
	if size > uint64(len(data)-n) {
		return OBU{}, 0, fmt.Errorf("av1: obu of %d bytes: %w", size, ErrTruncated)
	}
	end := n + int(size)
	o.Payload = data[n:end:end]
	return o, end, nil
}

// ReadLEB128 reads AV1's variable length integer and returns how many bytes it
// takes, or n = 0 when data does not hold one of at most 32 bits.
func ReadLEB128(data []byte) (v uint64, n int) {
	for i := 0; i < len(data) && i < 8; i++ {
		v |= uint64(data[i]&0x7f) << (7 * i)
		if data[i]&0x80 == 0 {
			if v > 1<<32-1 {
				return 0, 0
			}
			return v, i + 1
		}
	}
	return 0, 0
}

// AppendLEB128 appends v in its shortest form.
func AppendLEB128(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// ParseAV1 reads a temporal unit. It is a key frame when it has a sequence
// header and its first frame is a shown key frame. The size is known when it
// has a sequence header, and is the largest that its frames have.
func ParseAV1(unit []byte) (Picture, error) {
	var p Picture
	var seq SequenceHeader
	var sequence, frame bool
	for o, err := range OBUs(unit) {
		if err != nil {
			return Picture{}, err
		}
		switch o.Type {
		case OBUSequenceHeader:
			if seq, err = ParseAV1SequenceHeader(o.Payload); err != nil {
				return Picture{}, err
			}
			sequence = true
			p.Width, p.Height = seq.Width, seq.Height
		case OBUFrame, OBUFrameHeader:
			if frame {
				continue
			}
			frame = true
			p.Keyframe = sequence && (seq.reduced || av1ShownKey(o.Payload))
		}
	}
	return p, nil
}

// av1ShownKey reads the start of a frame header (AV1, 5.9.2):
// show_existing_frame 0, frame_type KEY_FRAME, show_frame 1.
func av1ShownKey(header []byte) bool {
	return len(header) > 0 && header[0]>>4 == 0b0001
}

// SequenceHeader is what AV1's sequence header tells.
type SequenceHeader struct {
	// Profile, Level and Tier are as coded, of the first operating point.
	Profile, Level, Tier int
	// Width and Height are the largest of any frame.
	Width, Height int

	reduced bool
}

// ParseAV1SequenceHeader reads the payload of a sequence header OBU (AV1, 5.5).
func ParseAV1SequenceHeader(payload []byte) (SequenceHeader, error) {
	r := &bitReader{data: payload}
	var s SequenceHeader
	s.Profile = int(r.read(3))
	if s.Profile > 2 {
		return SequenceHeader{}, fmt.Errorf("av1: sequence header: profile: %w", ErrInvalid)
	}
	r.skip(1) // still_picture
	s.reduced = r.flag()
	if s.reduced {
		s.Level = int(r.read(5))
	} else {
		s.operatingPoints(r)
	}
	wideBits, highBits := int(r.read(4))+1, int(r.read(4))+1
	s.Width, s.Height = int(r.read(wideBits))+1, int(r.read(highBits))+1
	if r.over {
		return SequenceHeader{}, fmt.Errorf("av1: sequence header: %w", ErrTruncated)
	}
	return s, nil
}

func (s *SequenceHeader) operatingPoints(r *bitReader) {
	delayBits := 0 // of the decoder model, when there is one
	if timing := r.flag(); timing {
		r.skip(32 + 32)
		if equal := r.flag(); equal {
			r.uvlc()
		}
		if model := r.flag(); model {
			delayBits = int(r.read(5)) + 1
			r.skip(32 + 5 + 5)
		}
	}
	displayDelay := r.flag()
	points := int(r.read(5)) + 1
	for i := range points {
		r.skip(12) // operating_point_idc
		level, tier := int(r.read(5)), 0
		if level > 7 {
			tier = int(r.read(1))
		}
		if i == 0 {
			s.Level, s.Tier = level, tier
		}
		if delayBits > 0 && r.flag() {
			r.skip(2*delayBits + 1)
		}
		if displayDelay && r.flag() {
			r.skip(4)
		}
	}
}
