package sfu

import "sync"

// actor runs functions one after the other on one goroutine: whoever wants to
// change what it owns posts a function and leaves. The inbox is not bounded;
// what comes from outside is bounded before it is posted.
type actor struct {
	poke chan struct{} // one slot: something was posted
	gone chan struct{} // closed when the loop has ended

	mu      sync.Mutex
	queue   []func()
	stopped bool
}

func newActor() actor {
	return actor{poke: make(chan struct{}, 1), gone: make(chan struct{})}
}

// post queues f. It reports false when the actor has stopped; otherwise f runs,
// whatever happens.
func (a *actor) post(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return false
	}
	a.queue = append(a.queue, f)
	a.wake()
	return true
}

// do posts f and waits until it has run. It must not be called from the loop of
// an actor that the other one waits for: rooms wait for nobody.
func (a *actor) do(f func()) bool {
	done := make(chan struct{})
	if !a.post(func() { f(); close(done) }) {
		return false
	}
	<-done
	return true
}

func (a *actor) wake() {
	select {
	case a.poke <- struct{}{}:
	default:
	}
}

// stop lets nothing more in; what is queued still runs.
func (a *actor) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	a.wake()
}

// turn runs what is queued, and reports false when that was the last of it.
func (a *actor) turn() (more bool) {
	a.mu.Lock()
	batch := a.queue
	a.queue = nil
	last := a.stopped
	a.mu.Unlock()
	for _, f := range batch {
		f()
	}
	return !last
}
