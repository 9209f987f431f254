package sfu_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// midOf finds the section that carries a subscription, as browsers do.
func (c *client) midOf(subscription string) (mid string) {
	c.t.Helper()
	c.until("section of "+subscription, func() bool {
		for _, s := range c.pc.RemoteSections() {
			if s.Track == subscription && s.Direction != "inactive" {
				mid = s.Mid
			}
		}
		return mid != ""
	})
	return mid
}

func TestWithoutSlotsTheServerOffersASectionForEachTrack(t *testing.T) {
	w := newWorld(t)
	bob := w.client("bob", "demo")
	bob.join.Slots = false
	first := bob.slot(media.Video) // as browsers do when they publish nothing
	require.NoError(t, bob.dial())
	require.False(t, bob.initial.Capabilities.Slots)
	bob.connected()

	alice := w.client("alice", "demo")
	one, two := alice.publish(signaling.KindVideo, "one"), alice.publish(signaling.KindVideo, "two")
	voice := alice.publish(signaling.KindAudio, "voice")
	require.NoError(t, alice.dial())
	alice.connected()
	alice.stream(one, media.VP8, 100)
	alice.stream(two, media.VP8, 40000)
	alice.stream(voice, media.Opus, 7)

	sub := bob.subscription(alice.readyWith("one"))
	mid := bob.midOf(sub.ID)
	require.Equal(t, first, mid, "the section that was offered first is used first")
	read(t, bob.inlet(mid), 20)
	for _, id := range []string{"two", "voice"} {
		mid := bob.midOf(bob.subscription(alice.readyWith(id)).ID)
		require.True(t, strings.HasPrefix(mid, "s"), mid)
		for i, p := range read(t, bob.inlet(mid), 20) {
			require.Len(t, p.Extensions, 1, "%d: the number across the transport, and nothing of the publisher's", i)
		}
	}

	// A section that is free again is used again, under another id.
	old := bob.subscription(alice.readyWith("voice"))
	oldMid := bob.midOf(old.ID)
	before := bob.inlet(oldMid)
	alice.unpublish("voice")
	alice.tell()
	bob.until("end of the subscription", func() bool { return len(bob.subscribed) == 2 })
	bob.until("section that sends no more", func() bool {
		for _, s := range bob.pc.RemoteSections() {
			if s.Mid == oldMid {
				return s.Direction == "recvonly"
			}
		}
		return false
	})
	bob.renegotiate() // once it is answered the server has seen the answer to its own offer
	again := alice.publish(signaling.KindAudio, "again")
	alice.renegotiate()
	alice.stream(again, media.Opus, 7)
	next := bob.subscription(alice.readyWith("again"))
	require.NotEqual(t, old.ID, next.ID)
	require.Equal(t, oldMid, bob.midOf(next.ID))
	bob.until("new inlet", func() bool { return bob.inlets[oldMid] != before })
	read(t, bob.inlet(oldMid), 20)
}

func TestOpensASectionForDataWhereThereIsNone(t *testing.T) {
	w := newWorld(t)
	bob := w.client("bob", "demo")
	bob.join.Slots = false
	bob.slot(media.Audio)
	require.NoError(t, bob.dial())
	bob.connected()
	alice := w.client("alice", "demo")
	alice.publish(signaling.KindData, "chat")
	dc, err := alice.pc.CreateChannel("chat", nil)
	require.NoError(t, err)
	opened := make(chan struct{})
	dc.OnOpen(func() { close(opened) })
	require.NoError(t, alice.dial())
	label := bob.subscription(alice.readyWith("chat")).ID
	<-opened
	require.NoError(t, dc.SendText("hello"))
	bob.until("message", func() bool { return len(bob.messages[label]) == 1 })
}

// Each time that the server offers, the client offers too, with the same
// revision, as one does that has not seen the server's offer yet.
func TestTrap11CrossedOffersCostNothing(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Limits.MessageRate, cfg.Limits.MessageBurst = 10_000, 10_000 })
	alice := w.client("alice", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	alice.connected()
	cam := alice.readyWith("cam")

	bob := w.client("bob", "demo")
	bob.join.Slots = false
	bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	crossed, latest := 0, 0
	bob.onOffer = func(d *signaling.Description) {
		sdp, err := bob.pc.Offer(false) // never applied: the server wins
		if err != nil {
			t.Errorf("offer: %v", err)
		}
		bob.sendDescription(signaling.DescriptionOffer, d.Revision, sdp)
		bob.answer(d)
		bob.change(func() { crossed, latest = crossed+1, d.Revision })
	}
	times := 200 // the client's transport takes its time: 50 messages a second
	if testing.Short() {
		times = 50
	}
	for i := range times {
		rules := []signaling.Rule{{All: true, Exclude: i%2 == 0}}
		require.NoError(t, bob.session.Send(signaling.Update{Subscribe: &signaling.Subscribe{Revision: 2 + i, Rules: rules}}))
		bob.until(fmt.Sprintf("offer %d", i), func() bool { return crossed == i+1 })
	}
	// The offer that was ignored comes again, and is answered.
	bob.renegotiate()
	bob.mu.Lock()
	answer := bob.descriptions[len(bob.descriptions)-1]
	bob.mu.Unlock()
	require.Equal(t, signaling.DescriptionAnswer, answer.Type)
	require.Greater(t, answer.Revision, latest)

	alice.stream(out, media.VP8, 1)
	sub := bob.subscription(cam)
	read(t, bob.inlet(bob.midOf(sub.ID)), 20)
	require.Less(t, len(bob.pc.RemoteSections()), 8, "sections are used again")
}

// What finds no section fails with a code, and is subscribed when another ends.
func TestTooManySectionsFailASubscription(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Limits.Sections = 3 }) // one is for data
	bob := w.client("bob", "demo")
	bob.join.Slots = false
	bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	for _, id := range []string{"one", "two"} {
		alice := w.client("alice-"+id, "demo")
		alice.publish(signaling.KindVideo, id)
		require.NoError(t, alice.dial())
		bob.subscription(alice.readyWith(id))
	}
	alice := w.client("alice", "demo")
	alice.publish(signaling.KindVideo, "three")
	require.NoError(t, alice.dial())
	sid := alice.readyWith("three")
	bob.until("failure", func() bool {
		return slices.ContainsFunc(bob.subscribed, func(s signaling.Subscription) bool {
			return s.SID == sid && s.ID == "" && s.Err != nil && s.Err.Code == signaling.CodeTrackCapacityReached
		})
	})
	require.True(t, w.srv.Remove("demo", "alice-one"))
	bob.subscription(sid)
}

// TestForgottenTrackIsAskedFor has a client without slots announce a track and
// forget to offer a section for it, as browsers do that make another offer
// meanwhile.
func TestForgottenTrackIsAskedFor(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	alice.join.Slots = false
	first := alice.publish(signaling.KindVideo, "first")
	require.NoError(t, alice.dial())
	alice.connected()
	bob := w.client("bob", "demo")
	bob.slot(media.Video)
	bob.slot(media.Video)
	require.NoError(t, bob.dial())
	alice.stream(first, media.VP8, 1)
	bob.subscription(alice.readyWith("first"))

	second := alice.publish(signaling.KindVideo, "second")
	alice.tell()
	asked := func() (n int) {
		for _, d := range alice.descriptions {
			if d.Type == signaling.DescriptionCreateOffer {
				require.Equal(t, 2, d.Revision)
				n++
			}
		}
		return n
	}
	alice.until("request for an offer", func() bool { return asked() == 1 })
	alice.renegotiate()
	alice.stream(second, media.VP8, 1)
	sub := bob.subscription(alice.readyWith("second"))
	read(t, bob.inlet(sub.ID), 20)
	require.Equal(t, 1, asked())
}
