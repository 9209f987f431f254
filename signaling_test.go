package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// mute is an audio track without media, to enable and disable.
func muteTrack(t *testing.T, name string) *parley.LocalAudioTrack {
	t.Helper()
	track, err := parley.NewLocalAudioTrack(nil, &parley.TrackOptions{Name: name, Codec: media.Opus})
	require.NoError(t, err)
	return track
}

func TestR13SignalingCut(t *testing.T) {
	cuts := []struct {
		name  string
		limit time.Duration
		cut   func(*line)
	}{
		{"reset", 2 * time.Second, func(l *line) { l.Conn.(interface{ Reset() }).Reset() }},
		{"closed", 2 * time.Second, func(l *line) { _ = l.Conn.Close() }},
		{"half-open", 17 * time.Second, func(l *line) { l.silent.Store(true) }},
		{"cut inside a frame out", 2 * time.Second, func(l *line) { l.cutWrite.Store(true) }},
		{"cut inside a frame in", 2 * time.Second, func(l *line) { l.cutRead.Store(true) }},
	}
	inCall(t, 13, func(c *call) {
		own := muteTrack(c.t, "own")
		_, err := c.bob.room.LocalParticipant().PublishTrack(c.t.Context(), own, nil)
		require.NoError(c.t, err)
		theirs := muteTrack(c.t, "theirs")
		_, err = c.alice.room.LocalParticipant().PublishTrack(c.t.Context(), theirs, nil)
		require.NoError(c.t, err)
		await[parley.TrackSubscribed](c.alice, 0)
		await(c.bob, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "theirs" })
		time.Sleep(time.Second)

		var back []time.Duration
		worst := map[string]time.Duration{}
		for i := range 30 {
			cut := cuts[i%len(cuts)]
			mark, others := c.bob.log.mark(), c.alice.log.mark()
			start := time.Now()
			cut.cut(c.bob.lines.now())
			// Both say something just then, which must arrive all the same.
			enabled := i%2 == 1
			own.SetEnabled(enabled)
			theirs.SetEnabled(enabled)
			await[parley.Reconnecting](c.bob, mark)
			_, at := await[parley.Reconnected](c.bob, mark)
			took := at.Sub(start)
			require.LessOrEqual(c.t, took, cut.limit, cut.name)
			back = append(back, took)
			worst[cut.name] = max(worst[cut.name], took)
			time.Sleep(2 * time.Second)
			news := "TrackDisabled"
			if enabled {
				news = "TrackEnabled"
			}
			require.Equal(c.t, []string{"Reconnecting", "Reconnected"}, c.bob.log.since(mark, news, "LocalTrackEnabled", "LocalTrackDisabled"), "%s: %s", cut.name, c.bob.log)
			require.Len(c.t, c.bob.log.since(mark, "Reconnecting", "Reconnected", "LocalTrackEnabled", "LocalTrackDisabled"), 1, "%s: %s", cut.name, c.bob.log)
			require.Contains(c.t, c.alice.log.since(others), news, "%s: %s", cut.name, c.alice.log)
		}
		sent, lost := c.talk.end()
		missed := c.view.missed(framePace)
		c.t.Logf("R13 30 cuts: Reconnected p50 %v, worst %v; media gap %v, frames %d, missed %d, packets lost %d; messages %d, lost %d",
			quantile(back, .5), worst, c.view.gap(time.Now().Add(-time.Minute)), c.view.count(), missed, c.view.packetsLost(), sent, lost)
		require.Zero(c.t, missed)
		require.Zero(c.t, c.view.packetsLost())
		require.Zero(c.t, lost)
	})
}

func TestR32ReliableDataThroughFaults(t *testing.T) {
	const messages = 10_000
	inLab(t, 32, func(l *lab) {
		data := dataTrack(l.t, "data")
		alice := l.join("alice", data)
		bob := l.join("bob")
		talk := l.talk(data, bob, 5*time.Millisecond)
		for i := 0; ; i++ {
			m := []*member{alice, bob}[i/5%2]
			mark := m.log.mark()
			switch i % 5 {
			case 0:
				m.host.SetBlackhole(true)
				time.Sleep(6 * time.Second)
				m.host.SetBlackhole(false)
			case 1:
				m.host.SwitchAddress([]string{"9.9.1.9", "9.9.2.9", "9.9.3.9", "9.9.4.9"}[i/5%4])
			case 2:
				m.lines.reset()
			case 3:
				m.host.SetLoss(200)
				time.Sleep(3 * time.Second)
				m.host.SetLoss(0)
				mark = -1
			case 4:
				m.host.BlockUDP(true)
				time.Sleep(3 * time.Second)
				m.host.BlockUDP(false)
			}
			if mark >= 0 {
				await[parley.Reconnected](m, mark)
			}
			time.Sleep(time.Second)
			if sent, _ := talk.numbers(); sent >= messages && i%10 == 9 {
				break
			}
		}
		sent, lost := talk.end()
		l.t.Logf("R32 %d messages through outages, switches, cuts and loss: lost %d, twice 0, out of order 0", sent, lost)
		require.Zero(l.t, lost)
		require.NotContains(l.t, alice.log.since(0), "MessagesUnconfirmed")
	})
}
