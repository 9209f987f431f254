//go:build devicevm

package devices_test

import (
	"context"
	"fmt"
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
	// What is captured would be lost with the machine.
	srv := roomtest.NewServer(t, func(o *roomtest.Options) { o.NoCapture = true })
	join := func(who string, tracks ...parley.LocalTrack) *parley.Room {
		room, err := parley.ConnectContext(within(t), srv.Token(who, "lab"), &parley.ConnectOptions{URL: srv.URL(), Tracks: tracks})
		require.NoError(t, err)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("%s is %v: %v", who, room.State(), room.Err())
			}
			require.NoError(t, room.Disconnect())
		})
		return room
	}
	c := &call{}
	t.Cleanup(func() { drain(c.events) }) // when bob has left
	c.bob = join("bob")
	c.events = c.bob.Events()
	c.alice = join("alice", tracks...)
	return c
}

// drain reads what is left of events that end: unread ones would stay for a
// second.
func drain(events <-chan parley.Event) {
	for range events {
	}
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
	got := c.subscribed(t, pub)
	require.NoError(t, track.SendText(ctx, "still here"))
	m, err := got.(*parley.RemoteDataTrack).Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "still here", string(m.Data))
	require.Equal(t, parley.StateConnected, c.alice.State())
	require.Equal(t, parley.StateConnected, c.bob.State())
}

// next returns the next event of the type that meets the conditions.
func next[T parley.Event](t *testing.T, events <-chan parley.Event, meets ...func(T) bool) T {
	t.Helper()
	ctx := within(t)
	var others []string
	for {
		select {
		case e, open := <-events:
			require.True(t, open, "the events ended without %T; there were %v", *new(T), others)
			got, is := e.(T)
			for _, m := range meets {
				is = is && m(got)
			}
			if is {
				return got
			}
			others = append(others, fmt.Sprintf("%T", e))
		case <-ctx.Done():
			require.FailNow(t, "no event", "%T; there were %v", *new(T), others)
		}
	}
}

// subscribed waits until bob has a track of alice's.
func (c *call) subscribed(t *testing.T, pub *parley.LocalTrackPublication) parley.RemoteTrack {
	t.Helper()
	return next(t, c.events, func(e parley.TrackSubscribed) bool { return e.Publication.TrackSID() == pub.TrackSID() }).Track
}

// receive receives so many samples in a row, the first of which is a key frame.
// It does not decode meanwhile, which on this machine may take too long to keep
// up, and begins again where samples are missing nevertheless.
func receive(t *testing.T, track parley.RemoteTrack, count int) (got []media.Sample) {
	t.Helper()
	watch(t, track, func(s media.Sample) bool {
		if s.Lost > 0 && len(got) > 0 {
			t.Logf("%d samples are missing after %d", s.Lost, len(got))
			got = nil
		}
		if len(got) == 0 && !s.Keyframe {
			track.(*parley.RemoteVideoTrack).RequestKeyframe()
			return false
		}
		got = append(got, s)
		return len(got) >= count
	})
	return got
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
