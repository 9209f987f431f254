package bitstream

import "fmt"

// Types of H.264 NAL units (H.264, table 7-1).
const (
	H264Slice = 1
	H264IDR   = 5
	H264SEI   = 6
	H264SPS   = 7
	H264PPS   = 8
	H264AUD   = 9
)

// H264Type returns the type of a NAL unit, which must not be empty.
func H264Type(nal []byte) int { return int(nal[0] & 0x1f) }

// ParseH264 reads an access unit in Annex B form. It is a key frame when it has
// an IDR slice. The size is known when it carries a sequence parameter set.
func ParseH264(unit []byte) (Picture, error) {
	var p Picture
	found := false
	for nal := range NALs(unit) {
		found = true
		switch H264Type(nal) {
		case H264IDR:
			p.Keyframe = true
		case H264SPS:
			sps, err := ParseH264SPS(nal)
			if err != nil {
				return Picture{}, err
			}
			p.Width, p.Height = sps.Width, sps.Height
		}
	}
	if !found {
		return Picture{}, fmt.Errorf("h264: no start code: %w", ErrInvalid)
	}
	return p, nil
}

// SPS is what a sequence parameter set of H.264 or H.265 tells.
type SPS struct {
	// Profile and Level are as coded: profile_idc and level_idc.
	Profile, Level int
	// Constraints is H.264's byte of constraint flags.
	Constraints int
	// Width and Height are in pixels, cropping applied.
	Width, Height int
}

// ParseH264SPS reads a sequence parameter set: a NAL unit of type 7 with its
// header, without start code (H.264, 7.3.2.1.1).
func ParseH264SPS(nal []byte) (SPS, error) {
	if len(nal) == 0 {
		return SPS{}, fmt.Errorf("h264: sps: %w", ErrTruncated)
	}
	if H264Type(nal) != H264SPS {
		return SPS{}, fmt.Errorf("h264: sps: nal type %d: %w", H264Type(nal), ErrInvalid)
	}
	r := &bitReader{data: nal[1:], escaped: true}
	s := SPS{Profile: int(r.read(8)), Constraints: int(r.read(8)), Level: int(r.read(8))}
	if r.ue() > 31 {
		return SPS{}, fmt.Errorf("h264: sps: id: %w", ErrInvalid)
	}
	chroma := uint32(1)
	if h264HasChroma(s.Profile) {
		var ok bool
		if chroma, ok = h264Chroma(r); !ok {
			return SPS{}, fmt.Errorf("h264: sps: chroma format: %w", ErrInvalid)
		}
	}
	r.ue() // log2_max_frame_num_minus4
	if !h264Order(r) {
		return SPS{}, fmt.Errorf("h264: sps: picture order count: %w", ErrInvalid)
	}
	r.ue()    // max_num_ref_frames
	r.skip(1) // gaps_in_frame_num_value_allowed_flag
	if !s.h264Size(r, chroma) && !r.over {
		return SPS{}, fmt.Errorf("h264: sps: size: %w", ErrInvalid)
	}
	if r.over {
		return SPS{}, fmt.Errorf("h264: sps: %w", ErrTruncated)
	}
	return s, nil
}

func h264HasChroma(profile int) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

// h264Chroma returns ChromaArrayType.
func h264Chroma(r *bitReader) (format uint32, ok bool) {
	format = r.ue()
	if format > 3 {
		return 0, false
	}
	lists := 8
	if format == 3 {
		lists = 12
		if separatePlanes := r.flag(); separatePlanes {
			format = 0
		}
	}
	r.ue()    // bit_depth_luma_minus8
	r.ue()    // bit_depth_chroma_minus8
	r.skip(1) // qpprime_y_zero_transform_bypass_flag
	if matrix := r.flag(); matrix {
		for i := range lists {
			if !r.flag() {
				continue
			}
			size := 16
			if i >= 6 {
				size = 64
			}
			h264ScalingList(r, size)
		}
	}
	return format, true
}

func h264ScalingList(r *bitReader, size int) {
	last, next := int32(8), int32(8)
	for range size {
		if next != 0 {
			next = (last + r.se()) & 0xff
		}
		if next != 0 {
			last = next
		}
		if r.over {
			return
		}
	}
}

func h264Order(r *bitReader) bool {
	switch r.ue() {
	case 0:
		r.ue()
	case 1:
		r.skip(1)
		r.se()
		r.se()
		n := r.ue()
		if n > 255 {
			return false
		}
		for range n {
			r.se()
		}
	case 2:
	default:
		return false
	}
	return true
}

// maxSide bounds pictures to more than any level of any codec allows.
const maxSide = 1 << 16

func (s *SPS) h264Size(r *bitReader, chroma uint32) bool {
	wide, high := r.ue(), r.ue()
	if wide >= maxSide/16 || high >= maxSide/16 {
		return false
	}
	fields := 1
	if framesOnly := r.flag(); !framesOnly {
		fields = 2
		r.skip(1) // mb_adaptive_frame_field_flag
	}
	r.skip(1) // direct_8x8_inference_flag
	s.Width, s.Height = (int(wide)+1)*16, (int(high)+1)*16*fields
	unitX, unitY := cropUnits(chroma)
	return s.crop(r, unitX, unitY*fields)
}

// cropUnits returns the units of the cropping offsets for a ChromaArrayType.
func cropUnits(chroma uint32) (x, y int) {
	switch chroma {
	case 1:
		return 2, 2
	case 2:
		return 2, 1
	}
	return 1, 1
}

// crop reads the cropping rectangle, which both codecs code alike.
func (s *SPS) crop(r *bitReader, unitX, unitY int) bool {
	if !r.flag() {
		return true
	}
	left, right, top, bottom := r.ue(), r.ue(), r.ue(), r.ue()
	if max(left, right, top, bottom) > maxSide {
		return false
	}
	s.Width -= unitX * int(left+right)
	s.Height -= unitY * int(top+bottom)
	return s.Width > 0 && s.Height > 0
}
