package roomtest

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// How long the readers of events wait for each: real time, and that of a
// bubble, where it costs nothing.
const (
	realPatience    = 10 * time.Second
	virtualPatience = 2 * time.Minute
)

func patience() time.Duration {
	if inBubble() {
		return virtualPatience
	}
	return realPatience
}

// Next returns the next event of type T and skips those of other types:
//
//	joined := roomtest.Next[parley.ParticipantConnected](t, room.Events())
//
// It waits 10 s, or in a bubble 2 min of its time, and fails the test when
// none comes or the channel closes.
func Next[T, E any](tb testing.TB, events <-chan E) T {
	tb.Helper()
	var found T
	read(tb, events, Is[T]().name, func(e E) bool {
		t, ok := any(e).(T)
		if ok {
			found = t
		}
		return ok
	})
	return found
}

// Matcher says which event is expected; see Is.
type Matcher struct {
	name string
	fits func(event any) bool
}

// Is expects an event of type T that meets all conditions.
//
//	roomtest.Is[parley.Reconnected]()
//	roomtest.Is(func(e parley.ParticipantConnected) bool { return e.Participant.Identity() == "bob" })
func Is[T any](conditions ...func(T) bool) Matcher {
	name := reflect.TypeFor[T]().String()
	if len(conditions) > 0 {
		name += " that meets the condition"
	}
	return Matcher{name, func(event any) bool {
		t, ok := event.(T)
		for _, meets := range conditions {
			ok = ok && meets(t)
		}
		return ok
	}}
}

// Expect reads until it has seen an event for each matcher, in their order, and
// returns those events. Other events may come before and between.
func Expect[E any](tb testing.TB, events <-chan E, want ...Matcher) []E {
	tb.Helper()
	var found []E
	for i, m := range want {
		what := fmt.Sprintf("%s (%d of %d expected)", m.name, i+1, len(want))
		found = append(found, read(tb, events, what, func(e E) bool { return m.fits(e) }))
	}
	return found
}

// Exactly reads one event for each matcher, in their order, and fails the test
// at any other event. It does not look at what comes behind them; Quiet and
// Rest do.
func Exactly[E any](tb testing.TB, events <-chan E, want ...Matcher) []E {
	tb.Helper()
	var found []E
	for i, m := range want {
		what := fmt.Sprintf("%s (%d of %d expected)", m.name, i+1, len(want))
		e := read(tb, events, what, func(E) bool { return true })
		if !m.fits(e) {
			tb.Fatalf("roomtest: got %s, want %s\n%s", describe(e), what, journalOf(tb, events))
		}
		found = append(found, e)
	}
	return found
}

// Quiet fails the test when an event comes within d. It is made for bubbles,
// where it takes no time; elsewhere it waits for d. A channel that closes is
// quiet.
func Quiet[E any](tb testing.TB, events <-chan E, d time.Duration) {
	tb.Helper()
	j := journalOf(tb, events)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case e, open := <-events:
		if open {
			j.note(e)
			tb.Fatalf("roomtest: got %s, want no event for %v\n%s", describe(e), d, j)
		}
	case <-timer.C:
	}
}

// Rest reads the channel to its end and returns what came, all of it.
func Rest[E any](tb testing.TB, events <-chan E) []E {
	tb.Helper()
	j := journalOf(tb, events)
	timer := time.NewTimer(patience())
	defer timer.Stop()
	var rest []E
	for {
		select {
		case e, open := <-events:
			if !open {
				return rest
			}
			j.note(e)
			rest = append(rest, e)
		case <-timer.C:
			tb.Fatalf("roomtest: the events have not ended within %v\n%s", patience(), j)
		}
	}
}

// read returns the next event that fits.
func read[E any](tb testing.TB, events <-chan E, what string, fits func(E) bool) E {
	tb.Helper()
	j := journalOf(tb, events)
	timer := time.NewTimer(patience())
	defer timer.Stop()
	for {
		select {
		case e, open := <-events:
			if !open {
				tb.Fatalf("roomtest: the events have ended without %s\n%s", what, j)
			}
			j.note(e)
			if fits(e) {
				return e
			}
		case <-timer.C:
			tb.Fatalf("roomtest: no %s within %v\n%s", what, patience(), j)
		}
	}
}
