package sfu_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// cut drops the client's socket and waits until it has noticed.
func (c *client) cut() {
	c.t.Helper()
	require.Equal(c.t, 1, c.w.srv.Cut(c.initial.Participant.Identity))
	<-c.done
	requireCode(c.t, signaling.CodeSignalingDisconnected, c.err)
	c.err = nil
}

// resume takes the session up again, with everything as it is now.
func (c *client) resume(pcs ...signaling.PeerConnection) error {
	c.t.Helper()
	c.join.Resume, c.join.PeerConnections = c.initial.Session, pcs
	session, err := c.w.transport().Dial(c.t.Context(), c.join)
	if err == nil {
		c.begin(session)
	}
	return err
}

// Trap 7: what a client published while it was away is known before anybody
// hears that it is back.
func TestResumeAppliesFirstAndTellsThen(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.client("alice", "demo"), w.client("bob", "demo")
	bob.slot(media.Video)
	require.NoError(t, alice.dial())
	require.NoError(t, bob.dial())
	alice.connected()
	alice.cut()
	bob.sees("alice", signaling.StateReconnecting)

	out := alice.publish(signaling.KindVideo, "cam")
	offer := alice.offer() // made while it was offline
	require.NoError(t, alice.resume(offer))
	require.True(t, alice.initial.Update.Full)
	require.Equal(t, []string{"bob"}, identities(alice.initial.Update.Participants))
	pcs := alice.initial.Update.PeerConnections
	require.Len(t, pcs, 1, "trap 8: the live connection is named")
	require.Equal(t, "pc", pcs[0].ID)
	require.Equal(t, offer.Description.Revision, pcs[0].Description.Revision)
	cam := alice.readyWith("cam")

	bob.until("back", func() bool {
		return len(bob.participants) > 2 && bob.participants[len(bob.participants)-1].State == signaling.StateConnected
	})
	var back signaling.RemoteParticipant
	for i, p := range bob.participants {
		require.Equal(t, i+1, p.Revision)
		if p.State == signaling.StateConnected && i > 0 && back.SID == "" {
			back = p
		}
	}
	require.Len(t, back.Tracks, 1, "with the track")
	alice.stream(out, media.VP8, 1)
	bob.connected()
	read(t, bob.inlet(bob.subscription(cam).ID), 10)
}

func TestResumeWithoutAnythingNewNamesTheConnection(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	alice.connected()
	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	alice.stream(out, media.VP8, 1)
	in := bob.inlet(mid)
	read(t, in, 5)
	before := bob.subscribed
	bob.cut()
	read(t, in, 50) // media goes on
	require.NoError(t, bob.resume())
	require.Equal(t, "pc", bob.initial.Update.PeerConnections[0].ID)
	require.Equal(t, before, bob.initial.Update.Subscribed.Tracks)
	read(t, in, 50)
	require.Equal(t, 1, len(w.srv.Participants("demo")[0].Tracks))
}

func TestT07SessionsAreBoundToTheirOwner(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Now = func() time.Time { return now } })
	alice := w.client("alice", "demo")
	require.NoError(t, alice.dial())
	alice.cut()
	token := alice.join.Token

	alice.join.Token = w.token("mallory", "")
	requireCode(t, signaling.CodeSignalingDisconnected, alice.resume())
	session := alice.initial.Session
	alice.join.Token, alice.initial.Session = token, "0123456789abcdef0123456789abcdef"
	requireCode(t, signaling.CodeSignalingDisconnected, alice.resume())
	alice.initial.Session = session
	forged, err := accesstoken.Token{Identity: "alice"}.Sign(accesstoken.Key{
		AccountSID: w.key.AccountSID, SID: w.key.SID, Secret: "guessed",
	})
	require.NoError(t, err)
	alice.join.Token = forged
	requireCode(t, signaling.CodeTokenSignatureInvalid, alice.resume())

	alice.join.Token = token
	now = now.Add(25 * time.Hour) // T6: an expired token is good for its session
	require.NoError(t, alice.resume())
	alice.join.Resume = ""
	_, err = w.transport().Dial(t.Context(), alice.join)
	requireCode(t, signaling.CodeTokenExpired, err)
}

func TestVanishedClientIsGoneAfterTheSessionTimeout(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.SessionTimeout = 300 * time.Millisecond })
	alice, bob := w.client("alice", "demo"), w.client("bob", "demo")
	alice.publish(signaling.KindData, "chat")
	require.NoError(t, alice.dial())
	require.NoError(t, bob.dial())
	require.Equal(t, 300*time.Millisecond, bob.initial.Room.SessionTimeout)
	began := time.Now()
	alice.cut()
	gone := bob.sees("alice", signaling.StateDisconnected)
	require.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
	require.Equal(t, signaling.DisconnectTimeout, gone.Reason)
	require.Len(t, gone.Tracks, 1, "trap 10")
	requireCode(t, signaling.CodeSignalingDisconnected, alice.resume())
}

func TestRepeatedOfferGetsTheSameAnswer(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	require.NoError(t, alice.dial())
	first := alice.initial.Update.PeerConnections[0].Description
	offer := alice.join.PeerConnections[0]
	require.NoError(t, alice.session.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{offer}}))
	alice.until("answer", func() bool { return len(alice.descriptions) == 2 })
	require.Equal(t, *first, alice.descriptions[1])
	alice.cut()
	require.NoError(t, alice.resume(offer))
	require.Equal(t, first, alice.initial.Update.PeerConnections[0].Description)
	// An older revision is not looked at.
	older := signaling.PeerConnection{ID: "pc", Description: &signaling.Description{
		Type: signaling.DescriptionOffer, Revision: 0, SDP: "nonsense",
	}}
	require.NoError(t, alice.session.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{older}}))
	alice.renegotiate()
}

func TestICERestartIsAnsweredLikeAnyOffer(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	alice.connected()
	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	alice.stream(out, media.VP8, 1)
	in := bob.inlet(mid)
	read(t, in, 5)
	for range 3 {
		bob.restart = true
		bob.renegotiate()
		read(t, in, 50)
	}
}

// A client whose connection is beyond repair makes another one. Publications
// and subscriptions stay who they are.
func TestAnotherConnectionTakesOver(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	alice.publish(signaling.KindData, "chat")
	dc, err := alice.pc.CreateChannel("chat", nil)
	require.NoError(t, err)
	opened := make(chan struct{})
	dc.OnOpen(func() { close(opened) })
	require.NoError(t, alice.dial())
	alice.connected()
	alice.stream(out, media.VP8, 1)
	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	cam, chat := alice.readyWith("cam"), alice.readyWith("chat")
	read(t, bob.inlet(mid), 5)
	former := bob.subscription(chat).ID

	bob.newConnection()
	mid = bob.slot(media.Video)
	bob.renegotiate()
	bob.connected()
	require.Equal(t, mid, bob.subscription(cam).ID)
	read(t, bob.inlet(mid), 20)
	bob.until("another channel", func() bool {
		for _, s := range bob.subscribed {
			if s.SID == chat && s.ID != former {
				former = s.ID
				return true
			}
		}
		return false
	})
	<-opened
	require.NoError(t, dc.SendText("hello"))
	bob.until("message", func() bool { return len(bob.messages[former]) == 1 })
}
