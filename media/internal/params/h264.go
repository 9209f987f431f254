package params

// paramLimit bounds how much of a parameter set is read; real ones are far
// below.
const paramLimit = 4096

// H264SPS is what is needed of a sequence parameter set (H.264 7.3.2.1.1).
type H264SPS struct {
	// Profile, Constraints and Level are the bytes behind the NAL header.
	Profile, Constraints, Level byte
	// Chroma is chroma_format_idc; the depths are in bits.
	Chroma, LumaDepth, ChromaDepth int
	// FrameRate is in frames a second, or 0 when the set does not tell.
	FrameRate float64

	id             uint32
	separatePlanes bool
	frameNumBits   int
	pocType        uint32
	pocBits        int
	pocDeltaZero   bool
	framesOnly     bool
}

// HasChroma reports whether the profile codes the chroma format, and whether
// avcC therefore has to repeat it.
func (s *H264SPS) HasChroma() bool {
	switch s.Profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

// ParseH264SPS reads a NAL unit of type 7, header included.
func ParseH264SPS(nal []byte) (*H264SPS, error) {
	if len(nal) < 4 || nal[0]&0x1f != 7 {
		return nil, malformed("no H.264 sequence parameter set")
	}
	r := &bits{b: raw(nal[1:], paramLimit)}
	s := &H264SPS{Profile: byte(r.u(8)), Constraints: byte(r.u(8)), Level: byte(r.u(8)), Chroma: 1, LumaDepth: 8, ChromaDepth: 8}
	s.id = r.ue()
	if s.HasChroma() {
		s.chroma(r)
	}
	frameNum, pocLSB := r.ue(), uint32(0)
	switch s.pocType = r.ue(); s.pocType {
	case 0:
		pocLSB = r.ue()
	case 1:
		s.pocDeltaZero = r.flag()
		r.se()
		r.se()
		n := r.ue()
		if n > 255 {
			return nil, malformed("H.264 picture order cycle of %d", n)
		}
		for range n {
			r.se()
		}
	}
	if s.id > 31 || frameNum > 12 || pocLSB > 12 || s.pocType > 2 || s.Chroma > 3 || s.LumaDepth > 14 || s.ChromaDepth > 14 {
		return nil, malformed("H.264 sequence parameter set out of range")
	}
	s.frameNumBits, s.pocBits = int(frameNum)+4, int(pocLSB)+4
	r.ue()    // max_num_ref_frames
	r.skip(1) // gaps_in_frame_num_value_allowed_flag
	r.ue()    // width
	r.ue()    // height
	if s.framesOnly = r.flag(); !s.framesOnly {
		r.skip(1)
	}
	r.skip(1) // direct_8x8_inference_flag
	if r.flag() {
		for range 4 {
			r.ue() // cropping
		}
	}
	if err := r.check("H.264 sequence parameter set"); err != nil {
		return nil, err
	}
	if r.flag() {
		s.FrameRate = h264Rate(r)
	}
	return s, nil
}

func (s *H264SPS) chroma(r *bits) {
	s.Chroma = int(r.ue())
	lists := 8
	if s.Chroma == 3 {
		s.separatePlanes = r.flag()
		lists = 12
	}
	s.LumaDepth, s.ChromaDepth = 8+int(r.ue()), 8+int(r.ue())
	r.skip(1)
	if !r.flag() {
		return
	}
	for i := range lists {
		if !r.flag() {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		last, next := int32(8), int32(8)
		for range size {
			if next != 0 {
				next = (last + r.se()) & 0xff
			}
			if next != 0 {
				last = next
			}
		}
	}
}

// h264Rate reads the VUI up to the timing (H.264 E.1.1).
func h264Rate(r *bits) float64 {
	vuiPicture(r)
	if !r.flag() {
		return 0
	}
	unit, scale := r.u(32), r.u(32)
	// A tick is a field, so a frame is two (H.264 E.2.1).
	return rate(scale, unit, 2, r)
}

// vuiPicture reads the part of the VUI that both codecs share: aspect ratio,
// overscan, signal type and chroma location.
func vuiPicture(r *bits) {
	const extendedSAR = 255
	if r.flag() && r.u(8) == extendedSAR {
		r.skip(32)
	}
	if r.flag() {
		r.skip(1)
	}
	if r.flag() {
		r.skip(4)
		if r.flag() {
			r.skip(24)
		}
	}
	if r.flag() {
		r.ue()
		r.ue()
	}
}

func rate(scale, unit uint32, ticks float64, r *bits) float64 {
	if r.short || unit == 0 {
		return 0
	}
	fps := float64(scale) / float64(unit) / ticks
	if fps < 1 || fps > 300 {
		return 0
	}
	return fps
}

// H264Pictures finds where pictures begin in a sequence of H.264 NAL units. It
// remembers the parameter sets that it needs for that.
type H264Pictures struct {
	sps  map[uint32]*H264SPS
	pps  map[uint32]h264PPS
	last *h264Slice
}

type h264PPS struct {
	sps       uint32
	bottomPOC bool
}

// h264Slice holds the fields by which H.264 7.4.1.2.4 tells pictures apart.
type h264Slice struct {
	frameNum, pps                 uint32
	field, bottom, reference, idr bool
	idrID, pocLSB                 uint32
	pocBottom, poc0, poc1         int32
}

// Parameters takes note of a parameter set; other units are ignored.
func (p *H264Pictures) Parameters(nal []byte) {
	switch nal[0] & 0x1f {
	case 7:
		if s, err := ParseH264SPS(nal); err == nil {
			if p.sps == nil {
				p.sps = map[uint32]*H264SPS{}
			}
			p.sps[s.id] = s
		}
	case 8:
		r := &bits{b: raw(nal[1:], 64)}
		id, sps := r.ue(), r.ue()
		r.skip(1)
		bottom := r.flag()
		if id > 255 || sps > 31 || r.short {
			return
		}
		if p.pps == nil {
			p.pps = map[uint32]h264PPS{}
		}
		p.pps[id] = h264PPS{sps: sps, bottomPOC: bottom}
	}
}

// First reports whether a slice (NAL type 1, 2 or 5) is the first of a picture.
// A slice whose parameter sets are unknown counts as first when it begins at
// the picture's first macroblock.
func (p *H264Pictures) First(nal []byte) bool {
	r := &bits{b: raw(nal[1:], 64)}
	mb := r.ue()
	r.ue() // slice_type
	s := &h264Slice{pps: r.ue(), reference: nal[0]&0x60 != 0, idr: nal[0]&0x1f == 5}
	pps, ok := p.pps[s.pps]
	sps := p.sps[pps.sps]
	if !ok || sps == nil || r.short {
		p.last = nil
		return mb == 0
	}
	s.read(r, sps, pps)
	prev := p.last
	p.last = s
	return prev == nil || *prev != *s
}

func (s *h264Slice) read(r *bits, sps *H264SPS, pps h264PPS) {
	if sps.separatePlanes {
		r.skip(2)
	}
	s.frameNum = r.u(sps.frameNumBits)
	if !sps.framesOnly {
		if s.field = r.flag(); s.field {
			s.bottom = r.flag()
		}
	}
	if s.idr {
		s.idrID = r.ue()
	}
	switch {
	case sps.pocType == 0:
		s.pocLSB = r.u(sps.pocBits)
		if pps.bottomPOC && !s.field {
			s.pocBottom = r.se()
		}
	case sps.pocType == 1 && !sps.pocDeltaZero:
		s.poc0 = r.se()
		if pps.bottomPOC && !s.field {
			s.poc1 = r.se()
		}
	}
}
