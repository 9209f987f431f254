//go:build e2e

package interop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
)

func TestPinnedRelease(t *testing.T) {
	p := newWorld(t).open()
	require.Equal(t, "2.36.0", p.text("Video.version"))
	require.Equal(t, "true", p.text("String(Video.isSupported)"))
	p.quiet()
}

func TestBrowserAndProgramMeet(t *testing.T) {
	w := newWorld(t)
	room := w.program("program", clip(t, media.VP8, "picture"), clip(t, media.Opus, "tone"))

	p := w.open()
	j := p.join(w.token("browser"), options{"name": "lab"})
	require.Equal(t, room.SID(), j.SID)
	require.Equal(t, "lab", j.Name)
	require.Equal(t, "connected", j.State)
	require.Equal(t, "lab1", p.text("lab.room.mediaRegion"))
	require.Equal(t, "lab1", p.text("lab.room.localParticipant.signalingRegion"))
	require.Equal(t, room.LocalParticipant().SID(), p.text(`lab.participant("program").sid`))
	require.Equal(t, "connected", p.text(`lab.participant("program").state`))

	e := heard(room, func(parley.ParticipantConnected) bool { return true })
	require.Equal(t, "browser", e.Participant.Identity())
	require.Equal(t, j.ParticipantSID, e.Participant.SID())

	p.plays("program", "picture")
	p.plays("program", "tone")
	p.shows("vp8", "program", "picture")
	p.leave()
	heard(room, func(e parley.ParticipantDisconnected) bool {
		return e.Participant.Identity() == "browser"
	})
	p.quiet()
}
