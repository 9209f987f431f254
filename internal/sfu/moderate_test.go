package sfu_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// Media of a muted track goes no further, though its publisher goes on sending
// and repeats that it is enabled, until it disables and enables it.
func TestMuteHoldsAgainstModifiedClients(t *testing.T) {
	w := newWorld(t)
	mallory := w.client("mallory", "demo")
	out := mallory.publish(signaling.KindVideo, "v")
	require.NoError(t, mallory.dial())
	track := mallory.readyWith("v")
	mallory.connected()
	mallory.stream(out, media.VP8, 1)

	bob := w.client("bob", "demo")
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.subscription(track)
	in := bob.inlet(mid)
	before := read(t, in, 20)

	mod := w.withRole("mod", "demo", accesstoken.RoleModerator)
	mod.control(`{"type":"request","id":1,"action":"mute","track":"` + track + `"}`)
	require.Nil(t, mod.told("answer", 1)[0].Error)
	require.Equal(t, track, mallory.told("muted", 1)[0].Track)
	enabled := func(want bool) {
		t.Helper()
		bob.until("the track to be as it is told", func() bool {
			p := bob.participants[len(bob.participants)-1]
			return p.Identity == "mallory" && p.Tracks[0].Enabled == want
		})
	}
	enabled(false)
	for range 3 {
		mallory.join.Participant.Revision++ // "it is enabled"
		mallory.tell()
	}
	carol := w.client("carol", "demo") // who comes now gets nothing either
	late := carol.slot(media.Video)
	require.NoError(t, carol.dial())
	carol.subscription(track)
	carol.connected()
	packets, begun := w.srv.Forwarded("bob")+w.srv.Forwarded("carol"), time.Now()
	mod.control(`{"type":"request","id":2,"action":"mute","track":"` + track + `"}`)
	mod.told("answer", 2)
	for i := range 200 { // round trips, while 200 packets a second come in
		require.NoError(t, w.srv.Signal("demo", "tick", "", "mod"))
		mod.told("signal", i+1)
	}
	require.Equal(t, packets, w.srv.Forwarded("bob")+w.srv.Forwarded("carol"), "in %v", time.Since(begun))

	for _, on := range []bool{false, true} {
		mallory.join.Participant.Revision++
		mallory.join.Participant.Tracks = append([]signaling.LocalTrack(nil), mallory.join.Participant.Tracks...)
		mallory.join.Participant.Tracks[0].Enabled = on
		mallory.tell()
		mallory.control(`{"type":"request","id":` + map[bool]string{false: "1", true: "2"}[on] + `}`)
		mallory.told("answer", map[bool]int{false: 1, true: 2}[on])
	}
	enabled(true)
	after := read(t, in, 20)
	require.Equal(t, before[19].SequenceNumber+1, after[0].SequenceNumber, "without a gap")
	read(t, carol.inlet(late), 5)
}

// Nobody unmutes what is not its own, and only moderators moderate.
func TestModerationAgainstModifiedClients(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	alice.publish(signaling.KindAudio, "a")
	alice.publish(signaling.KindData, "d")
	require.NoError(t, alice.dial())
	audio, data := alice.readyWith("a"), alice.readyWith("d")
	require.NoError(t, w.srv.Mute("demo", audio))
	alice.told("muted", 1)

	mallory := w.withRole("mallory", "demo", accesstoken.RolePublisher)
	mallory.control(
		`{"type":"request","id":1,"action":"unmute","track":"`+audio+`"}`,
		`{"type":"request","id":2,"action":"disconnect","participant":"alice"}`,
		`{"type":"request","id":3,"action":"unpublish","track":"`+audio+`"}`,
		`{"type":"request","id":4,"action":"mute","track":"`+audio+`"}`,
		`{"type":"request","id":5,"action":"mute_all"}`,
		`{"type":"request","id":6,"action":"clear_mute"}`,
	)
	for i, a := range mallory.told("answer", 6) {
		want := signaling.CodeTokenGrantsInvalid
		if i == 0 {
			want = signaling.CodeNotFound
		}
		require.Equal(t, want, a.Error.Code)
	}
	mod := w.withRole("mod", "demo", accesstoken.RoleModerator)
	mod.control(`{"type":"request","id":1,"action":"mute","track":"`+data+`"}`,
		`{"type":"request","id":2,"action":"mute","track":""}`, `{"type":"request","id":3,"action":"disconnect"}`)
	answers := mod.told("answer", 3)
	require.Equal(t, signaling.CodeTrackKindNotSupported, answers[0].Error.Code)
	require.Equal(t, signaling.CodeNotFound, answers[1].Error.Code)
	require.Equal(t, signaling.CodeParticipantNotFound, answers[2].Error.Code)
	_, tracks, err := w.srv.PublishedTracks("demo", "alice")
	require.NoError(t, err)
	require.Len(t, tracks, 2)
	require.False(t, tracks[0].Enabled, "it is still muted")
	alice.control(`{"type":"request","id":1,"action":"unmute","track":"` + audio + `"}`)
	require.Nil(t, alice.told("answer", 1)[0].Error)
}
