package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// Who waits for the end of anything in a room hears of the room's.
func TestEverythingInARoomIsDoneWithIt(t *testing.T) {
	srv := roomtest.NewServer(t)
	mine, err := parley.NewLocalDataTrack(nil)
	require.NoError(t, err)
	theirs, err := parley.NewLocalDataTrack(nil)
	require.NoError(t, err)
	alice, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL(), Tracks: []parley.LocalTrack{mine}})
	require.NoError(t, err)
	defer alice.Disconnect()
	bob, err := parley.Connect(srv.Token("bob", "lab"), &parley.ConnectOptions{URL: srv.URL(), Tracks: []parley.LocalTrack{theirs}})
	require.NoError(t, err)
	defer bob.Disconnect()

	e := roomtest.Next[parley.TrackSubscribed](t, alice.TrackSubscribed())
	ends := map[string]<-chan struct{}{
		"room":               alice.Done(),
		"local participant":  alice.LocalParticipant().Done(),
		"local publication":  alice.LocalParticipant().Tracks()[0].Done(),
		"remote participant": e.Participant.Done(),
		"remote publication": e.Publication.Done(),
		"remote track":       e.Track.Done(),
	}
	for what, done := range ends {
		select {
		case <-done:
			require.Fail(t, "done too early", what)
		default:
		}
	}
	require.NoError(t, alice.Disconnect())
	for what, done := range ends {
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			require.Fail(t, "never done", what)
		}
	}
	require.Equal(t, []*parley.RemoteParticipant{e.Participant}, alice.Participants(), "they stay readable")
	require.Equal(t, []*parley.RemoteTrackPublication{e.Publication}, e.Participant.Tracks())
}
