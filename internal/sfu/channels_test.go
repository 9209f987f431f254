package sfu_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

func TestBrowsersHaveADataChannelForEachChannel(t *testing.T) {
	w := newWorld(t)
	b := w.browser("alice", "demo", "echo", "unheard of")
	b.slot(media.Audio)
	b.dial()
	require.Len(t, b.labels, 1, "only what is served is announced")
	dc := b.channel("echo")
	require.True(t, dc.Ordered())
	b.change(func() { require.Empty(t, b.messages[dc.Label()], "nothing is said to who is not ready") })
	require.NoError(t, dc.SendText(`{"type":"ready"}`))
	require.Equal(t, []string{`{"type":"hello"}`}, b.said("echo", 1))
	require.NoError(t, dc.SendText(`{"type":"x","n":1}`))
	require.Equal(t, `{"type":"x","n":1}`, b.said("echo", 2)[1])

	// A lost socket changes nothing, and the channel is named again.
	before := dc.Label()
	clear(b.labels)
	require.Equal(t, 1, w.srv.Cut("alice"))
	<-b.done
	require.NoError(t, dc.SendText(`{"type":"x","n":2}`))
	b.resumeNow()
	require.Equal(t, map[string]string{"echo": before}, b.labels)
	// The answer, and where things stand now, in either order.
	require.ElementsMatch(t, []string{`{"type":"x","n":2}`, `{"type":"hello"}`}, b.said("echo", 4)[2:])

	// Another connection has another channel.
	b.newConnection()
	b.slot(media.Audio)
	b.renegotiate()
	again := b.channel("echo")
	require.NotEqual(t, before, again.Label())
	require.NoError(t, again.SendText(`{"type":"ready"}`))
	b.said("echo", 1)

	// A channel that is closed stays closed.
	require.NoError(t, again.Close())
	b.renegotiate()
	b.change(func() {
		require.Equal(t, again.Label(), b.labels["echo"])
		require.Len(t, b.channels, 2)
	})
}

func TestNonsenseOnAChannelCostsNobodyAnything(t *testing.T) {
	w := newWorld(t)
	b := w.browser("mallory", "demo", "echo")
	b.dial()
	bob := w.browser("bob", "demo", "echo")
	bob.dial()
	dc := b.channel("echo")
	require.NoError(t, dc.SendText(`{"type":"ready"}`))
	b.said("echo", 1)
	for _, text := range []string{"", "no JSON", `{"type":`, `[]`, `null`, `{"type":7}`, strings.Repeat("x", 60<<10)} {
		require.NoError(t, dc.SendText(text))
	}
	require.NoError(t, dc.Send([]byte{0, 0xff}))
	require.NoError(t, dc.SendText(`{"type":"still here"}`))
	require.Equal(t, `{"type":"still here"}`, b.said("echo", 2)[1])
	for i := range 2000 {
		require.NoError(t, dc.SendText(fmt.Sprintf(`{"type":"flood","n":%d}`, i)))
	}
	// What is beyond the limit is not heard; the others are.
	other := bob.channel("echo")
	require.NoError(t, other.SendText(`{"type":"ready"}`))
	bob.said("echo", 1)
	bob.sees("mallory", signaling.StateConnected)
	b.said("echo", 100)
	b.change(func() { require.Less(t, len(b.messages[dc.Label()]), 1000) })
}

func TestChannelsOfClientsThatKnowOurExtensionsGoWithTheSignaling(t *testing.T) {
	w := newWorld(t)
	c := w.client("alice", "demo")
	c.join.Channels = []string{"echo", "unheard of"}
	require.NoError(t, c.dial())
	require.Equal(t, []string{"control", "echo"}, c.initial.Capabilities.Channels)
	hello := signaling.Channel{Name: "echo", Payload: []byte(`{"type":"hello"}`)}
	require.Equal(t, []signaling.Channel{hello}, c.initial.Update.Channels, "with the answer to the join")
	say := func(payloads ...string) {
		var u signaling.Update
		for _, p := range payloads {
			u.Channels = append(u.Channels, signaling.Channel{Name: "echo", Payload: []byte(p)})
		}
		require.NoError(t, c.session.Send(u))
	}
	say(`{"type":"x"}`, `7`, `{"type":"ready"}`, `{"type":"y"}`)
	c.until("echo", func() bool { return len(c.said) == 3 })
	require.JSONEq(t, `{"type":"y"}`, string(c.said[2].Payload))

	c.cut()
	require.NoError(t, c.resume())
	require.Equal(t, []signaling.Channel{hello}, c.initial.Update.Channels, "and when it is back")
	c.change(func() { require.Empty(t, c.channels) })
	var flood []string
	for i := range 400 {
		flood = append(flood, fmt.Sprintf(`{"type":"flood","n":%d}`, i))
	}
	say(flood...)
	c.until("some of the flood", func() bool { return len(c.said) > 100 })
	c.tracksAreHeard()
	c.change(func() { require.Less(t, len(c.said), 300) })
}

// tracksAreHeard makes sure that the server listens.
func (c *client) tracksAreHeard() {
	c.t.Helper()
	c.publish(signaling.KindVideo, "late")
	c.renegotiate()
	c.readyWith("late")
}
