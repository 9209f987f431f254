package pipe

import (
	"math"
	"time"
)

const (
	// maxBack and maxAhead are the steps of time, against the clock, that are
	// still taken for the same stream.
	maxBack  = 2 * time.Second
	maxAhead = 10 * time.Second
	// driftWindow is how far back the arrivals are compared.
	driftWindow = 5 * time.Second
)

// timeline places the times of one stream after another, for all its tracks, on
// one scale that only goes on, and finds out when samples were made.
type timeline struct {
	begun   bool
	start   time.Time // arrival of the first sample of all
	end     time.Duration
	fresh   bool          // a stream begins
	offset  time.Duration // from the stream's time to ours
	lastAt  time.Duration // of the stream
	arrival time.Time

	// The quickest of the samples tells best how arrival and time are
	// related: the least difference in this window and the one before.
	least, before time.Duration
	window        time.Time
}

// next notes that another stream begins.
func (t *timeline) next() { t.fresh = true }

// place returns the timestamp of a sample that a stream gives the time at, and
// when it was made, by the clock of its arrival.
func (t *timeline) place(at time.Duration, arrival time.Time) (ts time.Duration, made time.Time) {
	if !t.begun {
		t.begun, t.fresh, t.start = true, true, arrival
	}
	step := at - t.lastAt
	if t.fresh || step < -maxBack || step > arrival.Sub(t.arrival)+maxAhead {
		t.fresh = false
		t.offset = max(arrival.Sub(t.start), t.end) - at
		t.least, t.before, t.window = math.MaxInt64, math.MaxInt64, arrival
	}
	t.lastAt, t.arrival = at, arrival
	ts = at + t.offset
	t.end = max(t.end, ts+time.Millisecond)

	if arrival.Sub(t.window) > driftWindow {
		t.before, t.least, t.window = t.least, math.MaxInt64, arrival
	}
	t.least = min(t.least, arrival.Sub(t.start)-ts)
	return ts, t.start.Add(ts + min(t.least, t.before))
}

// smoother makes times for pictures that carry none, of when they arrive.
type smoother struct {
	fixed   time.Duration // given; zero: to be found out
	n       int
	first   time.Time
	elapsed time.Duration // of the last
	at      time.Duration // given to the last
	period  time.Duration
}

func newSmoother(fps float64) smoother {
	if fps <= 0 {
		return smoother{}
	}
	return smoother{fixed: time.Duration(float64(time.Second) / fps)}
}

func (s *smoother) next(arrival time.Time) time.Duration {
	if s.n == 0 {
		s.n, s.first, s.period = 1, arrival, s.fixed
		return 0
	}
	elapsed := arrival.Sub(s.first)
	const most = 250 * time.Millisecond
	if step := elapsed - s.elapsed; s.fixed == 0 && (s.n == 1 || step < 4*s.period+most) { // no pause
		s.period += (step - s.period) / time.Duration(min(s.n, 16))
	}
	s.n++
	expected := s.at + s.period
	off := elapsed - expected
	at := expected + off/8
	if off.Abs() > max(4*s.period, most) {
		at = elapsed
	}
	s.at = max(at, s.at+time.Millisecond)
	s.elapsed = elapsed
	return s.at
}
