package soak_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// TestR21VirtualHour has a room of people for an hour; see length_test.go for
// the figures. One shows pictures and all talk. Every minute somebody leaves and
// comes again, and somebody loses its signaling or its network, or gets another
// one. At the end of each round all leave but the one that shows pictures: what
// is there then is compared with what was there after the first round.
//
// In between, buffers tell more than leaks would: those that pion keeps for
// incoming packets grow with the largest burst and go with their connection.
func TestR21VirtualHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t, func(o *roomtest.Options) { o.Latency, o.NoCapture = 25*time.Millisecond, true })
		talking, silence := context.WithCancel(t.Context())
		defer silence()
		came := 0
		come := func(i int, tracks ...parley.LocalTrack) *guest {
			came++
			name := fmt.Sprintf("guest%d", i)
			g := join(t, srv, name, name, "lab", tracks...)
			g.wg.Go(func() { g.say(talking, 10*time.Second) })
			return g
		}
		picture, err := parley.NewLocalVideoTrack(newSlides(t), &parley.TrackOptions{Name: "picture"})
		require.NoError(t, err)
		defer picture.Stop()
		guests := make([]*guest, people)
		guests[0] = come(0, picture)
		faults := []func(name string){
			srv.DropSignaling,
			func(name string) {
				srv.Cut(name)
				time.Sleep(3 * time.Second)
				srv.Restore(name)
			},
			srv.SwitchNetwork,
		}
		leave := func(i int) {
			require.Positive(t, guests[i].messages.Load(), guests[i].name)
			require.Positive(t, guests[i].frames.Load(), guests[i].name)
			guests[i].leave()
		}
		var full, alone []sample
		var visits []int
		start := time.Now()
		for minute := range rounds * round {
			for i := 1; minute%round == 0 && i < people; i++ {
				guests[i] = come(i)
			}
			time.Sleep(15 * time.Second) // everybody has heard and seen something
			i := 1 + minute%(people-1)
			leave(i)
			guests[i] = come(i)
			faults[minute%len(faults)](guests[minute%people].name)
			time.Sleep(time.Until(start.Add(time.Duration(minute+1) * time.Minute)))
			s := calm(start)
			full = append(full, s)
			if (minute+1)%round > 0 {
				continue
			}
			t.Log("everybody: ", s.weighed())
			for i := 1; i < people; i++ {
				leave(i)
			}
			s = calm(start).weighed()
			t.Log("one alone: ", s)
			alone, visits = append(alone, s), append(visits, came)
		}
		silence()
		require.Positive(t, guests[0].messages.Load())
		guests[0].leave()

		for _, s := range full {
			require.LessOrEqual(t, s.goroutines, full[0].goroutines+ofRuntime, "%v", s)
			require.LessOrEqual(t, s.files, full[0].files, "%v", s)
		}
		first, last := alone[0], alone[rounds-1]
		n := int64(visits[rounds-1] - visits[0])
		t.Logf("%d visits in %v: %+d goroutines, %+d files, %+d B, which is %d B of each visit", n, (last.at - first.at).Round(time.Second),
			last.goroutines-first.goroutines, last.files-first.files, last.heap-first.heap, (last.heap-first.heap)/n)
		require.LessOrEqual(t, last.goroutines, first.goroutines+ofRuntime)
		require.LessOrEqual(t, last.files, first.files)
		require.LessOrEqual(t, last.heap-first.heap, n*keptByResident+noise)
	})
}
