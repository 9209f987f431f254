//go:build e2e

package interop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

func TestPinnedRelease(t *testing.T) {
	p := newWorld(t).open()
	require.Equal(t, "2.36.0", p.text("Video.version"))
	require.Equal(t, "true", p.text("String(Video.isSupported)"))
	p.quiet()
}

func connected(identity string) func(parley.ParticipantConnected) bool {
	return func(e parley.ParticipantConnected) bool { return e.Participant.Identity() == identity }
}

func disconnected(identity string) func(parley.ParticipantDisconnected) bool {
	return func(e parley.ParticipantDisconnected) bool { return e.Participant.Identity() == identity }
}

// TestJoin has a browser find a program in the room, another program find
// both, and a second browser all of them, that asked for ICE servers first.
func TestJoin(t *testing.T) {
	stun := signaling.ICEServer{URLs: []string{"stun:127.0.0.1:9"}}
	w := newWorld(t, func(c *sfu.Config) { c.ICEServers = []signaling.ICEServer{stun} })
	alice := w.program("alice", clip(t, media.VP8, "picture"), clip(t, media.Opus, "tone"))

	p := w.open()
	j := p.join(w.token("browser"), options{"name": "lab"})
	require.Equal(t, alice.SID(), j.SID)
	require.Equal(t, "lab", j.Name)
	require.Equal(t, "connected", j.State)
	require.Equal(t, "lab1", p.text("lab.room.mediaRegion"))
	require.Equal(t, "lab1", p.text("lab.room.localParticipant.signalingRegion"))
	require.Equal(t, alice.LocalParticipant().SID(), p.text(`lab.participant("alice").sid`))
	require.Equal(t, "connected", p.text(`lab.participant("alice").state`))
	require.Equal(t, "overrode", p.text(`JSON.parse(spied.frames[0].slice(2)).body.ice_servers`))
	e := heard(alice, connected("browser"))
	require.Equal(t, j.ParticipantSID, e.Participant.SID())
	p.plays("alice", "picture")
	p.plays("alice", "tone")

	bob := w.program("bob")
	heard(bob, connected("browser"))
	p.waits("Room", "participantConnected", "")

	q := w.open()
	q.join(w.token("second"), options{"acquire": true}) // the room is in the token
	require.Equal(t, "ice", q.text(`JSON.parse(spied.frames[0].slice(2)).body.type`))
	require.Equal(t, stun.URLs[0], q.text("[spied.connections[0].getConfiguration().iceServers[0].urls].flat()[0]"))
	require.Equal(t, "alice bob browser", q.text(`[...lab.room.participants.values()].map((p) => p.identity).sort().join(" ")`))
	q.plays("alice", "picture")
	q.plays("alice", "tone")

	p.leave()
	heard(alice, disconnected("browser"))
	q.waits("RemoteParticipant", "disconnected", "browser")
	q.waits("Room", "participantDisconnected", "")
	require.NoError(t, bob.Disconnect())
	q.wait(`lab.seen("Room", "participantDisconnected") === 2`)
	require.Equal(t, "alice", q.text(`[...lab.room.participants.values()].map((p) => p.identity).join(" ")`))
	require.Equal(t, "disconnected", p.text("lab.room.state"))
	require.Equal(t, "true", p.text(`String(lab.last("Room", "disconnected")[1] === undefined)`), "there is an error")
	p.quiet()
	q.quiet()
}

// TestRefused has joins fail with the errors that their reasons have.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := *w
	foreign.key.Secret = "another secret, of more than thirty-two bytes"
	p := w.open()
	for _, c := range []struct {
		token, room string
		code        int
	}{
		{"no token", "lab", 20101},
		{foreign.token("browser"), "lab", 20107},
		{w.token("browser"), "another", 20106},
		{w.token("browser"), "RM00000000000000000000000000000000", 20106},
	} {
		for _, acquire := range []bool{false, true} {
			p.run("lab.join(" + js(c.token) + "," + js(options{"name": c.room, "acquire": acquire}) + ").catch(() => 0)")
			require.InDelta(t, c.code, p.count("lab.failure.code"), 0, "%v %v", c, acquire)
		}
	}
	p.join(w.token("browser"), nil)
}
