package sfu_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

func TestShutdownIsToldWithinASecond(t *testing.T) {
	w := newWorld(t)
	clients := []*client{w.client("a", "one"), w.client("b", "one"), w.client("c", "two")}
	for _, c := range clients {
		require.NoError(t, c.dial())
	}
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- w.srv.Shutdown(context.Background(), 3*time.Second) }()
	for _, c := range clients {
		c.until("end", func() bool { return c.err != nil })
		var e *signaling.Error
		require.True(t, errors.As(c.err, &e))
		require.Equal(t, signaling.DisconnectShutdown, e.Reason)
		require.Equal(t, 3*time.Second, e.RetryAfter)
	}
	require.Less(t, time.Since(began), time.Second)
	require.NoError(t, <-ended)
	resp, err := http.Get(w.web.URL + "/healthz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.NoError(t, w.srv.Close(), "again")
}

func (w *world) metrics() string {
	w.t.Helper()
	resp, err := http.Get(w.web.URL + "/metrics")
	require.NoError(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return string(text)
}

func TestMetricsMove(t *testing.T) {
	w := newWorld(t)
	require.Contains(t, w.metrics(), "parley_rooms 0\n")
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	alice.connected()
	alice.stream(out, media.VP8, 1)
	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	in := bob.inlet(mid)
	read(t, in, 20)
	require.NoError(t, in.RequestKeyframe())
	read(t, in, 20)
	refused := w.client("x", "demo")
	refused.join.Token = "nonsense"
	requireCode(t, signaling.CodeTokenInvalid, refused.dial())

	text := w.metrics()
	for _, want := range []string{
		"parley_rooms 1\n", "parley_participants 2\n", "parley_tracks 1\n", "parley_join_seconds_count 2\n",
		`parley_refusals_total{code="20101"} 1`, `parley_pli_total{direction="in"} 1`,
	} {
		require.Contains(t, text, want)
	}
	for _, name := range []string{`parley_rtp_packets_total{direction="in"}`, `parley_rtp_packets_total{direction="out"}`} {
		require.NotContains(t, text, name+" 0\n")
	}
	require.NoError(t, alice.session.Close(t.Context(), signaling.ReasonLeave))
	bob.sees("alice", signaling.StateDisconnected)
	require.NotContains(t, w.metrics(), `parley_rtp_packets_total{direction="in"} 0`, "what was counted stays")
}

func TestRemoveAndComplete(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol := w.client("alice", "demo"), w.client("bob", "demo"), w.client("carol", "demo")
	for _, c := range []*client{alice, bob, carol} {
		require.NoError(t, c.dial())
	}
	require.False(t, w.srv.Remove("demo", "nobody"))
	require.True(t, w.srv.Remove("demo", "alice"))
	alice.until("end", func() bool { return alice.err != nil })
	var e *signaling.Error
	require.ErrorAs(t, alice.err, &e)
	require.Equal(t, signaling.DisconnectRemoved, e.Reason)
	require.Equal(t, signaling.DisconnectRemoved, bob.sees("alice", signaling.StateDisconnected).Reason)

	require.False(t, w.srv.Complete("other"))
	require.True(t, w.srv.Complete(bob.initial.Room.SID))
	for _, c := range []*client{bob, carol} {
		c.until("end", func() bool { return c.err != nil })
		requireCode(t, signaling.CodeRoomCompleted, c.err)
	}
	require.Empty(t, w.srv.Rooms())
}

func TestT31RoomsEnd(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.EmptyRoomTimeout = 2 * time.Second; cfg.MaxRooms = 2 })
	_, err := w.srv.CreateRoom("made", 0)
	require.NoError(t, err)
	alice := w.client("alice", "by itself")
	require.NoError(t, alice.dial())
	requireCode(t, signaling.CodeRoomCreateFailed, w.client("bob", "third").dial())
	require.NoError(t, alice.session.Close(t.Context(), signaling.ReasonLeave))
	require.Eventually(t, func() bool { return len(w.srv.Rooms()) == 0 }, 10*time.Second, 10*time.Millisecond)
}

// What a client breaks ends this client, and nobody else.
func TestT12ImpossibleUpdatesEndTheirSender(t *testing.T) {
	w := newWorld(t)
	bob := w.client("bob", "demo")
	require.NoError(t, bob.dial())
	revision := 9
	description := func(kind signaling.DescriptionType, sdp string) signaling.Update {
		return signaling.Update{PeerConnections: []signaling.PeerConnection{{
			ID: "pc", Description: &signaling.Description{Type: kind, Revision: revision, SDP: sdp},
		}}}
	}
	for name, test := range map[string]struct {
		update signaling.Update
		code   signaling.Code
	}{
		"no description": {description(signaling.DescriptionOffer, "nonsense"), signaling.CodeServerRemoteDescription},
		"1000 sections": {description(signaling.DescriptionOffer, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"+
			strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n", 1000)), signaling.CodeServerRemoteDescription},
		"another connection of nonsense": {signaling.Update{PeerConnections: []signaling.PeerConnection{{
			ID: "other", Description: &signaling.Description{Type: signaling.DescriptionOffer, Revision: 1, SDP: "v=0"},
		}}}, signaling.CodeServerRemoteDescription},
		"tracks without ids": {signaling.Update{Participant: &signaling.LocalParticipant{
			Revision: 9, Tracks: []signaling.LocalTrack{{ID: " ", Kind: "data"}, {ID: " ", Kind: "data"}},
		}}, signaling.CodeSignalingOutgoingInvalid},
		"rules": {signaling.Update{Subscribe: &signaling.Subscribe{
			Revision: 9, Rules: []signaling.Rule{{Kind: "smell"}},
		}}, signaling.CodeSubscribeRulesInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			eve := w.client("eve", "demo")
			require.NoError(t, eve.dial())
			require.NoError(t, eve.session.Send(test.update))
			eve.until("end", func() bool { return eve.err != nil })
			requireCode(t, test.code, eve.err)
			sid := eve.initial.Participant.SID
			bob.until("end of eve", func() bool {
				return slices.ContainsFunc(bob.participants, func(p signaling.RemoteParticipant) bool {
					return p.SID == sid && p.Reason == signaling.DisconnectProtocol
				})
			})
		})
	}
	// These are only ignored.
	revision = 1
	for _, u := range []signaling.Update{
		description(signaling.DescriptionAnswer, "nonsense"),
		description(signaling.DescriptionPranswer, "nonsense"),
		description(signaling.DescriptionCreateOffer, ""),
		{PeerConnections: []signaling.PeerConnection{{ID: "other", ICE: &signaling.ICE{Ufrag: "abcd"}}}},
		{PeerConnections: []signaling.PeerConnection{{ID: "pc", ICE: &signaling.ICE{
			Ufrag: "nobody's", Revision: 1, Candidates: []signaling.Candidate{{Candidate: "x"}},
		}}}},
		{Participant: &signaling.LocalParticipant{Revision: 0, Tracks: []signaling.LocalTrack{{ID: "old"}}}},
	} {
		require.NoError(t, bob.session.Send(u))
	}
	bob.renegotiate()
	require.NoError(t, bob.err)
}

func TestEndOfAConnectionIsNotTheEndOfTheStay(t *testing.T) {
	w := newWorld(t)
	bob := w.client("bob", "demo")
	bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	bob.sendDescription(signaling.DescriptionClose, 2, "")
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	alice.connected()
	alice.stream(out, media.VP8, 1)
	bob.until("a subscription that waits", func() bool { return len(bob.subscribed) == 1 && bob.subscribed[0].ID == "" })
	bob.newConnection()
	mid := bob.slot(media.Video)
	bob.renegotiate()
	read(t, bob.inlet(mid), 10)
}

func TestStayEndsWithItsTime(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.MaxParticipantDuration = 300 * time.Millisecond })
	alice := w.client("alice", "demo")
	require.NoError(t, alice.dial())
	alice.until("end", func() bool { return alice.err != nil })
	var e *signaling.Error
	require.ErrorAs(t, alice.err, &e)
	require.Equal(t, signaling.DisconnectDuration, e.Reason)
}
