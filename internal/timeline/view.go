package timeline

import (
	"reflect"
	"time"
)

// View opens a part of the timeline: the events for which match is true, as
// values of the part's own type. The channel tells the events of present
// first, then goes on live from this call; it closes when the log has ended
// and everything is read, or Grace after the last reading.
//
// The caller holds the lock under which it appends, and returns the same
// channel to its own callers each time; see [Memo]. present may be nil. match
// is called later too, by Append, and must not block.
func View[E, T any](l *Log[E], present func() []E, match func(E) (T, bool)) <-chan T {
	return ViewUntil(l, present, match, nil)
}

// ViewUntil opens a part of the timeline that can end before the whole: with
// the first event, present or live, for which last is true. It takes that
// event still, if it matches, and lets go of the log. last may be nil.
func ViewUntil[E, T any](l *Log[E], present func() []E, match func(E) (T, bool), last func(E) bool) <-chan T {
	v := &view[E, T]{log: l, match: match, last: last, ch: make(chan T), warnAt: l.opts.WarnAt}
	var events []E
	if present != nil {
		events = present()
	}
	l.mu.Lock()
	n := v.begin(events)
	l.mu.Unlock()
	l.tell(n)
	return v.ch
}

// As matches the events of one type. It is for views of a sealed event type:
//
//	timeline.View(log, present, timeline.As[Event, ParticipantConnected])
func As[E, T any](e E) (T, bool) {
	t, ok := any(e).(T)
	return t, ok
}

// Memo holds the channel of one accessor, so that each call returns the same.
// The zero value is ready; the owner's lock guards it.
type Memo[T any] struct{ ch <-chan T }

// Get returns the channel, opened by the first call.
func (m *Memo[T]) Get(open func() <-chan T) <-chan T {
	if m.ch == nil {
		m.ch = open()
	}
	return m.ch
}

// view is one part of the timeline with the events that wait in it. The log's
// lock guards everything below match and last.
type view[E, T any] struct {
	log   *Log[E]
	match func(E) (T, bool)
	last  func(E) bool
	ch    chan T

	waiting queue[T]
	ended   bool
	warnAt  int           // the next number of waiting events to warn of
	pumping bool          // a pump runs; true whenever events wait
	changed chan struct{} // pokes the pump: another head, or ended
}

// begin queues the present and joins the log.
func (v *view[E, T]) begin(present []E) (n notes) {
	switch {
	case v.log.fill(v, present, &n):
	case !v.log.ended:
		v.log.views[v] = struct{}{}
	case !v.log.fill(v, v.log.final, &n):
		v.end()
	}
	return n
}

func (v *view[E, T]) name() string { return reflect.TypeFor[T]().String() }

func (v *view[E, T]) len() int { return v.waiting.len }

func (v *view[E, T]) push(e E, key any, keyed bool) (ended bool, waiting int) {
	if value, ok := v.match(e); ok {
		waiting = v.enqueue(value, key, keyed)
	}
	if v.last != nil && v.last(e) {
		v.end()
		return true, waiting
	}
	return false, waiting
}

func (v *view[E, T]) enqueue(value T, key any, keyed bool) (warn int) {
	if !v.pumping {
		// Nothing waits, so a reader that does can have it at once.
		select {
		case v.ch <- value:
			return 0
		default:
		}
	}
	if keyed && v.waiting.remove(key) {
		v.poke()
	}
	v.waiting.push(value, key, keyed)
	if !v.pumping {
		v.pumping = true
		v.log.pumps++
		if v.changed == nil {
			v.changed = make(chan struct{}, 1)
		}
		go v.pump() // until nothing waits, which pumps counts
	}
	if v.waiting.len < v.warnAt {
		return 0
	}
	v.warnAt *= 2
	return v.waiting.len
}

func (v *view[E, T]) end() {
	v.ended = true
	if v.pumping {
		v.poke() // it closes the channel
		return
	}
	close(v.ch)
}

func (v *view[E, T]) poke() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// pump delivers until nothing waits.
func (v *view[E, T]) pump() {
	var grace *time.Timer
	var over <-chan time.Time
	for {
		value, seq, ended, ok := v.next()
		if !ok {
			break
		}
		if ended && grace == nil {
			grace = time.NewTimer(v.log.opts.Grace)
			over = grace.C
		}
		select {
		case v.ch <- value:
			v.delivered(seq)
			if grace != nil {
				grace.Reset(v.log.opts.Grace)
			}
		case <-v.changed:
		case <-over:
			v.discard()
		}
	}
	if grace != nil {
		grace.Stop()
	}
}

// next returns the head of the queue. When there is none, the pump is over
// and has to return.
func (v *view[E, T]) next() (value T, seq uint64, ended, ok bool) {
	v.log.mu.Lock()
	defer v.log.mu.Unlock()
	if head := v.waiting.head; head != nil {
		return head.value, head.seq, v.ended, true
	}
	v.warnAt = v.log.opts.WarnAt
	v.pumping = false
	if v.ended {
		close(v.ch)
	}
	v.log.pumps--
	v.log.idle.Broadcast()
	return value, 0, v.ended, false
}

func (v *view[E, T]) delivered(seq uint64) {
	v.log.mu.Lock()
	defer v.log.mu.Unlock()
	// A gauge may have been replaced while it was being read.
	if head := v.waiting.head; head != nil && head.seq == seq {
		v.waiting.pop()
	}
}

func (v *view[E, T]) discard() {
	v.log.mu.Lock()
	defer v.log.mu.Unlock()
	v.log.discarded += v.waiting.len
	v.waiting = queue[T]{}
}
