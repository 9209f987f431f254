//go:build e2e

package interop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
)

// TestNetworkQuality has browsers and a program measure, and hear of each
// other's levels, with all that is behind them.
func TestNetworkQuality(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wish := func() options {
		return options{
			"networkQuality": options{"local": 3, "remote": 3},
			"tracks":         []options{track("audio", "microphone"), track("video", "camera")},
		}
	}
	p, q := w.join("first", wish()), w.join("second", wish())
	alice := w.programWith("alice", &parley.ConnectOptions{
		Tracks:         []parley.LocalTrack{clip(t, media.VP8, "picture"), clip(t, media.Opus, "voice")},
		NetworkQuality: &parley.NetworkQuality{Local: 3, Remote: 3},
	})
	told := func(p *page, participant string) {
		t.Helper()
		p.wait(`(() => {
			const { networkQualityLevel: level, networkQualityStats: stats } = ` + participant + `;
			return level >= 1 && level <= 5 && ["audio", "video"].every((kind) =>
				stats?.[kind].send >= 1 && stats[kind].recv >= 1 &&
				stats[kind].sendStats?.latency && stats[kind].recvStats?.latency);
		})()`)
	}
	told(p, `lab.room.localParticipant`)
	told(q, `lab.room.localParticipant`)
	for _, other := range []string{"second", "alice"} {
		told(p, `lab.participant(`+js(other)+`)`)
		p.waits("RemoteParticipant", "networkQualityLevelChanged", other)
	}
	told(q, `lab.participant("first")`)

	for _, identity := range []string{"first", "second", "alice"} {
		e := heard(alice, func(e parley.NetworkQualityLevelChanged) bool { return e.SID == alice.sidOf(identity) })
		require.GreaterOrEqual(t, e.Level, 1)
		require.LessOrEqual(t, e.Level, 5)
		require.NotNil(t, e.Stats)
		require.NotNil(t, e.Stats.Audio.SendStats)
	}
	p.quiet()
	q.quiet()
}

// sidOf returns the SID of a participant.
func (g *program) sidOf(identity string) string {
	if g.LocalParticipant().Identity() == identity {
		return g.LocalParticipant().SID()
	}
	for _, p := range g.Participants() {
		if p.Identity() == identity {
			return p.SID()
		}
	}
	return ""
}
