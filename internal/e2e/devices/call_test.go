//go:build devicevm

package devices_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
)

// call is a room of which alice publishes tracks and bob receives them.
type call struct {
	alice, bob *parley.Room
	events     <-chan parley.Event // of bob's room
}

func newCall(t *testing.T, tracks ...parley.LocalTrack) *call {
	t.Helper()
	srv := roomtest.NewServer(t)
	join := func(who string, tracks ...parley.LocalTrack) *parley.Room {
		room, err := parley.ConnectContext(within(t), srv.Token(who, "lab"), &parley.ConnectOptions{URL: srv.URL(), Tracks: tracks})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, room.Disconnect()) })
		return room
	}
	c := &call{bob: join("bob")}
	c.events = c.bob.Events()
	c.alice = join("alice", tracks...)
	return c
}

// lives asserts that both are in the room, by a message from one to the other.
func (c *call) lives(t *testing.T) {
	t.Helper()
	ctx := within(t)
	track, err := parley.NewLocalDataTrack(nil)
	require.NoError(t, err)
	defer track.Stop()
	pub, err := c.alice.LocalParticipant().PublishTrack(ctx, track, nil)
	require.NoError(t, err)
	got := next(t, c.events, func(e parley.TrackSubscribed) bool { return e.Publication.TrackSID() == pub.TrackSID() })
	require.NoError(t, track.SendText(ctx, "still here"))
	m, err := got.Track.(*parley.RemoteDataTrack).Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "still here", string(m.Data))
	require.Equal(t, parley.StateConnected, c.alice.State())
	require.Equal(t, parley.StateConnected, c.bob.State())
}

// next returns the next event of the type that meets the conditions.
func next[T parley.Event](t *testing.T, events <-chan parley.Event, meets ...func(T) bool) T {
	t.Helper()
	ctx := within(t)
	for {
		select {
		case e, open := <-events:
			var want T
			require.True(t, open, "the events ended without %T", want)
			got, is := e.(T)
			for _, m := range meets {
				is = is && m(got)
			}
			if is {
				return got
			}
		case <-ctx.Done():
			var want T
			require.FailNow(t, "no event", "%T", want)
		}
	}
}

// of says that a subscribed track is one of alice's.
func of(pub *parley.LocalTrackPublication) func(parley.TrackSubscribed) bool {
	return func(e parley.TrackSubscribed) bool { return e.Publication.TrackSID() == pub.TrackSID() }
}

// samples lets bob receive a track of alice's until look has seen enough.
func (c *call) samples(t *testing.T, pub *parley.LocalTrackPublication, look func(media.Sample) (enough bool)) {
	t.Helper()
	track := next(t, c.events, of(pub)).Track
	watch(t, track, look)
}

// watch receives a track until look has seen enough.
func watch(t *testing.T, track parley.RemoteTrack, look func(media.Sample) (enough bool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for s, err := range track.(interface {
		Samples(context.Context) iter.Seq2[media.Sample, error]
	}).Samples(ctx) {
		require.NoError(t, err)
		if look(s) {
			return
		}
	}
	require.Fail(t, "the track ended too early")
}
