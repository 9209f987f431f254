package packet

import "time"

// maxLead is how far RTP time may run ahead of arrival time between two frames
// before it is taken for a new clock.
const maxLead = 10 * time.Second

// unwrapper turns RTP timestamps of 32 bits into sample timestamps, which only
// grow.
type unwrapper struct {
	rate    int64
	begun   bool
	rtp     uint32
	at      int64 // ticks
	arrival time.Time
}

// next returns the sample timestamp of a frame that arrived at the given time.
// The first frame is at its RTP timestamp. When the sender starts a new clock,
// time goes on by what passed between the arrivals.
func (u *unwrapper) next(rtp uint32, arrival time.Time) time.Duration {
	if !u.begun {
		u.begun, u.at = true, int64(rtp)
	} else {
		step := int64(int32(rtp - u.rtp)) //nolint:gosec // The difference wraps.
		passed := max(0, ticks(arrival.Sub(u.arrival), u.rate))
		switch {
		case 0 < step && step <= passed+ticks(maxLead, u.rate):
		case -u.rate < step && step <= 0:
			step = 1 // frames out of presentation order
		default:
			step = max(1, passed)
		}
		u.at += step
	}
	u.rtp, u.arrival = rtp, arrival
	return duration(u.at, u.rate)
}
