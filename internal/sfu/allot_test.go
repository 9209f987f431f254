package sfu_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// wishful is a client with a profile and the channels that go with it.
func (w *world) wishful(p *signaling.BandwidthProfile) *client {
	c := w.client("bob", "demo")
	c.join.BandwidthProfile = p
	c.join.Channels = []string{"track_priority", "track_switch_off", "render_hints"}
	return c
}

func (c *client) say(name, payload string) {
	c.t.Helper()
	require.NoError(c.t, c.session.Send(signaling.Update{Channels: []signaling.Channel{{Name: name, Payload: []byte(payload)}}}))
}

// isOff waits until the server has said of exactly these that they are off.
func (c *client) isOff(sids ...string) {
	c.t.Helper()
	slices.Sort(sids)
	c.until("switched off", func() bool {
		off := []string{}
		for _, ch := range c.said {
			var m struct {
				Off []string `json:"off"`
				On  []string `json:"on"`
			}
			if ch.Name != "track_switch_off" || json.Unmarshal(ch.Payload, &m) != nil {
				continue
			}
			off = slices.DeleteFunc(off, func(sid string) bool { return slices.Contains(m.On, sid) })
			off = append(off, m.Off...)
		}
		slices.Sort(off)
		return slices.Equal(slices.Compact(off), sids)
	})
}

func (w *world) publisher(name string, priority signaling.Priority, tracks ...string) (c *client, sids []string) {
	c = w.client(name, "demo")
	for _, track := range tracks {
		out := c.publish(signaling.KindVideo, track)
		c.join.Participant.Tracks[len(c.join.Participant.Tracks)-1].Priority = priority
		defer c.stream(out, media.VP8, 100)
	}
	require.NoError(w.t, c.dial())
	for _, track := range tracks {
		sids = append(sids, c.readyWith(track))
	}
	c.connected()
	return c, sids
}

func TestProfileDecidesWhatIsSent(t *testing.T) {
	w := newWorld(t)
	_, low := w.publisher("low", signaling.PriorityLow, "a", "b")
	_, high := w.publisher("high", signaling.PriorityHigh, "c")
	bob := w.wishful(&signaling.BandwidthProfile{MaxTracks: 1})
	for range 3 {
		bob.slot(media.Video)
	}
	require.NoError(t, bob.dial())
	require.ElementsMatch(t, []string{"control", "render_hints", "track_priority", "track_switch_off"}, bob.initial.Capabilities.Channels)
	bob.isOff(low...)
	bob.connected()

	bob.say("track_priority", `{"type":"track_priority","track":"`+low[1]+`","subscribe":"high"}`)
	bob.say("track_priority", `{"type":"track_priority","track":"`+high[0]+`","subscribe":"low"}`)
	bob.isOff(low[0], high[0])
	for _, nonsense := range []string{
		`{"type":"track_priority","track":"` + low[1] + `","subscribe":"highest"}`,
		`{"type":"track_priority","track":"` + low[1] + `","subscribe":7}`,
		`{"type":"track_priority","track":"MTnobody","subscribe":"low"}`,
		`{"type":"other","track":"` + low[1] + `","subscribe":"low"}`, `[]`,
	} {
		bob.say("track_priority", nonsense)
	}
	bob.say("track_priority", `{"type":"track_priority","track":"`+high[0]+`","subscribe":null}`)
	bob.say("track_priority", `{"type":"track_priority","track":"`+low[1]+`","subscribe":"standard"}`)
	bob.isOff(low...)

	// Another profile takes the place of the first.
	require.NoError(t, bob.session.Send(signaling.Update{BandwidthProfile: &signaling.BandwidthProfile{MaxTracks: 2}}))
	bob.isOff(low[0])
	require.NoError(t, bob.session.Send(signaling.Update{BandwidthProfile: &signaling.BandwidthProfile{}}))
	bob.isOff()
}

func TestHintsAreAnswered(t *testing.T) {
	w := newWorld(t)
	alice, sids := w.publisher("alice", signaling.PriorityStandard, "a", "b")
	bob := w.wishful(nil)
	bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.say("render_hints", `{"type":"render_hints","subscriber":{"id":3,"hints":[
		{"track":"`+sids[0]+`","enabled":false}, {"track":"MTnobody","enabled":true},
		{"track":"`+sids[1]+`","render_dimensions":{"width":-4,"height":1}}]}}`)
	answered := func(want string) {
		t.Helper()
		bob.until("an answer", func() bool {
			return slices.ContainsFunc(bob.said, func(c signaling.Channel) bool {
				return c.Name == "render_hints" && string(c.Payload) == want
			})
		})
	}
	answered(`{"type":"render_hints","subscriber":{"id":3,"hints":[{"track":"` + sids[0] + `","result":"OK"},` +
		`{"track":"MTnobody","result":"UNKNOWN_TRACK"},{"track":"` + sids[1] + `","result":"INVALID_HINT"}]}}`)
	bob.isOff(sids[0])
	bob.say("render_hints", `{"type":"render_hints","subscriber":{"id":4,"hints":[{"track":"`+sids[0]+`","enabled":true}]}}`)
	answered(`{"type":"render_hints","subscriber":{"id":4,"hints":[{"track":"` + sids[0] + `","result":"OK"}]}}`)
	bob.isOff()

	// Of a track that is gone nothing is known any more.
	alice.unpublish("a")
	alice.tell()
	bob.until("one track", func() bool { return len(bob.subscribed) == 1 })
	bob.say("render_hints", `{"type":"render_hints","subscriber":{"id":5,"hints":[{"track":"`+sids[0]+`","enabled":false}]}}`)
	answered(`{"type":"render_hints","subscriber":{"id":5,"hints":[{"track":"` + sids[0] + `","result":"UNKNOWN_TRACK"}]}}`)
}

func TestBrowsersAreToldWhatIsOff(t *testing.T) {
	w := newWorld(t)
	_, sids := w.publisher("alice", signaling.PriorityStandard, "a", "b")
	b := w.browser("bob", "demo", "track_priority", "track_switch_off", "render_hints")
	b.profile = object{"video": object{"max_tracks": 1}}
	b.slot(media.Video)
	b.dial()
	dc := b.channel("track_switch_off")
	require.NoError(t, dc.SendText(`{"type":"ready"}`))
	require.Equal(t, []string{`{"type":"track_switch_off","off":["` + sids[1] + `"],"on":["` + sids[0] + `"]}`}, b.said("track_switch_off", 1))
	priority := b.channel("track_priority")
	require.NoError(t, priority.SendText(`{"type":"ready"}`))
	require.NoError(t, priority.SendText(`{"type":"track_priority","track":"`+sids[1]+`","subscribe":"high"}`))
	require.Equal(t, `{"type":"track_switch_off","off":["`+sids[0]+`"],"on":["`+sids[1]+`"]}`, b.said("track_switch_off", 2)[1])
}

func TestEstimateOfTheDownlinkBoundsIt(t *testing.T) {
	w := newWorld(t)
	_, low := w.publisher("low", signaling.PriorityLow, "a")
	_, high := w.publisher("high", signaling.PriorityHigh, "b")
	bob := w.wishful(&signaling.BandwidthProfile{})
	bob.slot(media.Video)
	bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	read(t, bob.inlet(bob.subscription(low[0]).ID), 10)
	read(t, bob.inlet(bob.subscription(high[0]).ID), 10)
	w.srv.Estimate("bob", 22_000) // bits per second, of almost twenty thousand each, or half on a busy machine
	bob.isOff(low[0])
	w.srv.Estimate("bob", 1000)
	bob.isOff(low[0], high[0])
	w.srv.Estimate("bob", 1_000_000)
	bob.isOff()
}

func TestSpeakersGoFirst(t *testing.T) {
	w := newWorld(t)
	_, first := w.publisher("first", signaling.PriorityStandard, "a")
	second, other := w.publisher("second", signaling.PriorityStandard, "b")
	bob := w.wishful(&signaling.BandwidthProfile{MaxTracks: 1})
	bob.slot(media.Video)
	bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.isOff(other...)
	w.srv.Speaker("bob", second.initial.Participant.SID)
	bob.isOff(first...)
	w.srv.Speaker("bob", "")
	bob.say("render_hints", `{"type":"render_hints","subscriber":{"id":1,"hints":[{"track":"`+other[0]+`","enabled":false}]}}`)
	bob.isOff(other...)
	bob.say("render_hints", `{"type":"render_hints","subscriber":{"id":2,"hints":[{"track":"`+other[0]+`","enabled":true}]}}`)
	bob.isOff(first...)
}
