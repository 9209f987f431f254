package frame

// Types of OBUs (AV1 6.2.2).
const (
	OBUSequenceHeader    = 1
	OBUTemporalDelimiter = 2
	OBUFrameHeader       = 3
	OBUTileGroup         = 4
	OBUMetadata          = 5
	OBUFrame             = 6
	OBUPadding           = 15
)

// OBU is one open bitstream unit.
type OBU struct {
	Type int
	// Header is the header without the size flag: one or two bytes.
	Header []byte
	// Payload is what follows the header and the size.
	Payload []byte
}

// AppendTo appends the OBU with a size field.
func (o OBU) AppendTo(b []byte) []byte {
	b = append(b, o.Header[0]|2)
	b = append(b, o.Header[1:]...)
	n := uint(len(o.Payload))
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	b = append(b, byte(n))
	return append(b, o.Payload...)
}

// SplitOBUs cuts a temporal unit into its OBUs, which share its memory. The
// last one may lack the size field.
func SplitOBUs(b []byte) ([]OBU, error) {
	var out []OBU
	for len(b) > 0 {
		h := b[0]
		if h&0x80 != 0 {
			return nil, malformed("OBU with forbidden bit")
		}
		n := 1 + int(h>>2&1)
		if len(b) < n {
			return nil, malformed("OBU header cut off")
		}
		o := OBU{Type: int(h >> 3 & 15), Header: append([]byte{h &^ 2}, b[1:n]...)}
		b = b[n:]
		size := uint64(len(b))
		if h&2 != 0 {
			var used int
			if size, used = leb128(b); used == 0 {
				return nil, malformed("OBU size cut off")
			}
			b = b[used:]
		}
		if size > uint64(len(b)) {
			return nil, malformed("OBU of %d bytes with %d left", size, len(b))
		}
		o.Payload, b = b[:size:size], b[size:]
		out = append(out, o)
	}
	return out, nil
}

func leb128(b []byte) (v uint64, used int) {
	for i := range min(8, len(b)) {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, i + 1
		}
	}
	return 0, 0
}

// AV1Sequence is what a sequence header tells.
type AV1Sequence struct {
	Width, Height int

	Profile, Level, Tier    int
	HighBitDepth, TwelveBit bool
	Monochrome              bool
	SubsamplingX            bool
	SubsamplingY            bool
	ChromaPosition          int
	reducedStillPicture     bool
}

// AV1 reads a temporal unit: a key frame is one with a sequence header whose
// first frame is a shown key frame. seq is nil when there is no sequence header.
func AV1(obus []OBU) (info Info, seq *AV1Sequence, err error) {
	for _, o := range obus {
		switch o.Type {
		case OBUSequenceHeader:
			if seq, err = ParseAV1Sequence(o.Payload); err != nil {
				return Info{}, nil, err
			}
		case OBUFrame, OBUFrameHeader:
			if seq == nil {
				return Info{}, nil, nil
			}
			r := &bits{b: o.Payload}
			key := seq.reducedStillPicture
			if !key {
				// show_existing_frame, frame_type, show_frame (AV1 5.9.2)
				key = !r.flag() && r.u(2) == 0 && r.flag()
			}
			if key && !r.short {
				info = Info{Keyframe: true, Width: seq.Width, Height: seq.Height}
			}
			return info, seq, short(r, "AV1 frame")
		}
	}
	return info, seq, nil
}

// ParseAV1Sequence reads the payload of a sequence header OBU (AV1 5.5).
func ParseAV1Sequence(b []byte) (*AV1Sequence, error) {
	r := &bits{b: b}
	s := &AV1Sequence{Profile: int(r.u(3))}
	r.skip(1) // still_picture
	s.reducedStillPicture = r.flag()
	if s.reducedStillPicture {
		s.Level = int(r.u(5))
	} else {
		av1Operating(r, s)
	}
	wbits, hbits := int(r.u(4))+1, int(r.u(4))+1
	s.Width, s.Height = int(r.u(wbits))+1, int(r.u(hbits))+1
	frameIDs := false
	if !s.reducedStillPicture {
		frameIDs = r.flag()
	}
	if frameIDs {
		r.skip(7)
	}
	r.skip(3) // 128x128 superblocks, filter intra, intra edge filter
	if !s.reducedStillPicture {
		av1Tools(r)
	}
	r.skip(3) // superres, cdef, restoration
	av1Color(r, s)
	if err := short(r, "AV1 sequence"); err != nil {
		return nil, err
	}
	if s.Profile > 2 || s.Width > maxSide || s.Height > maxSide {
		return nil, malformed("AV1 sequence of profile %d, %dx%d", s.Profile, s.Width, s.Height)
	}
	return s, nil
}

func av1Operating(r *bits, s *AV1Sequence) {
	decoderModel, delayBits := false, 0
	if r.flag() { // timing_info_present_flag
		r.skip(64)
		if r.flag() {
			r.uvlc()
		}
		if decoderModel = r.flag(); decoderModel {
			delayBits = int(r.u(5)) + 1
			r.skip(32 + 5 + 5)
		}
	}
	displayDelay := r.flag()
	points := int(r.u(5)) + 1
	for i := range points {
		r.skip(12)
		level, tier := int(r.u(5)), 0
		if level > 7 {
			tier = int(r.bit())
		}
		if i == 0 {
			s.Level, s.Tier = level, tier
		}
		if decoderModel && r.flag() {
			r.skip(2*delayBits + 1)
		}
		if displayDelay && r.flag() {
			r.skip(4)
		}
	}
}

func av1Tools(r *bits) {
	r.skip(4) // interintra, masked, warped, dual filter
	orderHint := r.flag()
	if orderHint {
		r.skip(2)
	}
	const choose = 2
	screen := uint32(choose)
	if !r.flag() {
		screen = r.bit()
	}
	if screen > 0 && !r.flag() {
		r.skip(1) // seq_force_integer_mv
	}
	if orderHint {
		r.skip(3)
	}
}

func av1Color(r *bits, s *AV1Sequence) {
	s.HighBitDepth = r.flag()
	if s.Profile == 2 && s.HighBitDepth {
		s.TwelveBit = r.flag()
	}
	if s.Profile != 1 {
		s.Monochrome = r.flag()
	}
	primaries, transfer, matrix := uint32(2), uint32(2), uint32(2)
	if r.flag() {
		primaries, transfer, matrix = r.u(8), r.u(8), r.u(8)
	}
	s.SubsamplingX, s.SubsamplingY = true, true
	if s.Monochrome {
		r.skip(1)
		return
	}
	if primaries == 1 && transfer == 13 && matrix == 0 { // sRGB
		s.SubsamplingX, s.SubsamplingY = false, false
		return
	}
	r.skip(1) // color_range
	switch s.Profile {
	case 1:
		s.SubsamplingX, s.SubsamplingY = false, false
	case 2:
		s.SubsamplingY = false
		if s.TwelveBit {
			if s.SubsamplingX = r.flag(); s.SubsamplingX {
				s.SubsamplingY = r.flag()
			}
		}
	}
	if s.SubsamplingX && s.SubsamplingY {
		s.ChromaPosition = int(r.u(2))
	}
}
