package frame

// Info is what the header of a frame tells about it.
type Info struct {
	// Keyframe is true when a decoder can start here.
	Keyframe bool
	// Width and Height are the picture's size, given on key frames.
	Width, Height int
}

// VP8 reads the frame tag and, on key frames, the size (RFC 6386 9.1).
func VP8(b []byte) (Info, error) {
	if len(b) < 3 {
		return Info{}, malformed("VP8 frame of %d bytes", len(b))
	}
	if b[0]&1 == 1 {
		return Info{}, nil
	}
	if len(b) < 10 || b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
		return Info{}, malformed("VP8 key frame without start code")
	}
	info := Info{
		Keyframe: true,
		Width:    int(b[7]&0x3f)<<8 | int(b[6]),
		Height:   int(b[9]&0x3f)<<8 | int(b[8]),
	}
	if info.Width == 0 || info.Height == 0 {
		return Info{}, malformed("VP8 key frame of %dx%d", info.Width, info.Height)
	}
	return info, nil
}

// VP9Info is what the uncompressed header of a VP9 frame tells.
type VP9Info struct {
	Info
	Profile, BitDepth int
	// Subsampling is 0 for 4:2:0, 1 for 4:2:0 collocated, 2 for 4:2:2 and 3
	// for 4:4:4, as in the vpcC record.
	Subsampling int
}

// VP9 reads the uncompressed header (VP9 6.2). For a superframe that is the
// header of its first frame.
func VP9(b []byte) (VP9Info, error) {
	r := &bits{b: b}
	if r.u(2) != 2 {
		return VP9Info{}, malformed("VP9 frame marker missing")
	}
	info := VP9Info{BitDepth: 8}
	info.Profile = int(r.bit() | r.bit()<<1)
	if info.Profile == 3 && r.flag() {
		return VP9Info{}, malformed("VP9 profile above 3")
	}
	if r.flag() { // show_existing_frame
		r.skip(3)
		return info, short(r, "VP9")
	}
	inter := r.flag()
	r.skip(2) // show_frame, error_resilient_mode
	if inter {
		return info, short(r, "VP9")
	}
	if r.u(24) != 0x498342 {
		return VP9Info{}, malformed("VP9 key frame without sync code")
	}
	vp9Color(r, &info)
	info.Keyframe = true
	info.Width = int(r.u(16)) + 1
	info.Height = int(r.u(16)) + 1
	if err := short(r, "VP9"); err != nil {
		return VP9Info{}, err
	}
	if info.Width > maxSide || info.Height > maxSide {
		return VP9Info{}, malformed("VP9 key frame of %dx%d", info.Width, info.Height)
	}
	return info, nil
}

func vp9Color(r *bits, info *VP9Info) {
	if info.Profile >= 2 {
		info.BitDepth = 10 + 2*int(r.bit())
	}
	const rgb = 7
	odd := info.Profile&1 == 1
	info.Subsampling = 1
	if r.u(3) == rgb {
		info.Subsampling = 3
		if odd {
			r.skip(1)
		}
		return
	}
	r.skip(1) // color_range
	if odd {
		x, y := r.flag(), r.flag()
		r.skip(1)
		switch {
		case x && !y:
			info.Subsampling = 2
		case !x:
			info.Subsampling = 3
		}
	}
}

func short(r *bits, what string) error {
	if r.short {
		return malformed("%s header cut off", what)
	}
	return nil
}
