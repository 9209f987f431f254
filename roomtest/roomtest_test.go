package roomtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// join connects a participant over a network of its own and disconnects it at
// the end of the test.
func join(t *testing.T, srv *roomtest.Server, identity string, tracks ...parley.LocalTrack) *parley.Room {
	t.Helper()
	room, err := parley.Connect(srv.Token(identity, "lab"), &parley.ConnectOptions{
		Transport: srv.Transport(identity), ConfigureWebRTC: srv.WebRTC(identity), Tracks: tracks,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, room.Disconnect())
		roomtest.Rest(t, room.Events())
	})
	return room
}

func video(t *testing.T) *parley.LocalVideoTrack {
	t.Helper()
	track, err := parley.NewLocalVideoTrack(synth.Video(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { track.Stop() })
	return track
}

// everywhere runs a test against both kinds of servers.
func everywhere(t *testing.T, test func(t *testing.T, start func(...func(*roomtest.Options)) *roomtest.Server)) {
	t.Run("server", func(t *testing.T) {
		test(t, func(change ...func(*roomtest.Options)) *roomtest.Server { return roomtest.NewServer(t, change...) })
	})
	t.Run("virtual", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t, func(change ...func(*roomtest.Options)) *roomtest.Server { return roomtest.NewVirtual(t, change...) })
		})
	})
}

func TestTwoParticipantsMeet(t *testing.T) {
	everywhere(t, func(t *testing.T, start func(...func(*roomtest.Options)) *roomtest.Server) {
		srv := start()
		join(t, srv, "alice", video(t))
		bob := join(t, srv, "bob")
		joined := roomtest.Next[parley.ParticipantConnected](t, bob.Events())
		require.Equal(t, "alice", joined.Participant.Identity())
		roomtest.Next[parley.TrackStarted](t, bob.Events())
		require.Equal(t, []string{"alice", "bob"}, srv.Identities("lab"))
	})
}

func TestStartsInFiftyMilliseconds(t *testing.T) {
	best := time.Hour
	for range 5 { // another process may be in the way once
		began := time.Now()
		srv := roomtest.NewServer(t)
		best = min(best, time.Since(began))
		srv.Close()
	}
	require.Less(t, best, 50*time.Millisecond)
}
