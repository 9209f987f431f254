// Package timeline is the machinery behind event channels: one ordered log of
// events, and typed views of it that programs read as channels.
//
// The owner of the log holds a lock of its own around its state. Under that
// lock it changes the state and appends the events that tell the change, and
// under it, too, it opens views. That is what joins a view's beginning, the
// present told as events, to its live part without gap or repetition:
//
//	r.mu.Lock()
//	r.participants[p.sid] = p
//	r.log.Append(ParticipantConnected{p})
//	r.mu.Unlock()
//
//	func (r *Room) ParticipantConnected() <-chan ParticipantConnected {
//		r.mu.Lock()
//		defer r.mu.Unlock()
//		return r.connected.Get(func() <-chan ParticipantConnected {
//			return timeline.View(r.log, r.present, timeline.As[Event, ParticipantConnected])
//		})
//	}
//
// A view that is never opened costs nothing, and one whose reader keeps up
// has no goroutine.
package timeline

import (
	"sync"
	"time"
)

// The defaults of [Options].
const (
	DefaultWarnAt = 1000
	DefaultLimit  = 65536
	DefaultGrace  = time.Second
)

// Options say how a log treats slow readers. The zero value is usable.
type Options[E any] struct {
	// Coalesce names the gauges: an event for which ok is true replaces the
	// one with the same key that still waits in a view, and takes its own
	// place at the end. Nil: no event is a gauge.
	Coalesce func(e E) (key any, ok bool)

	// Warn is called when WarnAt events wait in a view, and at each doubling
	// of that. The view is named by its element type. Having been read empty,
	// a view warns afresh.
	//
	// Overflow is called once in the life of a log, when Limit events wait in
	// a view. The log goes on taking events, so the owner has to end it.
	//
	// Both are called by Append, End and View, thus with the owner's lock
	// held: they must not block, nor call the log.
	Warn     func(view string, waiting int)
	Overflow func()

	WarnAt int           // default DefaultWarnAt
	Limit  int           // default DefaultLimit
	Grace  time.Duration // default DefaultGrace
}

// Log is one ordered timeline of events. It keeps no events itself, only
// those that wait in a view.
//
// Its methods can be called from any goroutine and do not block, except Wait.
// The order of events is that of the calls, so callers that need order hold a
// lock of their own around them.
//
// Goroutines: one pump for each view in which events wait. It ends when the
// view has been read empty, or Grace after the last reading of a view that has
// ended. Nothing else waits for readers.
type Log[E any] struct {
	opts Options[E]

	mu         sync.Mutex
	idle       *sync.Cond // ended or pumps changed
	views      map[sink[E]]struct{}
	final      []E
	ended      bool
	overflowed bool
	pumps      int
	discarded  int
}

// sink is a view without its element type. Its methods are called with the
// log's lock held.
type sink[E any] interface {
	// push queues the event if it belongs to the view. ended is true when
	// the view takes no more; waiting is nonzero when that is a number to
	// warn of.
	push(e E, key any, keyed bool) (ended bool, waiting int)
	end()
	name() string
	len() int
}

// New returns an empty log.
func New[E any](opts Options[E]) *Log[E] {
	if opts.WarnAt <= 0 {
		opts.WarnAt = DefaultWarnAt
	}
	if opts.Limit <= 0 {
		opts.Limit = DefaultLimit
	}
	if opts.Grace <= 0 {
		opts.Grace = DefaultGrace
	}
	l := &Log[E]{opts: opts, views: make(map[sink[E]]struct{})}
	l.idle = sync.NewCond(&l.mu)
	return l
}

// Append adds events to the timeline. After End it does nothing.
func (l *Log[E]) Append(events ...E) {
	l.mu.Lock()
	var n notes
	if !l.ended {
		for _, e := range events {
			l.spread(e, &n)
		}
	}
	l.mu.Unlock()
	l.tell(n)
}

// End adds the last events and ends the timeline. What is unread stays there
// for readers that make progress, and Grace beyond; then the channels close. A
// view that is opened later tells the present and these last events. Only the
// first call counts.
func (l *Log[E]) End(last ...E) {
	l.mu.Lock()
	var n notes
	if !l.ended {
		for _, e := range last {
			l.spread(e, &n)
		}
		l.ended = true
		l.final = append([]E(nil), last...)
		for v := range l.views {
			v.end()
		}
		clear(l.views)
		l.idle.Broadcast()
	}
	l.mu.Unlock()
	l.tell(n)
}

// Wait waits until the log has been ended and the channels of all views that
// were opened so far are closed. Ended, that takes no longer than Grace after
// the last reading of any of them.
func (l *Log[E]) Wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.ended || l.pumps > 0 {
		l.idle.Wait()
	}
}

// Discarded counts the events that nobody read before Grace was over, summed
// over all views.
func (l *Log[E]) Discarded() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.discarded
}

// spread gives an event to every view. The lock is held.
func (l *Log[E]) spread(e E, n *notes) {
	if len(l.views) == 0 {
		return
	}
	key, keyed := l.gauge(e)
	for v := range l.views {
		if l.push(v, e, key, keyed, n) {
			delete(l.views, v)
		}
	}
}

// fill gives the events with which a view begins to that view and reports
// whether it has ended with them. The lock is held.
func (l *Log[E]) fill(v sink[E], events []E, n *notes) (ended bool) {
	for _, e := range events {
		key, keyed := l.gauge(e)
		if l.push(v, e, key, keyed, n) {
			return true
		}
	}
	return false
}

func (l *Log[E]) gauge(e E) (key any, keyed bool) {
	if l.opts.Coalesce == nil {
		return nil, false
	}
	return l.opts.Coalesce(e)
}

func (l *Log[E]) push(v sink[E], e E, key any, keyed bool, n *notes) (ended bool) {
	ended, waiting := v.push(e, key, keyed)
	if waiting > 0 {
		n.warnings = append(n.warnings, warning{v.name(), waiting})
	}
	if !l.overflowed && v.len() >= l.opts.Limit {
		l.overflowed = true
		n.overflow = true
	}
	return ended
}

// notes are what the owner has to be told once the log's lock is released.
type notes struct {
	warnings []warning
	overflow bool
}

type warning struct {
	view    string
	waiting int
}

func (l *Log[E]) tell(n notes) {
	if l.opts.Warn != nil {
		for _, w := range n.warnings {
			l.opts.Warn(w.view, w.waiting)
		}
	}
	if n.overflow && l.opts.Overflow != nil {
		l.opts.Overflow()
	}
}
