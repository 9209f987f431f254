package sfu_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// channel opens the data channel of a publication and waits for it.
func (c *client) channel(label string, init *webrtc.DataChannelInit) *webrtc.DataChannel {
	c.t.Helper()
	dc, err := c.pc.CreateChannel(label, init)
	require.NoError(c.t, err)
	dc.OnClose(func() { c.change(func() { c.shut = append(c.shut, label) }) })
	return dc
}

func (c *client) opened(dc *webrtc.DataChannel) {
	c.t.Helper()
	dc.OnOpen(func() { c.change(func() {}) })
	c.until("open channel", func() bool { return dc.ReadyState() == webrtc.DataChannelStateOpen })
}

// pair is a publisher of one data track and a subscriber to it.
func (w *world) pair(init *webrtc.DataChannelInit) (alice, bob *client, dc *webrtc.DataChannel, label string) {
	alice, bob = w.client("alice", "demo"), w.client("bob", "demo")
	alice.publish(signaling.KindData, "chat")
	dc = alice.channel("chat", init)
	require.NoError(w.t, alice.dial())
	alice.opened(dc)
	require.NoError(w.t, bob.dial())
	label = bob.subscription(alice.readyWith("chat")).ID
	bob.until("channel", func() bool { return bob.channels[label] != nil })
	return alice, bob, dc, label
}

func TestTrap13ReliabilityIsCopied(t *testing.T) {
	for name, init := range map[string]*webrtc.DataChannelInit{
		"reliable": {}, "unordered": {Ordered: ptr(false)},
		"retransmits": {Ordered: ptr(false), MaxRetransmits: ptr(uint16(3))},
		"lifetime":    {MaxPacketLifeTime: ptr(uint16(250))},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, bob, dc, label := w.pair(init)
			got := bob.channels[label]
			require.Equal(t, dc.Ordered(), got.Ordered())
			require.Equal(t, dc.MaxRetransmits(), got.MaxRetransmits())
			require.Equal(t, dc.MaxPacketLifeTime(), got.MaxPacketLifeTime())
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestMessagesSentBeforeTheSubscribersChannelIsOpenArrive(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	alice.publish(signaling.KindData, "chat")
	dc := alice.channel("chat", nil)
	require.NoError(t, alice.dial())
	alice.opened(dc)
	chat := alice.readyWith("chat")
	// Its connection cannot be up yet when it is told of the subscription.
	bob := w.client("bob", "demo")
	require.NoError(t, bob.dial())
	label := bob.subscription(chat).ID
	const n = 50
	for i := range n {
		require.NoError(t, dc.SendText(fmt.Sprint(i)))
	}
	bob.until("messages", func() bool { return len(bob.messages[label]) == n })
	for i, m := range bob.messages[label] {
		require.Equal(t, fmt.Sprint(i), string(m.Data))
	}
}

func TestAChannelMayOpenBeforeItsPublicationIsKnown(t *testing.T) {
	w := newWorld(t)
	bob := w.client("bob", "demo")
	require.NoError(t, bob.dial())
	bob.connected()
	alice := w.client("alice", "demo")
	dc := alice.channel("later", nil)
	require.NoError(t, alice.dial())
	alice.opened(dc)
	require.NoError(t, dc.SendText("early"))
	alice.publish(signaling.KindData, "later")
	alice.tell()
	label := bob.subscription(alice.readyWith("later")).ID
	require.NoError(t, dc.SendText("late"))
	bob.until("late message", func() bool {
		m := bob.messages[label]
		return len(m) > 0 && string(m[len(m)-1].Data) == "late"
	})
}

func TestT23TooLargeMessageEndsItsPublicationOnly(t *testing.T) {
	w := newWorld(t)
	alice, bob, dc, label := w.pair(nil)
	require.NoError(t, dc.Send(make([]byte, 16<<10)))
	bob.until("message", func() bool { return len(bob.messages[label]) == 1 })
	require.NoError(t, dc.Send(make([]byte, 16<<10+1)))
	alice.until("failure", func() bool { return alice.published["chat"].State == signaling.PublishFailed })
	require.Equal(t, signaling.CodeTrackInvalid, alice.published["chat"].Err.Code)
	alice.until("closed channel", func() bool { return len(alice.shut) == 1 })
	bob.until("unsubscribed", func() bool { return len(bob.subscribed) == 0 })
	require.Len(t, bob.messages[label], 1)
	// The client takes it out, and may publish again.
	alice.unpublish("chat")
	alice.publish(signaling.KindData, "again")
	alice.tell()
	dc = alice.channel("again", nil)
	alice.opened(dc)
	next := bob.subscription(alice.readyWith("again")).ID
	require.NoError(t, dc.SendText("x"))
	bob.until("message", func() bool { return len(bob.messages[next]) == 1 })
}

func TestT23PublishersRateHoldsItBack(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Limits.DataMessages = 100 })
	_, bob, dc, label := w.pair(nil)
	began := time.Now()
	const n = 150 // a second's worth at once, then half a second
	for i := range n {
		require.NoError(t, dc.Send(binary.BigEndian.AppendUint32(nil, uint32(i))))
	}
	bob.until("messages", func() bool { return len(bob.messages[label]) == n })
	require.GreaterOrEqual(t, time.Since(began), 450*time.Millisecond)
	for i, m := range bob.messages[label] {
		require.EqualValues(t, i, binary.BigEndian.Uint32(m.Data), "delayed, not lost")
	}
}

func TestT23ChannelsAreLimited(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Limits.Channels = 4 })
	alice := w.client("alice", "demo")
	require.NoError(t, alice.dial())
	for i := range 6 {
		alice.channel(fmt.Sprint(i), nil)
	}
	alice.until("two closed", func() bool { return len(alice.shut) == 2 })
}

// TestT11 has a subscriber that takes nothing from the network: it is ended,
// and nobody else notices.
func TestT11SlowSubscriberIsEndedAlone(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) {
		cfg.Limits.DataBacklog, cfg.Limits.DataMessages, cfg.Limits.DataBytes = 256<<10, -1, -1
		cfg.Limits.DataPatience = 200 * time.Millisecond
	})
	alice, bob, dc, label := w.pair(nil)
	slow := w.client("slow", "demo")
	require.NoError(t, slow.dial())
	slowLabel := slow.subscription(alice.readyWith("chat")).ID
	slow.until("channel", func() bool { return slow.channels[slowLabel] != nil })
	release := make(chan struct{})
	blocked := make(chan struct{}, 1)
	slow.channels[slowLabel].OnMessage(func(webrtc.DataChannelMessage) {
		select {
		case blocked <- struct{}{}:
		default:
		}
		<-release
	})
	defer close(release)
	message := bytes.Repeat([]byte("x"), 8<<10)
	sent := 0
	more := func(n int) {
		for range n {
			require.NoError(t, dc.Send(message))
		}
		sent += n
		bob.until(fmt.Sprint(sent, " messages"), func() bool { return len(bob.messages[label]) == sent })
	}
	for range 40 { // up to 2.5 MB: 1 MiB fits the association's window
		more(8)
	}
	<-blocked
	slow.until("end", func() bool { return slow.err != nil })
	var e *signaling.Error
	require.ErrorAs(t, slow.err, &e)
	require.Equal(t, signaling.DisconnectSlow, e.Reason)
	require.Equal(t, signaling.DisconnectSlow, bob.sees("slow", signaling.StateDisconnected).Reason)
	require.Contains(t, w.metrics(), "parley_stays_ended_total{reason=\"slow\"} 1\n")
	more(8)
}

func TestUnreliableMessagesToASlowSubscriberAreDropped(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) {
		cfg.Limits.DataBacklog, cfg.Limits.DataMessages, cfg.Limits.DataBytes = 64<<10, -1, -1
	})
	alice := w.client("alice", "demo")
	alice.publish(signaling.KindData, "chat")
	dc := alice.channel("chat", &webrtc.DataChannelInit{MaxRetransmits: ptr(uint16(0))})
	require.NoError(t, alice.dial())
	alice.opened(dc)
	bob := w.client("bob", "demo")
	require.NoError(t, bob.dial())
	label := bob.subscription(alice.readyWith("chat")).ID
	// Nothing leaves before bob's connection is up, and little is kept.
	for range 100 {
		require.NoError(t, dc.Send(make([]byte, 8<<10)))
	}
	bob.until("channel", func() bool { return bob.channels[label] != nil })
	// When there is room again messages pass again.
	arrived := func() bool {
		m := bob.messages[label]
		return len(m) > 0 && m[len(m)-1].IsString
	}
	for {
		bob.until("room", func() bool { return len(bob.messages[label]) > 0 })
		require.NoError(t, dc.SendText("last"))
		bob.mu.Lock()
		done, changed := arrived(), bob.changed
		whole := 0
		for _, m := range bob.messages[label] {
			if !m.IsString {
				whole++
			}
		}
		bob.mu.Unlock()
		if done {
			require.Less(t, whole, 100, "some were dropped")
			break
		}
		<-changed
	}
	require.NoError(t, bob.err)
}
