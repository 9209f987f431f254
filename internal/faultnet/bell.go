package faultnet

import "time"

// bell wakes everybody who waits for a change of some state. The lock that
// guards the state guards the bell. Waiting on its channel lets the time of a
// synctest bubble advance, which waiting for a lock would not.
type bell struct{ ch chan struct{} }

func newBell() bell { return bell{make(chan struct{})} }

// wait returns the channel that the next ring closes.
func (b *bell) wait() <-chan struct{} { return b.ch }

func (b *bell) ring() {
	close(b.ch)
	b.ch = make(chan struct{})
}

// await waits for wake or, if it is not zero, the time until.
func await(wake <-chan struct{}, until time.Time) {
	if until.IsZero() {
		<-wake
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	}
}

func passed(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Before(deadline)
}

// sooner returns the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
