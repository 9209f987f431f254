package rtc

import (
	"sync"
	"time"
)

// ntpEpoch is how many seconds lie between 1900, where the time of RFC 3550,
// section 4 begins, and 1970.
const ntpEpoch = 2208988800

// ntp turns a time into RFC 3550's 64-bit form.
func ntp(t time.Time) uint64 {
	return uint64(t.Unix()+ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// ntpTime is the inverse of ntp.
func ntpTime(n uint64) time.Time {
	return time.Unix(int64(n>>32)-ntpEpoch, int64(n&0xffffffff*1e9>>32))
}

func ntpMiddle(t time.Time) uint32 { return uint32(ntp(t) >> 16) }

// A step of the other side's clock by more than this is believed at once.
const clockStep = time.Second

// remoteClock tells what the other side's clock shows, from its sender reports.
// The report that took the shortest way tells best; a clock that runs at
// another pace is followed slowly. All streams of a connection share it, so
// that what it gets wrong does not take them out of step.
type remoteClock struct {
	mu     sync.Mutex
	known  bool
	offset time.Duration // ours minus theirs
}

// observe takes note of a report that was sent at a time of theirs and has
// arrived at one of ours.
func (c *remoteClock) observe(sent, arrived time.Time, rtt time.Duration) {
	offset := arrived.Sub(sent) - rtt/2
	c.mu.Lock()
	defer c.mu.Unlock()
	switch d := offset - c.offset; {
	case !c.known, d < 0, d > clockStep:
		c.known, c.offset = true, offset
	default:
		c.offset += d / 64
	}
}

// local returns our time for one of theirs. It keeps now's monotonic reading.
func (c *remoteClock) local(theirs, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Add(theirs.Add(c.offset).Sub(now))
}
