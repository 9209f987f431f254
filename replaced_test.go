package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/stretchr/testify/require"
)

// TestSomebodyIsReplacedWhileWeAreAway resumes into a room in which an identity
// belongs to another participant now: the old one leaves before the new one comes.
func TestSomebodyIsReplacedWhileWeAreAway(t *testing.T) {
	inLab(t, 1, func(l *lab) {
		alice := l.join("alice")
		l.join("bob", dataTrack(l.t, "first"))
		await(alice, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "first" })
		mark := alice.log.mark()
		alice.host.SetBlackhole(true)
		time.Sleep(time.Second)
		l.join("bob", dataTrack(l.t, "second"))
		alice.lines.reset()
		alice.host.SetBlackhole(false)
		await(alice, mark, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "second" })
		require.Equal(l.t, []string{
			"Reconnecting", "TrackUnsubscribed bob/first", "ParticipantDisconnected bob",
			"ParticipantConnected bob", "TrackPublished bob/second", "Reconnected", "TrackSubscribed bob/second",
		}, alice.log.since(mark), alice.log)
	})
}
