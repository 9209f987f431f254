package params

// AV1Sequence is what the configuration record av1C repeats of a sequence
// header.
type AV1Sequence struct {
	Profile, Level, Tier    int
	HighBitDepth, TwelveBit bool
	Monochrome              bool
	SubsamplingX            bool
	SubsamplingY            bool
	ChromaPosition          int
}

// ParseAV1Sequence reads the payload of a sequence header OBU (AV1 5.5).
func ParseAV1Sequence(b []byte) (*AV1Sequence, error) {
	r := &bits{b: b}
	s := &AV1Sequence{Profile: int(r.u(3))}
	r.skip(1) // still_picture
	still := r.flag()
	if still {
		s.Level = int(r.u(5))
	} else {
		av1Operating(r, s)
	}
	wide, high := int(r.u(4))+1, int(r.u(4))+1
	r.skip(wide + high)
	frameIDs := false
	if !still {
		frameIDs = r.flag()
	}
	if frameIDs {
		r.skip(7)
	}
	r.skip(3) // 128x128 superblocks, filter intra, intra edge filter
	if !still {
		av1Tools(r)
	}
	r.skip(3) // superres, cdef, restoration
	av1Color(r, s)
	if err := r.check("AV1 sequence header"); err != nil {
		return nil, err
	}
	if s.Profile > 2 {
		return nil, malformed("AV1 profile %d", s.Profile)
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
