package frame

import "time"

// OpusDuration tells how long an Opus packet lasts (RFC 6716 3.1, 3.2).
func OpusDuration(b []byte) (time.Duration, error) {
	if len(b) == 0 {
		return 0, malformed("empty Opus packet")
	}
	count := 1
	switch b[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(b) < 2 || b[1]&0x3f == 0 {
			return 0, malformed("Opus packet without frame count")
		}
		count = int(b[1] & 0x3f)
	}
	d := time.Duration(count) * opusFrame(b[0]>>3)
	if d > 120*time.Millisecond {
		return 0, malformed("Opus packet of %v", d)
	}
	return d, nil
}

func opusFrame(config byte) time.Duration {
	const ms = time.Millisecond
	switch {
	case config < 12:
		return [4]time.Duration{10 * ms, 20 * ms, 40 * ms, 60 * ms}[config&3]
	case config < 16:
		return [2]time.Duration{10 * ms, 20 * ms}[config&1]
	default:
		return [4]time.Duration{ms * 5 / 2, 5 * ms, 10 * ms, 20 * ms}[config&3]
	}
}

// OpusStereo reports whether the packet is coded in stereo.
func OpusStereo(b []byte) bool { return len(b) > 0 && b[0]&4 != 0 }
