package timeline_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/parley-rtc/parley/internal/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The events of these tests: people join and leave, someone speaks loudest,
// and the end comes.
type (
	event   any
	joined  struct{ who int }
	left    struct{ who int }
	speaker struct{ who int }
	closed  struct{}
)

func gauge(e event) (any, bool) {
	_, ok := e.(speaker)
	return "speaker", ok
}

func all(e event) (event, bool) { return e, true }

// meeting is an owner as a room is one: its state and its log change
// together.
type meeting struct {
	mu      sync.Mutex
	present []int
	log     *timeline.Log[event]
	events  timeline.Memo[event]
	joined  timeline.Memo[joined]
}

func newMeeting(opts timeline.Options[event]) *meeting {
	return &meeting{log: timeline.New(opts)}
}

func (m *meeting) join(who int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.present = append(m.present, who)
	m.log.Append(joined{who})
}

func (m *meeting) leave(who int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.present = slices.DeleteFunc(m.present, func(p int) bool { return p == who })
	m.log.Append(left{who})
}

func (m *meeting) append(events ...event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log.Append(events...)
}

func (m *meeting) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log.End(closed{})
}

func (m *meeting) now() []event {
	var events []event
	for _, who := range m.present {
		events = append(events, joined{who})
	}
	return events
}

func (m *meeting) Events() <-chan event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events.Get(func() <-chan event { return timeline.View(m.log, m.now, all) })
}

func (m *meeting) Joined() <-chan joined {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.joined.Get(func() <-chan joined { return timeline.View(m.log, m.now, timeline.As[event, joined]) })
}

func (m *meeting) view(match func(event) (event, bool)) <-chan event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return timeline.View(m.log, m.now, match)
}

func read[T any](ch <-chan T) []T {
	var got []T
	for e := range ch {
		got = append(got, e)
	}
	return got
}

func TestE01OneTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		first, second := m.view(all), m.view(all)
		var writers sync.WaitGroup
		for w := range 8 {
			writers.Go(func() {
				for i := range 100 {
					m.join(w*100 + i)
					m.leave(w*100 + i)
				}
			})
		}
		var got []event
		var reader sync.WaitGroup
		reader.Go(func() { got = read(first) })
		writers.Wait()
		m.end()
		require.Equal(t, read(second), func() []event { reader.Wait(); return got }(), "every whole view tells one order")
		require.Len(t, got, 8*100*2+1)
		for who := range 800 {
			require.Less(t, slices.Index(got, event(joined{who})), slices.Index(got, event(left{who})))
		}
	})
}

func TestE02StateFirstThenEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		ch := m.Joined()
		var reader sync.WaitGroup
		reader.Go(func() {
			for e := range ch {
				m.mu.Lock()
				present := slices.Contains(m.present, e.who)
				m.mu.Unlock()
				if !present {
					t.Errorf("read that %d joined before the state said so", e.who)
				}
			}
		})
		for who := range 500 {
			m.join(who)
		}
		m.end()
		reader.Wait()
	})
}

func TestE03ViewsAreSubsequences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		whole, typed := m.Events(), m.Joined()
		even := m.view(func(e event) (event, bool) {
			j, ok := e.(joined)
			return e, ok && j.who%2 == 0
		})
		for who := range 50 {
			m.join(who)
			if who%3 == 0 {
				m.leave(who)
			}
		}
		m.end()
		var wantTyped []joined
		var wantEven []event
		for _, e := range read(whole) {
			if j, ok := e.(joined); ok {
				wantTyped = append(wantTyped, j)
				if j.who%2 == 0 {
					wantEven = append(wantEven, e)
				}
			}
		}
		require.Len(t, wantTyped, 50)
		require.Equal(t, wantTyped, read(typed))
		require.Equal(t, wantEven, read(even))
	})
}

func TestE04StartsWithThePresent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		m.join(1)
		m.join(2)
		m.leave(1)
		m.join(3)
		ch := m.Events()
		m.join(4)
		m.leave(3)
		m.end()
		require.Equal(t, []event{joined{2}, joined{3}, joined{4}, left{3}, closed{}}, read(ch))
	})
}

// A view opened in the middle of changes has neither gap nor repetition: who
// is present by its events is who is present.
func TestE04JoinsThePresentToTheLivePart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for i := range 300 {
					m.join(w*1000 + i)
					if i%2 == 0 {
						m.leave(w*1000 + i)
					}
				}
			})
		}
		var views []<-chan event
		for range 20 {
			views = append(views, m.view(all))
			runtime.Gosched()
		}
		writers.Wait()
		m.end()
		for _, ch := range views {
			present := map[int]bool{}
			for e := range ch {
				switch e := e.(type) {
				case joined:
					require.False(t, present[e.who], "%d joined twice", e.who)
					present[e.who] = true
				case left:
					require.True(t, present[e.who], "%d left without having joined", e.who)
					delete(present, e.who)
				}
			}
			require.Len(t, present, len(m.present))
		}
	})
}

func TestE05SameChannelEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		m.join(1)
		ch := m.Events()
		m.end()
		require.Equal(t, ch, m.Events())
		require.Equal(t, []event{joined{1}, closed{}}, read(ch))
		require.Equal(t, ch, m.Events(), "also when it is over")
		var none timeline.Memo[joined]
		require.NotNil(t, none.Get(func() <-chan joined { return make(chan joined) }))
	})
}

func TestE07NeverBlocksNeverDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var warnings []int
		overflows := 0
		m := newMeeting(timeline.Options[event]{
			Warn: func(view string, waiting int) {
				if view == "timeline_test.joined" {
					warnings = append(warnings, waiting)
				}
			},
			Overflow: func() { overflows++ },
		})
		typed, whole := m.Joined(), m.Events()
		for who := range 70_000 {
			m.append(joined{who}) // nobody reads
		}
		require.Equal(t, []int{1000, 2000, 4000, 8000, 16000, 32000, 64000}, warnings)
		require.Equal(t, 1, overflows, "once, not for each view or event")
		m.end()
		for _, ch := range []int{len(read(typed)), len(read(whole)) - 1} {
			require.Equal(t, 70_000, ch)
		}
		require.Zero(t, m.log.Discarded())
	})
}

func TestE07WarnsAfreshWhenReadEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var warnings []int
		m := newMeeting(timeline.Options[event]{WarnAt: 10, Warn: func(_ string, n int) { warnings = append(warnings, n) }})
		ch := m.Events()
		for range 2 {
			for who := range 25 {
				m.append(joined{who})
			}
			for range 25 {
				<-ch
			}
			synctest.Wait()
		}
		require.Equal(t, []int{10, 20, 10, 20}, warnings)
		m.end()
		<-ch
	})
}

func TestE07OverflowInOneViewOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		overflows := 0
		m := newMeeting(timeline.Options[event]{Limit: 100, Overflow: func() { overflows++ }})
		m.view(func(e event) (event, bool) { return nil, false })
		for who := range 99 {
			m.append(joined{who})
		}
		ch := m.Events()
		for who := range 99 {
			m.append(joined{who})
		}
		require.Zero(t, overflows)
		m.append(joined{0})
		require.Equal(t, 1, overflows)
		m.end()
		require.Len(t, read(ch), 101)
	})
}

func TestGaugesKeepTheNewestAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{Coalesce: gauge})
		ch := m.Events()
		m.append(speaker{1}) // at the head, offered already
		synctest.Wait()
		m.append(joined{1}, speaker{2}, joined{2}, speaker{3})
		m.append(left{2})
		synctest.Wait()
		require.Equal(t, joined{1}, <-ch)
		m.end()
		require.Equal(t, []event{joined{2}, speaker{3}, left{2}, closed{}}, read(ch))
	})
}

func TestGaugesAloneDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		overflows := 0
		m := newMeeting(timeline.Options[event]{Coalesce: gauge, Limit: 10, Overflow: func() { overflows++ }})
		ch := m.Events()
		m.append(joined{1})
		for who := range 1000 {
			m.append(speaker{who})
		}
		m.end()
		require.Equal(t, []event{joined{1}, speaker{999}, closed{}}, read(ch))
		require.Zero(t, overflows)
	})
}

func TestE08EndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		ch, typed := m.Events(), m.Joined()
		m.join(1)
		m.end()
		m.end()
		m.append(joined{2})
		require.Equal(t, []event{joined{1}, closed{}}, read(ch), "nothing follows the last event")
		require.Equal(t, []joined{{1}}, read(typed))
		m.log.Wait()
	})
}

func TestE08OpenedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		m.join(1)
		m.end()
		require.Equal(t, []event{joined{1}, closed{}}, read(m.Events()))
		require.Equal(t, []joined{{1}}, read(m.Joined()))
		require.Empty(t, read(m.view(func(event) (event, bool) { return nil, false })))
		m.log.Wait()
	})
}

func TestE08WaitsForNobodysReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		ch := m.Events()
		m.join(1)
		start := time.Now()
		m.end()
		require.Zero(t, time.Since(start))
		m.log.Wait()
		require.Equal(t, time.Second, time.Since(start), "grace without any reader")
		require.Empty(t, read(ch))
		require.Equal(t, 2, m.log.Discarded())
	})
}

func TestE08UnreadStaysWhileTheReaderMakesProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		slow, fast := m.Events(), m.Joined()
		for who := range 10 {
			m.join(who)
		}
		m.end()
		start := time.Now()
		require.Len(t, read(fast), 10)
		for who := range 7 {
			time.Sleep(900 * time.Millisecond)
			require.Equal(t, joined{who}, <-slow)
		}
		last := time.Now()
		m.log.Wait()
		require.Equal(t, 6300*time.Millisecond, last.Sub(start))
		require.Equal(t, time.Second, time.Since(last))
		require.Equal(t, 4, m.log.Discarded(), "three joined, one closed")
		_, open := <-slow
		require.False(t, open)
	})
}

func TestE08GraceCountsFromTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{Grace: 3 * time.Second})
		ch := m.Events()
		m.join(1)
		time.Sleep(time.Hour)
		m.end()
		time.Sleep(3*time.Second - 1)
		require.Equal(t, joined{1}, <-ch)
		m.log.Wait()
		require.Equal(t, 1, m.log.Discarded())
	})
}

// TestE08FromTheReader ends the log from the goroutine that reads it.
func TestE08FromTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		ch := m.Events()
		m.join(1)
		var got []event
		for e := range ch {
			got = append(got, e)
			m.end()
		}
		require.Equal(t, []event{joined{1}, closed{}}, got)
	})
}

func TestPartEndsBeforeTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		about := func(who int) <-chan event {
			m.mu.Lock()
			defer m.mu.Unlock()
			return timeline.ViewUntil(m.log, m.now, func(e event) (event, bool) {
				return e, e == event(joined{who}) || e == event(left{who})
			}, func(e event) bool { return e == event(left{who}) })
		}
		m.join(1)
		m.join(2)
		one, two, unread := about(1), about(2), about(1)
		m.leave(1)
		m.append(joined{1}) // somebody else by the same number
		require.Equal(t, []event{joined{1}, left{1}}, read(one))
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, read(unread), "grace counts from the part's own end")
		require.Equal(t, 2, m.log.Discarded())
		m.end()
		require.Equal(t, []event{joined{2}}, read(two))
		m.log.Wait()
	})
}

func TestPartThatEndsWithThePresent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := timeline.New(timeline.Options[event]{})
		present := func() []event { return []event{joined{1}, left{1}, joined{2}} }
		last := func(e event) bool { return e == event(left{1}) }
		require.Equal(t, []event{joined{1}, left{1}}, read(timeline.ViewUntil(log, present, all, last)))
		log.End(closed{})
		require.Equal(t, []event{joined{1}, left{1}}, read(timeline.ViewUntil(log, present, all, last)))
		require.Equal(t, []event{closed{}}, read(timeline.View(log, nil, all)))
	})
}

func TestReaderThatKeepsUpHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeeting(timeline.Options[event]{})
		var views []<-chan event
		for range 100 {
			views = append(views, m.view(all))
		}
		require.Zero(t, m.log.Pumps())
		m.join(1)
		require.Equal(t, 100, m.log.Pumps(), "one pump for each view in which something waits")
		for _, ch := range views {
			<-ch
		}
		synctest.Wait()
		require.Zero(t, m.log.Pumps())
		var readers sync.WaitGroup
		for _, ch := range views {
			readers.Go(func() { read(ch) })
		}
		synctest.Wait()
		m.join(2)
		require.Zero(t, m.log.Pumps(), "handed over at once")
		m.end()
		readers.Wait()
	})
}

func TestDeliveredEventsAreReleased(t *testing.T) {
	log := timeline.New(timeline.Options[*[1024]byte]{})
	ch := timeline.View(log, nil, func(e *[1024]byte) (*[1024]byte, bool) { return e, true })
	var refs []weak.Pointer[[1024]byte]
	for range 100 {
		e := new([1024]byte)
		refs = append(refs, weak.Make(e))
		log.Append(e)
	}
	for range 99 {
		<-ch
	}
	// The last one still waits, and the log goes on.
	alive := func() (n int) {
		runtime.GC()
		for _, ref := range refs {
			if ref.Value() != nil {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return alive() == 1 }, 10*time.Second, time.Millisecond)
	log.End()
	<-ch
	log.Wait()
	require.Eventually(t, func() bool { return alive() == 0 }, 10*time.Second, time.Millisecond)
}

func ExampleView() {
	log := timeline.New(timeline.Options[any]{})
	numbers := timeline.View(log, nil, timeline.As[any, int])
	log.Append(1, "two", 3)
	log.End()
	for n := range numbers {
		fmt.Println(n)
	}
	// Output:
	// 1
	// 3
}
