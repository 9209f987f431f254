//go:build e2e

package interop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
)

// neighbors are a browser and a program that have each other's video, in a room
// where others misbehave.
type neighbors struct {
	p *page
	g *program
}

func (w *world) neighbors() *neighbors {
	w.t.Helper()
	n := &neighbors{g: w.program("program", clip(w.t, media.VP8, "picture"))}
	n.p = w.join("neighbor", options{"tracks": []options{track("video", "camera"), track("audio", "microphone")}})
	n.unharmed()
	return n
}

// unharmed checks that both go on receiving, and lost nothing on the way.
func (n *neighbors) unharmed() {
	n.p.t.Helper()
	n.p.plays("program", "picture")
	for _, name := range []string{"camera", "microphone"} {
		e := heard(n.g, func(e parley.TrackStarted) bool { return e.Track.Name() == name })
		media := e.Track.(interface{ Stats() parley.TrackStats })
		wait := time.NewTicker(10 * time.Millisecond)
		limit := time.NewTimer(patience * time.Millisecond)
		for begin := media.Stats().Packets; media.Stats().Packets < begin+20; {
			select {
			case <-wait.C:
			case <-limit.C:
				require.FailNow(n.p.t, "nothing is received", name)
			}
		}
		wait.Stop()
		limit.Stop()
	}
	require.Equal(n.p.t, "connected", n.p.text("lab.room.state"))
	require.InDelta(n.p.t, 0, n.p.count(`lab.seen("Room", "reconnecting")`), 0)
	require.InDelta(n.p.t, 0, n.p.count(`lab.seen("Room", "trackUnsubscribed")`), 0)
	require.Zero(n.p.t, has(n.g, func(parley.TrackUnsubscribed) bool { return true }))
	require.Zero(n.p.t, has(n.g, func(parley.Reconnecting) bool { return true }))
}

// TestNonsenseBeforeJoining sends what no client would over sockets that have
// not joined.
func TestNonsenseBeforeJoining(t *testing.T) {
	w := newWorld(t)
	n := w.neighbors()
	p := w.open()
	hello := func(body any) string {
		frame := map[string]any{"type": "hello", "version": 2, "id": "1", "timeout": 5000}
		if body != nil {
			frame["body"] = body
		}
		return js(frame)
	}
	connect := func(change map[string]any) string {
		body := map[string]any{
			"type": "connect", "version": 2, "name": "lab", "token": w.token("nonsense"), "format": "unified",
			"participant": map[string]any{"revision": 1, "tracks": []any{}},
		}
		for k, v := range change {
			body[k] = v
		}
		return hello(body)
	}
	offer := func(sdp string) map[string]any {
		return map[string]any{"peer_connections": []any{map[string]any{
			"id": "1", "description": map[string]any{"type": "offer", "revision": 1, "sdp": sdp},
		}}}
	}
	for _, c := range []struct {
		name     string
		messages []any
		code     int // of the error; 0: the socket ends without one
	}{
		{"no JSON", []any{"garbage"}, 53004},
		{"bytes", []any{[]int{1, 2, 3}}, 53004},
		{"message before the hello", []any{`{"type":"msg","body":{"type":"update"}}`}, 0},
		{"another version", []any{strings.Replace(hello(nil), `"version":2`, `"version":1`, 1)}, 0},
		{"nested beyond reason", []any{strings.Repeat("[", 100_000)}, 53004},
		{"a message of a megabyte", []any{strings.Repeat(" ", 1<<20)}, 0},
		{"token of a number", []any{connect(map[string]any{"token": 5})}, 53004},
		{"no token", []any{connect(map[string]any{"token": ""})}, 20101},
		{"SDP that is none", []any{connect(offer("nonsense"))}, 53403},
		{"SDP without an end", []any{connect(offer(strings.Repeat("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 5000)))}, 53403},
		{"a session that there never was", []any{hello(map[string]any{
			"type": "sync", "version": 2, "session": "00000000000000000000000000000000", "token": w.token("nonsense"),
			"participant": map[string]any{"revision": 1, "tracks": []any{}}, "peer_connections": []any{},
		})}, 53001},
	} {
		var end struct {
			Close, Code int
			Bad         bool
		}
		p.eval(&end, "lab.raw("+js(c.messages)+")")
		require.Equal(t, c.code, end.Code, "%s: closed with %d", c.name, end.Close)
	}
	n.unharmed()
	require.InDelta(t, 0, n.p.count(`lab.seen("Room", "participantConnected")`), 0)
}

// TestNonsenseAfterJoining has joined browsers send what the npm client never
// would.
func TestNonsenseAfterJoining(t *testing.T) {
	w := newWorld(t)
	n := w.neighbors()
	for name, c := range map[string]struct {
		message string // JavaScript; s is the session
		code    int    // 0: it is ignored
	}{
		"no JSON":      {`"garbage"`, 53004},
		"bytes":        {`new Uint8Array(100)`, 53004},
		"unknown type": {`JSON.stringify({ type: "msg", body: { type: "conquer", version: 2, session: s } })`, 0},
		"SDP that is none": {`JSON.stringify({ type: "msg", body: { type: "update", version: 2, session: s, participant: { revision: 99, tracks: [] },
			peer_connections: [{ id: "1", description: { type: "offer", revision: 9, sdp: "nonsense" } }] } })`, 53403},
		"a flood": {`Array(1000).fill('{"type":"heartbeat"}')`, 53004},
	} {
		t.Log(name)
		p := w.join("nonsense", options{"tracks": []options{track("video", "camera")}})
		p.run(`(() => {
			const s = JSON.parse(spied.frames.find((f) => f.includes('"connected"')).slice(2)).body.session;
			[` + c.message + `].flat().forEach((m) => spied.sockets[0].send(m));
		})()`)
		if c.code == 0 {
			p.publish(track("data", "still here"))
			n.p.told("nonsense", "still here")
			p.leave()
		}
		p.wait(`lab.room.state === "disconnected"`)
		require.InDelta(t, c.code, p.count(`lab.last("Room", "disconnected")[1]?.code ?? 0`), 0, name)
		n.p.wait(`lab.participant("nonsense") === undefined`)
		p.close()
		n.p.plays("program", "picture")
	}
}

// TestClosedTab closes a browser's page without a word.
func TestClosedTab(t *testing.T) {
	w := newWorld(t, func(c *sfu.Config) { c.SessionTimeout = 3 * time.Second })
	n := w.neighbors()
	p := w.join("vanishing", options{"tracks": []options{track("video", "camera")}})
	receives[*parley.RemoteVideoTrack](n.g, "vanishing", "camera")
	p.close()
	heard(n.g, func(e parley.ParticipantReconnecting) bool { return e.Participant.Identity() == "vanishing" })
	n.p.waits("RemoteParticipant", "reconnecting", "vanishing")
	heard(n.g, disconnected("vanishing"))
	n.p.waits("RemoteParticipant", "disconnected", "vanishing")
	n.p.plays("program", "picture")
}

// TestSuspended stops a browser's page for less, and for more, than the session
// timeout.
func TestSuspended(t *testing.T) {
	w := newWorld(t, func(c *sfu.Config) {
		c.SessionTimeout, c.Limits.Heartbeat = 4*time.Second, time.Second
	})
	n := w.neighbors()
	p := w.join("sleeper", options{"tracks": []options{track("video", "camera")}})
	p.plays("program", "picture")
	p.cdp("Debugger.enable", nil)

	p.cdp("Debugger.pause", nil)
	heard(n.g, func(e parley.ParticipantReconnecting) bool { return e.Participant.Identity() == "sleeper" })
	p.cdp("Debugger.resume", nil)
	heard(n.g, func(e parley.ParticipantReconnected) bool { return e.Participant.Identity() == "sleeper" })
	p.plays("program", "picture")
	p.waits("Room", "reconnected", "")

	p.cdp("Debugger.pause", nil)
	heard(n.g, disconnected("sleeper"))
	p.cdp("Debugger.resume", nil)
	p.waits("Room", "disconnected", "")
	require.InDelta(t, 53001, p.count(`lab.last("Room", "disconnected")[1].code`), 0)
	n.p.waits("RemoteParticipant", "disconnected", "sleeper")
	n.p.plays("program", "picture")

	// It can join again.
	p.join(w.token("sleeper"), nil)
	p.plays("program", "picture")
}
