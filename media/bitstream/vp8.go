package bitstream

import "fmt"

// ParseVP8 reads the header of a VP8 frame (RFC 6386, 9.1). The size is known
// on key frames.
func ParseVP8(frame []byte) (Picture, error) {
	if len(frame) < 3 {
		return Picture{}, fmt.Errorf("vp8: frame tag: %w", ErrTruncated)
	}
	if frame[0]&1 == 1 {
		return Picture{}, nil
	}
	if len(frame) < 10 {
		return Picture{}, fmt.Errorf("vp8: key frame header: %w", ErrTruncated)
	}
	if frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a {
		return Picture{}, fmt.Errorf("vp8: start code: %w", ErrInvalid)
	}
	// The upper two bits of each ask the player to scale up.
	return Picture{
		Keyframe: true,
		Width:    int(frame[6]) | int(frame[7]&0x3f)<<8,
		Height:   int(frame[8]) | int(frame[9]&0x3f)<<8,
	}, nil
}
