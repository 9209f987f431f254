package roomtest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// Events as those of a room: a sum type.
type (
	event interface{ isEvent() }
	came  struct{ Who *person }
	went  struct {
		Who *person
		Err error
	}
	tick struct{ N int }
)

func (came) isEvent() {}
func (went) isEvent() {}
func (tick) isEvent() {}

type person struct{ name string }

func (p *person) Identity() string { return p.name }

var ann, ben = &person{"ann"}, &person{"ben"}

// stream returns a channel with the events in it, open.
func stream(events ...event) chan event {
	ch := make(chan event, len(events)+1)
	for _, e := range events {
		ch <- e
	}
	return ch
}

func TestNextSkipsOtherTypes(t *testing.T) {
	ch := stream(tick{1}, came{ann}, tick{2}, came{ben})
	require.Equal(t, came{ann}, roomtest.Next[came](t, ch))
	require.Equal(t, came{ben}, roomtest.Next[came](t, ch))
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := make(chan event)
		go func() {
			time.Sleep(time.Minute)
			ch <- tick{1}
		}()
		require.Equal(t, tick{1}, roomtest.Next[tick](t, ch))
	})
}

func TestNextGivesUpWithTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := stream(came{ann}, went{ann, errors.New("no reason")})
		said := fails(t, func(tb testing.TB) {
			roomtest.Next[came](tb, ch)
			roomtest.Next[tick](tb, ch)
		})
		require.Equal(t, "roomtest: no roomtest_test.tick within 2m0s\n"+
			"read from this channel, in order:\n"+
			"     0.000s  roomtest_test.came{Who: ann}\n"+
			"     0.000s  roomtest_test.went{Who: ann, Err: \"no reason\"}", said)
	})
}

func TestNextAtTheEndOfTheChannel(t *testing.T) {
	ch := stream()
	close(ch)
	said := fails(t, func(tb testing.TB) { roomtest.Next[tick](tb, ch) })
	require.Equal(t, "roomtest: the events have ended without roomtest_test.tick\nno event was read from this channel", said)
}

func TestExpectWantsTheOrderOnly(t *testing.T) {
	isBen := func(e came) bool { return e.Who == ben }
	ch := stream(tick{1}, came{ann}, came{ben}, tick{2}, went{ben, nil})
	got := roomtest.Expect(t, ch, roomtest.Is(isBen), roomtest.Is[went]())
	require.Equal(t, []event{came{ben}, went{ben, nil}}, got)

	ch = stream(went{ben, nil}, came{ben})
	close(ch)
	said := fails(t, func(tb testing.TB) { roomtest.Expect(tb, ch, roomtest.Is(isBen), roomtest.Is[went]()) })
	require.Contains(t, said, "the events have ended without roomtest_test.went (2 of 2 expected)")
	require.Contains(t, said, "roomtest_test.went{Who: ben, Err: nil}\n")
}

func TestExactlyTakesNothingBetween(t *testing.T) {
	ch := stream(came{ann}, tick{1}, tick{2})
	got := roomtest.Exactly(t, ch, roomtest.Is[came](), roomtest.Is[tick]())
	require.Equal(t, []event{came{ann}, tick{1}}, got)
	require.Len(t, ch, 1, "what follows is left alone")

	said := fails(t, func(tb testing.TB) {
		ch := stream(came{ann}, tick{1}, went{ann, nil})
		roomtest.Exactly(tb, ch, roomtest.Is[came](), roomtest.Is[went]())
	})
	require.Contains(t, said, "roomtest: got roomtest_test.tick{N: 1}, want roomtest_test.went (2 of 2 expected)")
	require.Contains(t, said, "roomtest_test.came{Who: ann}\n")

	said = fails(t, func(tb testing.TB) {
		roomtest.Exactly(tb, stream(tick{1}), roomtest.Is(func(e tick) bool { return e.N == 2 }))
	})
	require.Contains(t, said, "got roomtest_test.tick{N: 1}, want roomtest_test.tick that meets the condition (1 of 1 expected)")
}

func TestQuietTakesItsTimeExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := stream()
		go func() {
			time.Sleep(time.Hour)
			ch <- tick{1}
		}()
		began := time.Now()
		roomtest.Quiet(t, ch, time.Hour-1)
		require.Equal(t, time.Hour-1, time.Since(began))
		said := fails(t, func(tb testing.TB) { roomtest.Quiet(tb, ch, time.Second) })
		require.Contains(t, said, "roomtest: got roomtest_test.tick{N: 1}, want no event for 1s")

		close(ch)
		began = time.Now()
		roomtest.Quiet(t, ch, time.Hour)
		require.Zero(t, time.Since(began), "a channel that has ended is quiet")
	})
}

func TestRestIsAllThatIsLeft(t *testing.T) {
	ch := stream(tick{1}, tick{2})
	close(ch)
	require.Equal(t, []event{tick{1}, tick{2}}, roomtest.Rest(t, ch))
	require.Empty(t, roomtest.Rest(t, ch))

	synctest.Test(t, func(t *testing.T) {
		said := fails(t, func(tb testing.TB) { roomtest.Rest(tb, stream(tick{1})) })
		require.Contains(t, said, "the events have not ended within 2m0s")
		require.Contains(t, said, "roomtest_test.tick{N: 1}")
	})
}

func TestJournalKeepsTheNewest(t *testing.T) {
	ch := make(chan int, 2000)
	for n := range 1200 {
		ch <- n
	}
	close(ch)
	said := fails(t, func(tb testing.TB) {
		roomtest.Rest(tb, ch)
		roomtest.Next[string](tb, ch)
	})
	require.Contains(t, said, "read from this channel, in order, after 200 more:")
	require.NotContains(t, said, "int 199\n")
	require.Contains(t, said, "int 200\n")
}
