package roomtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// A test of a program that joins a room. A longer one is in robot_test.go.
func ExampleNewServer() {
	_ = func(t *testing.T) { // func TestSomebodyJoins
		srv := roomtest.NewServer(t)
		room, err := parley.Connect(srv.Token("bot", "lab"), &parley.ConnectOptions{URL: srv.URL()})
		require.NoError(t, err)
		defer room.Disconnect()

		// Here the program under test joins the room "lab" of srv.URL().

		joined := roomtest.Next[parley.ParticipantConnected](t, room.Events())
		require.Equal(t, "app", joined.Participant.Identity())
	}
}

// A test of what happens after half a minute without a network, which takes
// some milliseconds.
func ExampleNewVirtual() {
	_ = func(t *testing.T) { // func TestGivesUp
		synctest.Test(t, func(t *testing.T) {
			srv := roomtest.NewVirtual(t)
			room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{
				Transport:       srv.Transport("alice"),
				ConfigureWebRTC: srv.WebRTC("alice"),
			})
			require.NoError(t, err)
			defer room.Disconnect()

			srv.Cut("alice")
			time.Sleep(time.Minute)
			roomtest.Expect(t, room.Events(), roomtest.Is[parley.Reconnecting](), roomtest.Is[parley.Disconnected]())
		})
	}
}

// Which events, and in which order.
func ExampleExpect() {
	_ = func(t *testing.T, room *parley.Room) {
		roomtest.Expect(t, room.Events(),
			roomtest.Is(func(e parley.ParticipantConnected) bool { return e.Participant.Identity() == "app" }),
			roomtest.Is(func(e parley.TrackSubscribed) bool { return e.Track.Kind() == parley.KindAudio }),
		)
	}
}
