package sfu_test

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

func TestT22WrongFingerprintEndsTheStay(t *testing.T) {
	// Where the client hangs up first we cannot know better for a while.
	w := newWorld(t, func(cfg *sfu.Config) { cfg.SessionTimeout = 300 * time.Millisecond })
	bob, eve := w.client("bob", "demo"), w.client("eve", "demo")
	require.NoError(t, bob.dial())
	offer := eve.offer()
	offer.Description.SDP = regexp.MustCompile(`a=fingerprint:sha-256 (..)`).
		ReplaceAllString(offer.Description.SDP, "a=fingerprint:sha-256 00")
	eve.join.PeerConnections = []signaling.PeerConnection{offer}
	session, err := w.transport().Dial(t.Context(), eve.join)
	require.NoError(t, err)
	eve.begin(session)
	eve.until("end", func() bool { return eve.err != nil })
	requireCode(t, signaling.CodeMediaDTLSFailed, eve.err)
	bob.sees("eve", signaling.StateDisconnected)
}

func TestLostMediaEndsTheStayAfterTheSessionTimeout(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.SessionTimeout = 300 * time.Millisecond })
	bob := w.client("bob", "demo")
	dc := bob.channel("chat", nil)
	require.NoError(t, bob.dial())
	bob.opened(dc) // the server is connected, too: otherwise it would wait for ICE to fail
	require.NoError(t, bob.pc.Close())
	bob.until("end", func() bool { return bob.err != nil })
	requireCode(t, signaling.CodeMediaConnection, bob.err)
}

func TestT13CandidateFlood(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Limits.MessageRate, cfg.Limits.MessageBurst = 1000, 1000 })
	eve := w.client("eve", "demo")
	require.NoError(t, eve.dial())
	eve.connected()
	ufrag := regexp.MustCompile(`a=ice-ufrag:(\S+)`).FindStringSubmatch(eve.join.PeerConnections[0].Description.SDP)[1]
	before := runtime.NumGoroutine()
	ice := &signaling.ICE{Ufrag: ufrag}
	for i := range 1000 {
		ice.Revision++
		ice.Candidates = append(ice.Candidates, signaling.Candidate{
			Candidate: fmt.Sprintf("candidate:%d 1 udp 2130706431 127.0.0.1 %d typ host", i, 1024+i),
		})
		if len(ice.Candidates)%100 == 0 {
			require.NoError(t, eve.session.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{{ID: "pc", ICE: ice}}}))
			eve.renegotiate() // and wait until that was worked off
		}
	}
	require.Less(t, runtime.NumGoroutine()-before, 200)
	require.Contains(t, w.metrics(), "parley_candidates_dropped_total 9")
}

func TestT14CandidatesOfTheServersNetworkAreDropped(t *testing.T) {
	w := newWorld(t)
	eve := w.client("eve", "demo")
	offer := eve.offer()
	offer.Description.SDP = strings.Replace(offer.Description.SDP, "a=ice-pwd", strings.Join([]string{
		"a=candidate:1 1 udp 1 169.254.169.254 80 typ host", "a=candidate:2 1 udp 1 10.0.0.1 80 typ host",
		"a=candidate:3 1 udp 1 secret.local 80 typ host", "a=ice-pwd",
	}, "\r\n"), 1)
	eve.join.PeerConnections = []signaling.PeerConnection{offer}
	session, err := w.transport().Dial(t.Context(), eve.join)
	require.NoError(t, err)
	eve.begin(session)
	require.Contains(t, w.metrics(), "parley_candidates_dropped_total 3\n")
}

// BenchmarkFanOut is one packet through sockets and encryption to ten
// subscribers.
func BenchmarkFanOut(b *testing.B) {
	w := newWorld(b)
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(b, alice.dial())
	alice.connected()
	const fans = 10
	arrived := make(chan struct{}, 4096)
	for i := range fans {
		bob := w.client(fmt.Sprint("bob", i), "demo")
		mid := bob.slot(media.Video)
		require.NoError(b, bob.dial())
		bob.connected()
		in := bob.inlet(mid)
		go func() {
			buf := make([]byte, 1500)
			var h rtp.Header
			for {
				if _, err := in.Read(buf, &h); err != nil {
					return
				}
				arrived <- struct{}{}
			}
		}()
	}
	payload := make([]byte, 1100)
	pt, ok := out.PayloadType(rtc.Codec{Codec: media.VP8})
	require.True(b, ok)
	seq := uint16(0)
	write := func() {
		require.NoError(b, out.Write(&rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq, Timestamp: uint32(seq) * 450}, payload, time.Time{}))
		seq++
	}
	drain := func() { // what is lost on the way is made up for
		for got := 0; got < fans; {
			select {
			case <-arrived:
				got++
			case <-time.After(time.Second):
				b.Fatal("packets are missing")
			}
		}
	}
	// Connections come up at different times: the first packets do not count.
	warm := time.NewTimer(300 * time.Millisecond)
	for up := false; !up; {
		select {
		case <-arrived:
		case <-warm.C:
			up = true
		default:
			write()
			runtime.Gosched()
		}
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)) * fans)
	for b.Loop() {
		write()
		drain()
	}
}
