package parley_test

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/stretchr/testify/require"
)

// One participant publishes two streams, a camera with its microphone and a
// stethoscope. One of the others takes both, another one the stethoscope alone:
// it knows by the label what belongs together. So it stays for who comes late,
// and when the server has forgotten everything.
func TestC78StreamsOfOneParticipant(t *testing.T) {
	inLab(t, 78, func(l *lab) {
		patient := l.join("patient")
		publish := func(track parley.LocalTrack, stream string) {
			pub, err := patient.room.LocalParticipant().PublishTrack(l.t.Context(), track, &parley.PublishOptions{Stream: stream, Name: stream + " " + string(track.Kind())})
			require.NoError(l.t, err)
			require.Equal(l.t, stream, pub.Stream())
		}
		both, one := l.join("nurse"), l.joinWith("doctor", manually)
		publish(picture(l.t), "camera")
		publish(tone(l.t), "camera")
		publish(tone(l.t), "stethoscope")
		streams := func(m *member) (all, subscribed map[string]int) {
			all, subscribed = map[string]int{}, map[string]int{}
			for _, pub := range m.room.Participant("patient").Tracks() {
				require.True(l.t, strings.HasPrefix(pub.TrackName(), pub.Stream()+" "), pub.TrackName())
				all[pub.Stream()]++
				if pub.IsSubscribed() {
					subscribed[pub.Stream()]++
				}
			}
			return all, subscribed
		}
		published := one.room.TrackPublished()
		go func() {
			for e := range published { // also of somebody who came back as another participant
				if e.Publication.Stream() == "stethoscope" {
					_ = e.Publication.SetSubscribed(l.t.Context(), true) // or it is gone again
				}
			}
		}()
		await(one, 0, func(e parley.TrackStarted) bool { return e.Track.Name() == "stethoscope audio" })
		check := func(late string) {
			l.t.Helper()
			guest := l.join(late)
			time.Sleep(5 * time.Second)
			for _, m := range []*member{both, guest} {
				all, subscribed := streams(m)
				require.Equal(l.t, map[string]int{"camera": 2, "stethoscope": 1}, all, m.name)
				require.Equal(l.t, all, subscribed, m.name)
			}
			all, subscribed := streams(one)
			require.Equal(l.t, map[string]int{"camera": 2, "stethoscope": 1}, all)
			require.Equal(l.t, map[string]int{"stethoscope": 1}, subscribed)
		}
		check("student")

		mark := one.log.mark()
		l.kill()
		time.Sleep(time.Second)
		l.start()
		await[parley.Reconnected](one, mark)
		check("relative")
		for _, pub := range patient.room.LocalParticipant().Tracks() {
			require.True(l.t, strings.HasPrefix(pub.TrackName(), pub.Stream()+" "))
		}
	})
}
