package soak_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// each is how many visit a room.
const each = 4

// TestR22Churn fills and empties rooms, one after the other, and looks at what
// stays of them; see length_test.go for the figures.
func TestR22Churn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t, func(o *roomtest.Options) { o.Latency, o.NoCapture = 25*time.Millisecond, true })
		var before sample
		start := time.Now()
		for room := range rooms {
			if room == warmUpRooms {
				before = calm(start).weighed()
				t.Log(before)
			}
			visit(t, srv, room)
		}
		after := calm(start).weighed()
		t.Log(after)
		const visits = (rooms - warmUpRooms) * each
		t.Logf("%d visits to %d rooms in %v: %+d goroutines, %+d files, %d B of each visit", visits, rooms-warmUpRooms, (after.at - before.at).Round(time.Second),
			after.goroutines-before.goroutines, after.files-before.files, (after.heap-before.heap)/visits)
		require.LessOrEqual(t, after.goroutines, before.goroutines+ofRuntime)
		require.LessOrEqual(t, after.files, before.files)
		require.LessOrEqual(t, after.heap-before.heap, int64(visits*keptByServer+noise))
	})
}

// visit has some come to a room, of which one shows pictures, hear from each
// other, and go.
func visit(t *testing.T, srv *roomtest.Server, room int) {
	t.Helper()
	picture, err := parley.NewLocalVideoTrack(newSlides(t), nil)
	require.NoError(t, err)
	name := fmt.Sprintf("room%d", room)
	var guests []*guest
	for i := range each {
		var tracks []parley.LocalTrack
		if i == 0 {
			tracks = append(tracks, picture)
		}
		who := fmt.Sprintf("guest%d", i)
		guests = append(guests, join(t, srv, who, who, name, tracks...))
	}
	require.NoError(t, guests[0].data.SendText(t.Context(), "welcome"))
	time.Sleep(2 * slidePace)
	for _, g := range guests[1:] {
		require.Positive(t, g.frames.Load(), g.name)
		require.Positive(t, g.messages.Load(), g.name)
	}
	for i := range guests {
		guests[(i+room)%each].leave() // the publisher first, or last, or in between
	}
	picture.Stop()
	require.Empty(t, srv.Identities(name))
}
