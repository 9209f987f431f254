package sfu_test

import (
	"net"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// Packets get lost on all four ways: those to the server and those from it,
// media and the requests to send it again.
func TestLossIsRepairedOnBothLegs(t *testing.T) {
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	socket := faultnet.Impair(udp, 1)
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Media.Conn = socket })
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	alice.connected()
	alice.stream(out, media.VP8, 65000)
	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	in := bob.inlet(mid)
	read(t, in, 20)

	socket.SetFaults(faultnet.Faults{Loss: 100, Delay: 10 * time.Millisecond})
	const n = 800 // four seconds
	got := map[uint16]bool{}
	first := payloadSeq(read(t, in, 1)[0].Payload)
	for last := first; int16(last-first) < n; {
		seq := payloadSeq(read(t, in, 1)[0].Payload)
		if d := int16(seq - first); d >= 0 && d < n { // repaired ones from before come late
			require.False(t, got[seq], "once")
			got[seq] = true
		}
		if int16(seq-last) > 0 {
			last = seq
		}
	}
	require.Greater(t, len(got), n*95/100, "19 in 100 are lost without repair")
	require.Positive(t, out.Stats().Nacks, "the server asks the publisher")
	require.Positive(t, out.Stats().Resent)
	require.Positive(t, in.Stats().Nacks, "the subscriber asks the server")
	require.Positive(t, in.Stats().Repaired)
	text := w.metrics()
	for _, name := range []string{"parley_rtp_resent_total", `parley_nack_total{direction="in"}`, `parley_nack_total{direction="out"}`} {
		require.NotContains(t, text, name+" 0\n")
	}
	require.Contains(t, bob.initial.Update.PeerConnections[0].Description.SDP, "apt=96", "retransmissions have a format of their own")
}
