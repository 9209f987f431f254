package media

import "time"

// thinner leaves pictures out, evenly, to keep a rate. The zero value keeps
// all.
type thinner struct {
	interval time.Duration // from one picture kept to the next, zero for all

	started bool
	last    time.Duration // timestamp of the last picture
	step    time.Duration // from one picture to the next, about
	due     time.Duration // when the next is to be kept
}

// setRate sets how many pictures a second to keep at most, zero for all.
func (t *thinner) setRate(fps float64) {
	interval := time.Duration(0)
	if fps > 0 {
		interval = time.Duration(float64(time.Second) / fps)
	}
	if interval != t.interval {
		t.interval = interval
		t.due = t.last
	}
}

// keep reports whether the picture of the timestamp, which grows, is one to
// keep: of those around a moment that is due, the nearest.
func (t *thinner) keep(timestamp time.Duration) bool {
	if !t.started {
		t.started, t.last, t.due = true, timestamp, timestamp+t.interval
		return true
	}
	step := timestamp - t.last
	t.last = timestamp
	switch {
	case t.step == 0 || step > 4*t.step || 4*step < t.step:
		t.step = step // another rate
	default:
		t.step += (step - t.step) / 8
	}
	if t.interval == 0 {
		return true
	}
	if timestamp+t.step/2 < t.due {
		return false
	}
	if t.due += t.interval; timestamp-t.due > 0 {
		t.due = timestamp + t.interval // moments without a picture are not made up for
	}
	return true
}
