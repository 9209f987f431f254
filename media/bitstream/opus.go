package bitstream

import (
	"fmt"
	"time"
)

// OpusDuration returns how long an Opus packet plays, from its first bytes
// (RFC 6716, 3.1).
func OpusDuration(packet []byte) (time.Duration, error) {
	if len(packet) == 0 {
		return 0, fmt.Errorf("opus: packet: %w", ErrTruncated)
	}
	frames := 2
	switch packet[0] & 3 {
	case 0:
		frames = 1
	case 3:
		if len(packet) < 2 {
			return 0, fmt.Errorf("opus: frame count: %w", ErrTruncated)
		}
		frames = int(packet[1] & 0x3f)
	}
	d := time.Duration(frames) * opusFrame(packet[0]>>3)
	if frames == 0 || d > 120*time.Millisecond {
		return 0, fmt.Errorf("opus: %d frames: %w", frames, ErrInvalid)
	}
	return d, nil
}

// opusFrame returns the length of one frame (RFC 6716, table 2).
func opusFrame(config byte) time.Duration {
	switch {
	case config < 12: // SILK
		return time.Duration([...]int{10, 20, 40, 60}[config&3]) * time.Millisecond
	case config < 16: // hybrid
		return time.Duration([...]int{10, 20}[config&1]) * time.Millisecond
	}
	return 2500 * time.Microsecond << (config & 3) // CELT
}
