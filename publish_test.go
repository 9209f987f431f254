package parley_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// A file that is published into a room that goes on already is sent from its
// first sample: nothing is read before there is somewhere to send it.
func TestPublishingLaterSendsEverySample(t *testing.T) {
	srv := roomtest.NewServer(t)
	_, clip := testclips.File(media.VP8)
	for range 5 {
		room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL()})
		require.NoError(t, err)
		src, err := file.NewReader(bytes.NewReader(clip), nil)
		require.NoError(t, err)
		counted := &counting{Source: src, tenth: make(chan struct{})}
		track, err := parley.NewLocalVideoTrack(counted, nil)
		require.NoError(t, err)
		started := room.LocalParticipant().Events()
		pub, err := room.LocalParticipant().PublishTrack(t.Context(), track, nil)
		require.NoError(t, err)
		roomtest.Next[parley.LocalTrackStarted](t, started)
		<-counted.tenth
		stats := pub.Stats()
		require.GreaterOrEqual(t, stats.Samples, int64(9), "the tenth is on its way")
		require.Zero(t, stats.Unsent)
		require.NoError(t, room.Disconnect())
		roomtest.Rest(t, started)
		track.Stop()
	}
}

// counting tells when the tenth sample of a source was read.
type counting struct {
	*file.Source
	n     int
	tenth chan struct{}
}

func (c *counting) Next(ctx context.Context) (media.Sample, error) {
	if c.n++; c.n == 10 {
		close(c.tenth)
	}
	return c.Source.Next(ctx)
}

// What is sent to somebody because it came, or the moment a track is there,
// arrives.
func TestFirstMessagesReachEverybody(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	defer func() { require.NoError(t, alice.Disconnect()) }()
	hello, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "hello"})
	require.NoError(t, err)
	_, err = alice.LocalParticipant().PublishTrack(t.Context(), hello, nil)
	require.NoError(t, err)
	came := alice.ParticipantConnected()
	heard := alice.Messages()
	for i := range 20 {
		news, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "news"})
		require.NoError(t, err)
		bob, err := parley.Connect(srv.Token(fmt.Sprint("bob-", i), "lab"), &parley.ConnectOptions{
			URL: srv.URL(), Tracks: []parley.LocalTrack{news},
		})
		require.NoError(t, err)
		events := bob.Events()
		require.NoError(t, news.SendText(t.Context(), "here I am")) // at once
		<-came
		require.NoError(t, hello.SendText(t.Context(), "welcome")) // at once
		track := roomtest.Next[parley.TrackSubscribed](t, events).Track.(*parley.RemoteDataTrack)
		m, err := track.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "welcome", string(m.Data))
		require.Equal(t, "here I am", string((<-heard).Data))
		require.NoError(t, bob.Disconnect())
		roomtest.Rest(t, events)
	}
}
