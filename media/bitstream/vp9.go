package bitstream

import "fmt"

const vp9SyncCode = 0x498342

// ParseVP9 reads the uncompressed header of a VP9 frame, or of the first frame
// of a superframe (VP9 bitstream specification, 6.2). The size is known on key
// frames, intra-only frames, and frames that set it anew.
func ParseVP9(frame []byte) (Picture, error) {
	r := &bitReader{data: frame}
	if r.read(2) != 2 {
		if len(frame) == 0 {
			return Picture{}, fmt.Errorf("vp9: header: %w", ErrTruncated)
		}
		return Picture{}, fmt.Errorf("vp9: frame marker: %w", ErrInvalid)
	}
	profile := r.read(1) | r.read(1)<<1
	if profile == 3 && r.flag() {
		return Picture{}, fmt.Errorf("vp9: profile: %w", ErrInvalid)
	}
	var p Picture
	var err error
	if showExisting := r.flag(); !showExisting {
		p.Keyframe = !r.flag()
		show, resilient := r.flag(), r.flag()
		if p.Keyframe {
			err = p.vp9Key(r, profile)
		} else {
			err = p.vp9Inter(r, profile, show, resilient)
		}
	}
	if err == nil && r.over {
		err = fmt.Errorf("vp9: header: %w", ErrTruncated)
	}
	if err != nil {
		return Picture{}, err
	}
	return p, nil
}

func (p *Picture) vp9Key(r *bitReader, profile uint32) error {
	if err := vp9Sync(r); err != nil {
		return err
	}
	if err := vp9Color(r, profile); err != nil {
		return err
	}
	p.vp9Size(r)
	return nil
}

func (p *Picture) vp9Inter(r *bitReader, profile uint32, show, resilient bool) error {
	intraOnly := !show && r.flag()
	if !resilient {
		r.skip(2) // reset_frame_context
	}
	if intraOnly {
		if err := vp9Sync(r); err != nil {
			return err
		}
		if profile > 0 {
			if err := vp9Color(r, profile); err != nil {
				return err
			}
		}
		r.skip(8) // refresh_frame_flags
		p.vp9Size(r)
		return nil
	}
	r.skip(8 + 3*(3+1)) // refresh_frame_flags; three references with sign bias
	for range 3 {
		if foundRef := r.flag(); foundRef {
			return nil // as large as a frame that came earlier
		}
	}
	p.vp9Size(r)
	return nil
}

func vp9Sync(r *bitReader) error {
	if r.read(24) != vp9SyncCode && !r.over {
		return fmt.Errorf("vp9: sync code: %w", ErrInvalid)
	}
	return nil
}

func vp9Color(r *bitReader, profile uint32) error {
	if profile >= 2 {
		r.skip(1) // bit depth
	}
	const rgb = 7
	space := r.read(3)
	switch {
	case space != rgb:
		r.skip(1) // range
		if profile&1 == 1 {
			r.skip(3) // subsampling
		}
	case profile&1 == 1:
		r.skip(1)
	default:
		return fmt.Errorf("vp9: color space: %w", ErrInvalid)
	}
	return nil
}

func (p *Picture) vp9Size(r *bitReader) {
	p.Width = int(r.read(16)) + 1
	p.Height = int(r.read(16)) + 1
}
