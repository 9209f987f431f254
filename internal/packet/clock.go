package packet

import (
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/parley-rtc/parley/media"
)

// Clock maps sample timestamps to RTP timestamps. Each is computed from the
// absolute time, so roundings never add up.
type Clock struct {
	rate  int64
	start uint32
}

// NewClock returns a clock at the codec's rate that starts at a random RTP
// timestamp, as RFC 3550, 5.1 asks.
func NewClock(codec media.Codec) Clock {
	return NewClockAt(codec, rand.Uint32())
}

// NewClockAt returns a clock that maps zero to start.
func NewClockAt(codec media.Codec, start uint32) Clock {
	return Clock{rate: int64(codec.ClockRate()), start: start}
}

// RTP returns the RTP timestamp of a sample timestamp, rounded to the nearest
// tick.
func (c Clock) RTP(at time.Duration) uint32 {
	return c.start + uint32(ticks(at, c.rate)) //nolint:gosec // RTP time wraps.
}

// ticks converts to clock ticks, to the nearest, for the whole range of
// time.Duration.
func ticks(d time.Duration, rate int64) int64 {
	return scale(int64(d), rate, int64(time.Second))
}

// duration is the inverse of ticks; the way there and back is exact for clock
// rates below 500 MHz.
func duration(t, rate int64) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(scale(t, int64(time.Second), rate))
}

// scale returns v*num/den, rounded to the nearest, with an intermediate product
// of 128 bits. A quotient past 64 bits gives the largest value.
func scale(v, num, den int64) int64 {
	neg := v < 0
	u := uint64(v)
	if neg {
		u = -u
	}
	hi, lo := bits.Mul64(u, uint64(num))
	lo, carry := bits.Add64(lo, uint64(den/2), 0)
	hi += carry
	if hi >= uint64(den) {
		hi, lo = uint64(den)-1, 0
	}
	q, _ := bits.Div64(hi, lo, uint64(den))
	q = min(q, 1<<63-1)
	if neg {
		return -int64(q)
	}
	return int64(q)
}
