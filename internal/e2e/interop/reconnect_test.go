//go:build e2e

package interop_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
)

// TestSignalingReconnect cuts the socket of a browser. What it publishes while
// it has none is there when it is back.
func TestSignalingReconnect(t *testing.T) {
	w := newWorld(t)
	alice := w.program("alice", clip(t, media.VP8, "picture"))
	p := w.join("browser", options{"tracks": []options{track("video", "camera")}})
	q := w.join("second", nil)
	p.plays("alice", "picture")
	q.plays("browser", "camera")
	sid := p.published("", "camera", "trackSid")

	p.run(`lab.room.once("reconnecting", () => {
		lab.late = Promise.all([lab.publish({ kind: "audio", name: "late" }), lab.publish({ kind: "data", name: "chat" })]);
	})`)
	require.Equal(t, 1, w.srv.Cut("browser"))
	p.waits("Room", "reconnecting", "")
	require.InDelta(t, 53001, p.count(`lab.last("Room", "reconnecting")[0].code`), 0)
	p.waits("LocalParticipant", "reconnecting", "")
	p.waits("Room", "reconnected", "")
	heard(alice, func(e parley.ParticipantReconnecting) bool { return e.Participant.Identity() == "browser" })
	heard(alice, func(e parley.ParticipantReconnected) bool { return e.Participant.Identity() == "browser" })
	for _, event := range []string{"reconnecting", "reconnected"} {
		q.waits("RemoteParticipant", event, "browser")
	}
	q.waits("Room", "participantReconnecting", "")
	q.waits("Room", "participantReconnected", "")

	p.run("lab.late")
	q.plays("browser", "late")
	q.told("browser", "chat")
	receives[*parley.RemoteAudioTrack](alice, "browser", "late")
	q.plays("browser", "camera")
	p.plays("alice", "picture")
	require.Equal(t, sid, q.published("browser", "camera", "trackSid"))
	require.InDelta(t, 1, p.count("spied.connections.length"), 0, "another connection was made")

	// And once more, with nothing new.
	require.Equal(t, 1, w.srv.Cut("browser"))
	p.wait(`lab.seen("Room", "reconnected") === 2`)
	p.plays("alice", "picture")
	require.Equal(t, "connected", p.text("lab.room.state"))
	require.InDelta(t, 0, q.count(`lab.seen("Room", "participantDisconnected")`), 0)
}

// TestMediaReconnect cuts the way of all media until the browser notices, and
// restores it.
func TestMediaReconnect(t *testing.T) {
	t.Parallel()
	wire, w := newWireWorld(t)
	alice := w.program("alice", clip(t, media.VP8, "picture"))
	p := w.join("browser", options{"tracks": []options{track("video", "camera"), track("data", "chat")}})
	p.plays("alice", "picture")
	chat := receives[*parley.RemoteDataTrack](alice, "browser", "chat")
	camera := receives[*parley.RemoteVideoTrack](alice, "browser", "camera")

	wire.SetFaults(faultnet.Faults{Blackhole: true})
	p.waits("Room", "reconnecting", "")
	require.InDelta(t, 53405, p.count(`lab.last("Room", "reconnecting")[0].code`), 0)
	wire.SetFaults(faultnet.Faults{})
	p.waits("Room", "reconnected", "")
	p.plays("alice", "picture")
	p.shows("media-reconnected", "alice", "picture")
	p.run(`lab.send("chat", "through")`)
	m, err := chat.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, "through", string(m.Data))
	begin := camera.Stats().Packets
	for camera.Stats().Packets < begin+100 {
		_, err := camera.ReadRTP()
		require.NoError(t, err)
	}
	require.InDelta(t, 1, p.count("spied.connections.length"), 0, "another connection was made")
	require.GreaterOrEqual(t, p.count(`new Set(spied.frames.filter((f) => f.startsWith(">")).flatMap((f) => f.match(/a=ice-ufrag:[^\\]+/g) ?? [])).size`), 2.0,
		"ICE was not restarted")
}

// TestMediaGone cuts it for good.
func TestMediaGone(t *testing.T) {
	t.Parallel()
	wire, w := newWireWorld(t, func(c *sfu.Config) { c.SessionTimeout = 6 * time.Second })
	p := w.join("browser", options{"tracks": []options{track("video", "camera")}})
	p.wait(`spied.connections[0].connectionState === "connected"`)
	wire.SetFaults(faultnet.Faults{Blackhole: true})
	p.waits("Room", "reconnecting", "")
	p.waits("Room", "disconnected", "")
	require.InDelta(t, 53405, p.count(`lab.last("Room", "disconnected")[1].code`), 0)
	require.Equal(t, "disconnected", p.text("lab.room.state"))
}

// newWireWorld makes a world whose media goes over a wire that can be spoiled.
func newWireWorld(t *testing.T, change ...func(*sfu.Config)) (*faultnet.Impaired, *world) {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	wire := faultnet.Impair(socket, 1)
	w := newWorld(t, append(change, func(c *sfu.Config) { c.Media.Conn = wire })...)
	return wire, w
}

// TestDuplicateIdentity has a browser lose its place to one of its identity,
// and to a program.
func TestDuplicateIdentity(t *testing.T) {
	w := newWorld(t)
	watcher := w.program("watcher")
	q := w.join("second", nil)
	p := w.join("browser", options{"tracks": []options{track("video", "camera")}})
	q.plays("browser", "camera")
	r := w.join("browser", options{"tracks": []options{track("video", "camera")}})
	p.waits("Room", "disconnected", "")
	require.InDelta(t, 53205, p.count(`lab.last("Room", "disconnected")[1].code`), 0)
	q.wait(`lab.seen("Room", "participantConnected") === 2`)
	require.InDelta(t, 1, q.count(`lab.seen("Room", "participantDisconnected")`), 0)
	q.wait(`lab.participant("browser").sid === ` + js(r.text("lab.room.localParticipant.sid")))
	q.plays("browser", "camera")
	heard(watcher, disconnected("browser"))

	w.program("browser")
	r.waits("Room", "disconnected", "")
	require.InDelta(t, 53205, r.count(`lab.last("Room", "disconnected")[1].code`), 0)
	require.Equal(t, "connected", q.text("lab.room.state"))
}

// TestEndings has the server complete a room and remove a participant.
func TestEndings(t *testing.T) {
	w := newWorld(t)
	p, q := w.join("browser", options{"tracks": []options{track("video", "camera")}}), w.join("second", nil)
	q.plays("browser", "camera")
	require.True(t, w.srv.Remove("lab", "browser"))
	p.waits("Room", "disconnected", "")
	require.InDelta(t, 0, p.count(`lab.last("Room", "disconnected")[1]?.code ?? 0`), 0, "a removal has an error")
	q.waits("Room", "participantDisconnected", "")

	require.True(t, w.srv.Complete("lab"))
	q.waits("Room", "disconnected", "")
	require.InDelta(t, 53118, q.count(`lab.last("Room", "disconnected")[1].code`), 0)
	require.Equal(t, "disconnected", q.text("lab.room.state"))
	require.InDelta(t, 1, q.count("spied.sockets.length"), 0, "it tried to come back")
}
