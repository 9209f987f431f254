//go:build e2e

package interop_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
)

// program is a program of this library in the room "lab". It keeps all events.
type program struct {
	*parley.Room
	t *testing.T

	mu     sync.Mutex
	events []parley.Event
	more   chan struct{} // closed when there are more, and made anew
}

// program has a program join and publish tracks.
func (w *world) program(identity string, tracks ...parley.LocalTrack) *program {
	w.t.Helper()
	return w.programWith(identity, &parley.ConnectOptions{Tracks: tracks})
}

func (w *world) programWith(identity string, o *parley.ConnectOptions) *program {
	w.t.Helper()
	o.URL = "ws://" + w.addr + "/signaling"
	room, err := parley.ConnectContext(w.t.Context(), w.token(identity), o)
	require.NoError(w.t, err)
	g := &program{Room: room, t: w.t, more: make(chan struct{})}
	var reader sync.WaitGroup
	reader.Go(func() {
		for e := range room.Events() {
			g.mu.Lock()
			g.events = append(g.events, e)
			close(g.more)
			g.more = make(chan struct{})
			g.mu.Unlock()
		}
	})
	w.t.Cleanup(func() {
		_ = room.Disconnect() // or it has been told already
		reader.Wait()
		if w.t.Failed() {
			for _, e := range g.events {
				w.t.Logf("%s heard %T %v", identity, e, e)
			}
		}
	})
	return g
}

// heard waits for an event of a kind, among all that came since the program
// joined, and returns the first that is wanted.
func heard[E parley.Event](g *program, want func(E) bool) E {
	g.t.Helper()
	limit := time.NewTimer(patience * time.Millisecond)
	defer limit.Stop()
	for next := 0; ; {
		g.mu.Lock()
		events, more := g.events[next:], g.more
		g.mu.Unlock()
		next += len(events)
		for _, e := range events {
			if e, ok := e.(E); ok && want(e) {
				return e
			}
		}
		select {
		case <-more:
		case <-limit.C:
			var e E
			require.FailNow(g.t, "it did not come", "%T", e)
		}
	}
}

// has counts the events of a kind that came so far.
func has[E parley.Event](g *program, want func(E) bool) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		if e, ok := e.(E); ok && want(e) {
			n++
		}
	}
	return n
}

// receives waits for a track of a name, by somebody, and returns it.
func receives[T parley.RemoteTrack](g *program, identity, name string) T {
	g.t.Helper()
	e := heard(g, func(e parley.TrackSubscribed) bool {
		return e.Participant.Identity() == identity && e.Track.Name() == name
	})
	track, ok := e.Track.(T)
	require.True(g.t, ok, "%T", e.Track)
	return track
}
