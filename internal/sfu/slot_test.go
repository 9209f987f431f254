package sfu_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

func (c *client) setRules(revision int, rules ...signaling.Rule) {
	c.t.Helper()
	require.NoError(c.t, c.session.Send(signaling.Update{Subscribe: &signaling.Subscribe{Revision: revision, Rules: rules}}))
}

func TestSlotIsUsedByOneTrackAfterTheOther(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	one, two := alice.publish(signaling.KindVideo, "one"), alice.publish(signaling.KindVideo, "two")
	require.NoError(t, alice.dial())
	alice.connected()
	sids := []string{alice.readyWith("one"), alice.readyWith("two")}
	alice.stream(one, media.VP8, 65000)
	alice.stream(two, media.VP8, 1000)

	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	only := func(i int) signaling.Rule { return signaling.Rule{Track: sids[i]} }
	bob.join.Subscribe.Rules = []signaling.Rule{only(0)}
	require.NoError(t, bob.dial())
	bob.connected()
	require.Equal(t, mid, bob.subscription(sids[0]).ID)
	in := bob.inlet(mid)
	last := read(t, in, 50)[49]
	// The synthetic stream advances 450 of 90 kHz each 5 ms, with the sequence
	// number in its payload: which one it is can be told.
	for round := 1; round < 6; round++ {
		which := round % 2
		bob.setRules(1+round, only(which))
		sub := bob.subscription(sids[which])
		require.Equal(t, mid, sub.ID)
		require.Greater(t, sub.From-last.SequenceNumber, uint16(0))
		for i := 0; i < 50; {
			p := read(t, in, 1)[0]
			require.Equal(t, last.SequenceNumber+1, p.SequenceNumber, "one sequence through all publications")
			step := int32(p.Timestamp - last.Timestamp)
			require.Greater(t, step, int32(0), "one clock")
			require.Less(t, step, int32(90_000*5))
			if int16(p.SequenceNumber-sub.From) >= 0 {
				i++ // of the new publication
			}
			if p.SequenceNumber != sub.From && int16(p.SequenceNumber-sub.From) > 0 {
				require.Equal(t, payloadSeq(last.Payload)+1, payloadSeq(p.Payload))
			}
			last = p
		}
	}
}

func payloadSeq(b []byte) uint16 { return uint16(b[7])<<8 | uint16(b[8]) }

func TestSubscriptionsWaitForSlots(t *testing.T) {
	w := newWorld(t)
	bob := w.client("bob", "demo")
	mids := []string{bob.slot(media.Video)}
	require.NoError(t, bob.dial())
	alice := w.client("alice", "demo")
	var outs []*rtc.Outlet
	for i := range 3 {
		outs = append(outs, alice.publish(signaling.KindVideo, fmt.Sprint(i)))
	}
	require.NoError(t, alice.dial())
	sids := []string{alice.readyWith("0"), alice.readyWith("1"), alice.readyWith("2")}
	waiting := func() (n int) {
		for _, s := range bob.subscribed {
			if s.ID == "" && s.Err == nil {
				n++
			}
		}
		return n
	}
	bob.until("three, two of which wait", func() bool { return len(bob.subscribed) == 3 && waiting() == 2 })
	mids = append(mids, bob.slot(media.Video), bob.slot(media.Video))
	bob.renegotiate()
	seen := map[string]bool{}
	for _, sid := range sids {
		seen[bob.subscription(sid).ID] = true
	}
	for _, mid := range mids {
		require.True(t, seen[mid], mid)
	}
	bob.connected()
	alice.connected()
	for i, out := range outs {
		alice.stream(out, media.VP8, uint16(i))
	}
	for _, sid := range sids {
		read(t, bob.inlet(bob.subscription(sid).ID), 10)
	}
	require.Equal(t, 2, bob.answers(), "no offers, and one answer for each of the client's")
}

func (c *client) answers() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.descriptions {
		if d.Type != signaling.DescriptionAnswer {
			return -1
		}
		n++
	}
	return n
}

func TestFreeSlotUnusedLongestIsTaken(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	alice.publish(signaling.KindAudio, "one")
	alice.publish(signaling.KindAudio, "two")
	require.NoError(t, alice.dial())
	one, two := alice.readyWith("one"), alice.readyWith("two")
	bob := w.client("bob", "demo")
	first, second := bob.slot(media.Audio), bob.slot(media.Audio)
	bob.join.Subscribe.Rules = []signaling.Rule{{Track: "name of one"}}
	require.NoError(t, bob.dial())
	require.Equal(t, first, bob.subscription(one).ID)
	bob.setRules(2, signaling.Rule{Track: "name of two", Publisher: "alice"})
	// The slot that is given up in the same step has just been used.
	require.Equal(t, second, bob.subscription(two).ID)
	bob.setRules(3, signaling.Rule{Track: one})
	require.Equal(t, first, bob.subscription(one).ID)
	bob.setRules(4, signaling.Rule{All: true}, signaling.Rule{Exclude: true, Kind: signaling.KindAudio})
	bob.until("nothing", func() bool { return len(bob.subscribed) == 0 })
}

func TestLateSubscriberGetsAKeyframe(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	asked := make(chan struct{}, 100)
	out, err := alice.pc.AddOutlet(media.Video, rtc.OutletConfig{
		Codec: media.VP8, ID: "cam", Keyframe: func() { asked <- struct{}{} },
	})
	require.NoError(t, err)
	alice.join.Participant.Tracks = []signaling.LocalTrack{{ID: "cam", Name: "cam", Kind: signaling.KindVideo}}
	require.NoError(t, alice.dial())
	alice.connected()
	s := alice.stream(out, media.VP8, 1)
	s.delta.Store(true) // it sends none by itself
	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	<-asked
	<-asked // again, as long as none comes
	s.delta.Store(false)
	in := bob.inlet(mid)
	require.Zero(t, read(t, in, 1)[0].Payload[1]&1, "the first frame is a key frame")
	s.delta.Store(true)
	read(t, in, 10)
	require.Zero(t, in.Stats().Lost)
}

func TestT24KeyframeRequestsAreThrottled(t *testing.T) {
	w := newWorld(t)
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
	began := time.Now()
	for range 400 { // two seconds and more, at 200 packets and requests a second
		read(t, in, 1)
		require.NoError(t, in.RequestKeyframe())
	}
	got := out.Stats().Keyframes
	require.GreaterOrEqual(t, got, int64(2), "the first at once, the last remembered")
	pauses := int64(time.Since(began) / (500 * time.Millisecond))
	require.LessOrEqual(t, got, pauses+4, "one for each pause, and those of the beginning")
}
