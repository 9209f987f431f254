package params

// H265SPS is what is needed of a sequence parameter set (H.265 7.3.2.2.1).
type H265SPS struct {
	// General is general_profile_space to general_level_idc, as hvcC repeats it.
	General [12]byte
	// TemporalLayers is how many there are; Nested is the nesting flag.
	TemporalLayers int
	Nested         bool
	// Chroma is chroma_format_idc; the depths are in bits.
	Chroma, LumaDepth, ChromaDepth int
	// FrameRate is in frames a second, or 0 when the set does not tell.
	FrameRate float64
}

// ParseH265SPS reads a NAL unit of type 33, header included.
func ParseH265SPS(nal []byte) (*H265SPS, error) {
	if len(nal) < 3 || nal[0]>>1&0x3f != 33 {
		return nil, malformed("no H.265 sequence parameter set")
	}
	r := &bits{b: raw(nal[2:], paramLimit)}
	s := &H265SPS{}
	r.skip(4)
	subLayers := int(r.u(3))
	if subLayers > 6 {
		return nil, malformed("H.265 with %d sub-layers", subLayers)
	}
	s.TemporalLayers = subLayers + 1
	s.Nested = r.flag()
	for i := range s.General {
		s.General[i] = byte(r.u(8))
	}
	h265SubLayers(r, subLayers)
	r.ue() // id
	if s.Chroma = int(r.ue()); s.Chroma == 3 {
		r.skip(1)
	}
	r.ue() // width
	r.ue() // height
	if r.flag() {
		for range 4 {
			r.ue() // conformance window
		}
	}
	s.LumaDepth, s.ChromaDepth = 8+int(r.ue()), 8+int(r.ue())
	if err := r.check("H.265 sequence parameter set"); err != nil {
		return nil, err
	}
	if s.Chroma > 3 || s.LumaDepth > 16 || s.ChromaDepth > 16 {
		return nil, malformed("H.265 sequence parameter set out of range")
	}
	s.FrameRate = h265Rate(r, subLayers)
	return s, nil
}

func h265SubLayers(r *bits, n int) {
	if n == 0 {
		return
	}
	var profile, level [8]bool
	for i := range 8 { // two bits each, padded to eight layers
		profile[i], level[i] = r.flag(), r.flag()
	}
	for i := range n {
		if profile[i] {
			r.skip(88)
		}
		if level[i] {
			r.skip(8)
		}
	}
}

// h265Rate reads on from the bit depths to the VUI's timing.
func h265Rate(r *bits, subLayers int) float64 {
	pocBits := int(r.ue()) + 4
	layers := 1
	if r.flag() {
		layers = subLayers + 1
	}
	for range 3 * layers {
		r.ue()
	}
	for range 6 {
		r.ue() // block sizes and depths
	}
	if scaling := r.flag(); scaling && r.flag() { // enabled, and with lists of its own
		h265Scaling(r)
	}
	r.skip(2)
	if r.flag() { // PCM
		r.skip(8)
		r.ue()
		r.ue()
		r.skip(1)
	}
	if pocBits > 16 || !h265References(r) {
		return 0
	}
	if r.flag() { // long-term pictures
		n := r.ue()
		if n > 32 {
			return 0
		}
		r.skip(int(n) * (pocBits + 1))
	}
	r.skip(2)
	if !r.flag() {
		return 0
	}
	vuiPicture(r)
	r.skip(3)
	if r.flag() { // default display window
		for range 4 {
			r.ue()
		}
	}
	if !r.flag() {
		return 0
	}
	unit, scale := r.u(32), r.u(32)
	return rate(scale, unit, 1, r)
}

func h265Scaling(r *bits) {
	for size := range 4 {
		step := 1
		if size == 3 {
			step = 3
		}
		for matrix := 0; matrix < 6; matrix += step {
			if !r.flag() {
				r.ue()
				continue
			}
			if size > 1 {
				r.se()
			}
			for range min(64, 1<<(4+size<<1)) {
				r.se()
			}
		}
	}
}

// h265References reads the short-term reference picture sets (H.265 7.3.7).
func h265References(r *bits) bool {
	sets := int(r.ue())
	if sets > 64 {
		return false
	}
	before := 0 // pictures in the set before
	for i := range sets {
		if i > 0 && r.flag() {
			r.skip(1)
			r.ue()
			n := 0
			for range before + 1 {
				used := r.flag()
				if used || r.flag() { // use_delta_flag
					n++
				}
			}
			before = n
			continue
		}
		negative, positive := r.ue(), r.ue()
		if negative > 16 || positive > 16 || r.short {
			return false
		}
		before = int(negative + positive)
		for range before {
			r.ue()
			r.skip(1)
		}
	}
	return true
}
