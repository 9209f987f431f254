package bitstream

import "fmt"

// Types of H.265 NAL units (H.265, table 7-1). Types from H265FirstIRAP to
// H265LastIRAP are slices that a decoder can start with.
const (
	H265FirstIRAP = 16
	H265LastIRAP  = 21
	H265VPS       = 32
	H265SPS       = 33
	H265PPS       = 34
	H265AUD       = 35
)

// H265Type returns the type of a NAL unit, which must not be empty.
func H265Type(nal []byte) int { return int(nal[0] >> 1 & 0x3f) }

// H265IRAP reports whether a NAL unit, which must not be empty, is a slice that
// a decoder can start with.
func H265IRAP(nal []byte) bool {
	t := H265Type(nal)
	return H265FirstIRAP <= t && t <= H265LastIRAP
}

// ParseH265 reads an access unit in Annex B form. It is a key frame when it has
// an IRAP slice. The size is known when it carries a sequence parameter set.
func ParseH265(unit []byte) (Picture, error) {
	var p Picture
	found := false
	for nal := range NALs(unit) {
		found = true
		switch {
		case H265IRAP(nal):
			p.Keyframe = true
		case H265Type(nal) == H265SPS && p.Width == 0:
			sps, err := ParseH265SPS(nal)
			if err != nil {
				return Picture{}, err
			}
			p.Width, p.Height = sps.Width, sps.Height
		}
	}
	if !found {
		return Picture{}, fmt.Errorf("h265: no start code: %w", ErrInvalid)
	}
	return p, nil
}

// ParseH265SPS reads a sequence parameter set of the base layer: a NAL unit of
// type 33 with its header, without start code (H.265, 7.3.2.2.1).
func ParseH265SPS(nal []byte) (SPS, error) {
	if len(nal) < 2 {
		return SPS{}, fmt.Errorf("h265: sps: %w", ErrTruncated)
	}
	if H265Type(nal) != H265SPS {
		return SPS{}, fmt.Errorf("h265: sps: nal type %d: %w", H265Type(nal), ErrInvalid)
	}
	r := &bitReader{data: nal[2:], escaped: true}
	r.skip(4) // sps_video_parameter_set_id
	subLayers := int(r.read(3))
	if subLayers > 6 {
		return SPS{}, fmt.Errorf("h265: sps: sub-layers: %w", ErrInvalid)
	}
	r.skip(1) // sps_temporal_id_nesting_flag
	var s SPS
	s.h265Tier(r, subLayers)
	if r.ue() > 15 {
		return SPS{}, fmt.Errorf("h265: sps: id: %w", ErrInvalid)
	}
	chroma := r.ue()
	if chroma > 3 {
		return SPS{}, fmt.Errorf("h265: sps: chroma format: %w", ErrInvalid)
	}
	if chroma == 3 && r.flag() {
		chroma = 0 // separate planes
	}
	width, height := r.ue(), r.ue()
	ok := 0 < width && width <= maxSide && 0 < height && height <= maxSide
	if ok {
		s.Width, s.Height = int(width), int(height)
		unitX, unitY := cropUnits(chroma)
		ok = s.crop(r, unitX, unitY)
	}
	if r.over {
		return SPS{}, fmt.Errorf("h265: sps: %w", ErrTruncated)
	}
	if !ok {
		return SPS{}, fmt.Errorf("h265: sps: size: %w", ErrInvalid)
	}
	return s, nil
}

// h265Tier reads profile_tier_level (H.265, 7.3.3).
func (s *SPS) h265Tier(r *bitReader, subLayers int) {
	r.skip(3) // profile space, tier
	s.Profile = int(r.read(5))
	r.skip(32 + 48) // compatibility and constraint flags
	s.Level = int(r.read(8))
	var profiles, levels [8]bool
	for i := range subLayers {
		profiles[i], levels[i] = r.flag(), r.flag()
	}
	if subLayers > 0 {
		r.skip(2 * (8 - subLayers))
	}
	for i := range subLayers {
		if profiles[i] {
			r.skip(88)
		}
		if levels[i] {
			r.skip(8)
		}
	}
}
