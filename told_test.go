package parley_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// What the server tells of a room's recording reaches those who are there, and
// who comes later begins with it.
func TestRecordingIsTold(t *testing.T) {
	inLab(t, 1, func(l *lab) {
		_, err := l.srv.OpenRoom(sfu.RoomOptions{Name: "lab"})
		require.NoError(l.t, err)
		alice := l.join("alice", picture(l.t))
		time.Sleep(time.Second)
		require.False(l.t, alice.room.IsRecording())
		set := func(on bool) {
			_, err := l.srv.SetRecording("lab", []signaling.Rule{{All: true, Exclude: !on}})
			require.NoError(l.t, err)
		}
		for range 3 {
			mark := alice.log.mark()
			set(true)
			await[parley.RecordingStarted](alice, mark)
			require.True(l.t, alice.room.IsRecording())
			set(true) // nothing new
			set(false)
			await[parley.RecordingStopped](alice, mark)
			require.False(l.t, alice.room.IsRecording())
			time.Sleep(time.Second)
			require.Equal(l.t, []string{"RecordingStarted", "RecordingStopped"}, alice.log.since(mark))
		}
		set(true)
		bob := l.join("bob")
		await[parley.RecordingStarted](bob, 0)
		require.True(l.t, bob.room.IsRecording())
	})
}

// A track that there is no section left for is told to have failed, and is
// subscribed once there is one.
func TestSubscriptionThatFailsIsTold(t *testing.T) {
	inLab(t, 1, func(l *lab) {
		bob := l.join("bob")
		var others []*member
		for i := range 10 {
			others = append(others, l.join(fmt.Sprint("guest", i), picture(l.t)))
		}
		failed, _ := await[parley.TrackSubscriptionFailed](bob, 0)
		require.ErrorIs(l.t, failed.Err, parley.ErrTrackCapacityReached)
		who := failed.Participant.Identity()
		require.Same(l.t, bob.room.Participant(who).Tracks()[0], failed.Publication)
		require.False(l.t, failed.Publication.IsSubscribed())

		mark := bob.log.mark()
		for _, m := range others {
			if pub := bob.publication(m.name, "picture"); pub.IsSubscribed() {
				m.leave()
				break
			}
		}
		again, _ := await(bob, mark, func(e parley.TrackSubscribed) bool { return e.Publication == failed.Publication })
		require.Same(l.t, failed.Participant, again.Participant)
		bob.watch(who, "picture").after(l.t, time.Now())
	}, func(c *sfu.Config) { c.ServerOffers, c.Limits.Sections = true, 8 })
}
