package media

import "time"

const (
	workloadSpan = time.Second
	workloadMost = 0.9 // of the time
)

// workload measures how much of the time is spent on pictures.
type workload struct {
	since      time.Time // the beginning of the span
	began      time.Time // work on a picture
	busy       time.Duration
	overloaded bool // in the last whole span
}

func (w *workload) begin(now time.Time) {
	w.began = now
	if w.since.IsZero() {
		w.since = now
	}
}

func (w *workload) end(now time.Time) {
	w.busy += now.Sub(w.began)
	if span := now.Sub(w.since); span >= workloadSpan {
		w.overloaded = w.busy.Seconds() > workloadMost*span.Seconds()
		w.since, w.busy = now, 0
	}
}
