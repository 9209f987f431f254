package v4l2

import (
	"sync/atomic"
	"time"
)

// Stats counts what a camera gave since it was opened.
type Stats struct {
	// Frames were read.
	Frames uint64
	// Stale pictures were dropped because there was a newer one.
	Stale uint64
	// Lost pictures never came, by the numbers that the driver gives them:
	// it had no room, or lost them itself.
	Lost uint64
	// Errors are pictures that were damaged or incomplete, and left out.
	Errors uint64
	// Stalls is how often no picture came for [Options.StallTimeout].
	Stalls uint64
	// Reopened is how often the camera was away and came back.
	Reopened uint64
	// Last is when the last picture that was read was taken, zero before.
	Last time.Time
	// Away is why the camera gives no pictures at present, nil while it does.
	Away error
}

type counters struct {
	frames, stale, lost, errors, stalls, reopened atomic.Uint64

	last atomic.Int64 // nanoseconds since 1970
}

// Stats returns the counts so far.
func (c *Camera) Stats() Stats {
	s := Stats{
		Frames:   c.stats.frames.Load(),
		Stale:    c.stats.stale.Load(),
		Lost:     c.stats.lost.Load(),
		Errors:   c.stats.errors.Load(),
		Stalls:   c.stats.stalls.Load(),
		Reopened: c.stats.reopened.Load(),
	}
	if ns := c.stats.last.Load(); ns != 0 {
		s.Last = time.Unix(0, ns)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Away = c.reason
	return s
}

// maxAge is how old a driver's time may make a picture.
const maxAge = 10 * time.Second

// stamp returns the picture's place on the clock, which only grows, and when it
// was taken. A driver without a sensible clock gives the time of reading.
func (c *Camera) stamp(p picture) (time.Duration, time.Time) {
	now := monotonic()
	stamp := p.stamp
	if stamp == 0 || stamp > now || now-stamp > maxAge {
		stamp = now
	}
	captured := time.Now().Add(stamp - now)
	c.stats.last.Store(captured.UnixNano())
	c.clock = max(stamp, c.clock+time.Microsecond)
	return c.clock, captured
}
