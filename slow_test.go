package parley_test

import (
	"context"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// stuck is a sink that never returns.
type stuck struct{ ctx context.Context }

func (s stuck) WriteSample(media.Sample) error {
	<-s.ctx.Done()
	return s.ctx.Err()
}

// What happens when such a reader makes a queue overflow is E7's matter; see
// TestE07SlowConsumerEndsTheRoom.

func TestR19ReaderThatNeverReads(t *testing.T) {
	inCall(t, 19, func(c *call) {
		// bob has a reader of events that stopped, one of data that never
		// began, and a sink that blocks for ever.
		ctx, cancel := context.WithCancel(c.t.Context())
		defer cancel()
		unread, never := c.bob.room.TrackPublishPriorityChanged(), c.bob.room.Messages()
		sub, _ := await(c.bob, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "picture" })
		require.NoError(c.t, sub.Track.(*parley.RemoteVideoTrack).Attach(stuck{ctx}))
		mark, start, before := c.bob.log.mark(), time.Now(), c.view.count()
		pub := c.alice.room.LocalParticipant().DataTracks()[0]
		for i := range 1200 {
			require.NoError(c.t, pub.SetPriority([]parley.Priority{parley.PriorityHigh, parley.PriorityLow}[i%2]))
			time.Sleep(50 * time.Millisecond)
		}
		got := c.view.count() - before
		want := int(time.Since(start) / framePace)
		sent, lost := c.talk.end()
		c.t.Logf("R19 a minute with readers that never read: frames %d of %d, longest gap %v, messages %d, lost %d, events meanwhile %d",
			got, want, c.view.gap(start), sent, lost, c.bob.log.mark()-mark)
		require.GreaterOrEqual(c.t, got, want*99/100)
		require.Zero(c.t, lost)
		require.Equal(c.t, parley.StateConnected, c.bob.room.State(), "heartbeats go on")
		require.NotContains(c.t, c.bob.log.since(mark), "Reconnecting")
		require.GreaterOrEqual(c.t, c.bob.log.mark()-mark, 1000)
		require.Len(c.t, never, cap(never), "the oldest messages went")
		for range 1000 {
			<-unread // and nothing of these
		}
		cancel()
	})
}
