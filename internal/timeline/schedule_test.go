package timeline_test

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/timeline"
)

var seed = flag.Uint64("seed", 0, "seed of the random schedules; 0: by the clock")

// TestRandomSchedules lets writers, readers of every pace and late openers
// loose on one log, and compares what each view told with the log kept by
// the owner.
func TestRandomSchedules(t *testing.T) {
	start := *seed
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", start)
	for round := range uint64(30) {
		synctest.Test(t, func(t *testing.T) { randomSchedule(t, start+round) })
	}
}

type record struct {
	from    int // events of the owner's log before the view
	residue int // its events are those whose number has it, or all if negative
	got     []event
}

func (r *record) match(e event) (event, bool) {
	j, ok := e.(joined)
	return e, r.residue < 0 || ok && j.who%3 == r.residue
}

func randomSchedule(t *testing.T, seed uint64) {
	var (
		m       = newMeeting(timeline.Options[event]{Coalesce: gauge})
		kept    []event // all that was appended, under m.mu
		records []*record
		writers sync.WaitGroup
		readers sync.WaitGroup
	)
	open := func(rnd *rand.Rand) {
		r := &record{residue: rnd.IntN(4) - 1}
		pace := rnd.IntN(4)
		m.mu.Lock()
		r.from = len(kept)
		ch := timeline.View(m.log, nil, r.match)
		records = append(records, r)
		m.mu.Unlock()
		readers.Go(func() {
			for e := range ch {
				r.got = append(r.got, e)
				for range pace {
					runtime.Gosched()
				}
			}
		})
	}
	for w := range 1 + int(seed%5) {
		rnd := rand.New(rand.NewPCG(seed, uint64(w)))
		writers.Go(func() {
			for i := range 200 {
				switch n := rnd.IntN(20); {
				case n == 0:
					open(rnd)
				case n < 6:
					m.mu.Lock()
					e := speaker{w*200 + i} // no two are equal: compare could not tell them apart
					kept = append(kept, e)
					m.log.Append(e)
					m.mu.Unlock()
				default:
					batch := make([]event, 1+rnd.IntN(3))
					for b := range batch {
						batch[b] = joined{rnd.IntN(1 << 20)}
					}
					m.mu.Lock()
					kept = append(kept, batch...)
					m.log.Append(batch...)
					m.mu.Unlock()
				}
				if rnd.IntN(8) == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	writers.Wait()
	m.end()
	kept = append(kept, closed{})
	readers.Wait()
	m.log.Wait()
	require.Zero(t, m.log.Discarded())
	for _, r := range records {
		compare(t, kept[r.from:], r)
	}
}

// compare checks that a view is a subsequence of the log that lacks nothing
// but gauges that were followed by another.
func compare(t *testing.T, log []event, r *record) {
	t.Helper()
	got := r.got
	for i, e := range log {
		want, ok := r.match(e)
		if !ok {
			continue
		}
		if len(got) > 0 && got[0] == want {
			got = got[1:]
			continue
		}
		_, gauge := e.(speaker)
		require.True(t, gauge, "missing %#v at %d", e, r.from+i)
		newer := false
		for _, later := range log[i+1:] {
			_, s := later.(speaker)
			newer = newer || s
		}
		require.True(t, newer, "the newest gauge is missing at %d", r.from+i)
	}
	require.Empty(t, got, "events that are not in the log, or out of order")
}

func BenchmarkAppendDeliver(b *testing.B) {
	b.Run("reader waits", func(b *testing.B) {
		b.ReportAllocs()
		log := timeline.New(timeline.Options[int]{})
		ch := timeline.View(log, nil, timeline.As[int, int])
		var done sync.WaitGroup
		done.Go(func() {
			for range ch {
			}
		})
		for i := range b.N {
			log.Append(i)
		}
		log.End()
		done.Wait()
	})
	b.Run("backlog", func(b *testing.B) {
		b.ReportAllocs()
		log := timeline.New(timeline.Options[int]{})
		ch := timeline.View(log, nil, timeline.As[int, int])
		for i := range b.N {
			log.Append(i)
		}
		for range b.N {
			<-ch
		}
		log.End()
	})
	b.Run("20 views, none read", func(b *testing.B) {
		b.ReportAllocs()
		log := timeline.New(timeline.Options[int]{Grace: 1})
		for range 20 {
			timeline.View(log, nil, func(e int) (int, bool) { return e, e < 0 })
		}
		for i := range b.N {
			log.Append(i)
		}
		log.End()
		log.Wait()
	})
	b.Run("gauge", func(b *testing.B) {
		b.ReportAllocs()
		log := timeline.New(timeline.Options[event]{Grace: 1, Coalesce: gauge})
		timeline.View(log, nil, all)
		var e event = speaker{1}
		for range b.N {
			log.Append(e)
		}
		log.End()
		log.Wait()
	})
}
