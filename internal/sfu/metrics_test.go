package sfu_test

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// Packets that come nowhere are lost on both ways: the publisher's, and the
// subscribers', who tell in their reports. Key frames that are asked for are
// counted where they come in and where they go out.
func TestMetricsOfLossAndKeyframes(t *testing.T) {
	w := newWorld(t)
	require.Contains(t, w.metrics(), "parley_peer_connections_total 0\n")
	alice, bob := w.client("alice", "demo"), w.client("bob", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	alice.connected()
	stream := alice.stream(out, media.VP8, 1)
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	in := bob.inlet(mid)
	read(t, in, 20)
	require.Contains(t, w.metrics(), "parley_rtp_lost{direction=\"in\"} 0\n")

	const lost = 7
	stream.skip.Store(lost)
	require.NoError(t, in.RequestKeyframe())
	want := []string{
		"parley_peer_connections_total 2\n", `parley_rtp_lost{direction="in"} 7`, `parley_rtp_lost{direction="out"} 7`,
	}
	began, text := time.Now(), ""
	for missing := len(want); missing > 0; {
		require.Less(t, time.Since(began), 20*time.Second, "%s", text)
		read(t, in, 50) // reports go out meanwhile
		text, missing = w.metrics(), len(want)
		for _, line := range want {
			if strings.Contains(text, line) {
				missing--
			}
		}
	}
	for _, name := range []string{`parley_pli_total{direction="in"}`, `parley_pli_total{direction="out"}`} {
		require.Contains(t, text, name)
		require.NotContains(t, text, name+" 0\n")
	}
}

// Who is gone is counted by the reason, also where there is no error code.
func TestMetricsOfEnds(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.client("alice", "demo"), w.client("bob", "demo"), w.client("carol", "demo")
	for _, c := range []*client{alice, bob, carol} {
		require.NoError(t, c.dial())
	}
	require.NoError(t, alice.session.Close(t.Context(), signaling.ReasonLeave))
	carol.sees("alice", signaling.StateDisconnected)
	require.True(t, w.srv.Remove("demo", "bob"))
	carol.sees("bob", signaling.StateDisconnected)
	text := w.metrics()
	for _, reason := range []signaling.DisconnectReason{signaling.DisconnectLeft, signaling.DisconnectRemoved} {
		require.Contains(t, text, `parley_stays_ended_total{reason="`+string(reason)+"\"} 1\n")
	}
	require.NotContains(t, text, `reason="slow"`)
}
