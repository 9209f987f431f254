package sfu_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

func (w *world) room(o sfu.RoomOptions) string {
	w.t.Helper()
	room, err := w.srv.OpenRoom(o)
	require.NoError(w.t, err)
	return room.SID
}

func (c *client) failsWith(id string, code signaling.Code) {
	c.t.Helper()
	c.until(id+" refused", func() bool { return c.published[id].State == signaling.PublishFailed })
	requireCode(c.t, code, c.published[id].Err)
}

func TestAudioOnlyRoomsRefuseVideo(t *testing.T) {
	w := newWorld(t)
	room := w.room(sfu.RoomOptions{AudioOnly: true})
	alice := w.client("alice", room)
	alice.publish(signaling.KindVideo, "cam")
	alice.publish(signaling.KindAudio, "mic")
	require.NoError(t, alice.dial())
	alice.failsWith("cam", signaling.CodeTrackKindNotSupported)
	mic := alice.readyWith("mic")
	bob := w.client("bob", room)
	bob.slot(media.Audio)
	require.NoError(t, bob.dial())
	bob.subscription(mic)
	require.Len(t, bob.initial.Update.Participants[0].Tracks, 1)
}

func TestVideoCodecsOfTheRoom(t *testing.T) {
	w := newWorld(t)
	room := w.room(sfu.RoomOptions{VideoCodecs: []media.Codec{media.H264}, MediaRegion: "xy1"})
	bob := w.client("bob", room)
	bob.slot(media.Video)
	bob.slot(media.Audio)
	require.NoError(t, bob.dial())
	require.Equal(t, "xy1", bob.initial.Room.MediaRegion)
	answer := bob.initial.Update.PeerConnections[0].Description.SDP
	require.Contains(t, answer, "H264/90000")
	require.Contains(t, answer, "rtx/90000")
	require.Contains(t, answer, "opus/48000")
	for _, codec := range []string{"VP8", "VP9", "AV1", "H265"} {
		require.NotContains(t, answer, codec)
	}

	none := w.client("none", room)
	none.publish(signaling.KindVideo, "cam") // VP8 alone
	requireCode(t, signaling.CodeNoSupportedCodec, none.dial())
	require.Eventually(t, func() bool { return len(w.srv.Participants(room)) == 1 }, 5*time.Second, time.Millisecond)
}

func TestTheTracksOfARoomAreBounded(t *testing.T) {
	w := newWorld(t)
	room := w.room(sfu.RoomOptions{MaxTracks: 3})
	alice, bob := w.client("alice", room), w.client("bob", room)
	alice.publish(signaling.KindData, "a1")
	alice.publish(signaling.KindData, "a2")
	require.NoError(t, alice.dial())
	alice.readyWith("a2")
	bob.publish(signaling.KindData, "b1")
	bob.publish(signaling.KindData, "b2")
	require.NoError(t, bob.dial())
	bob.readyWith("b1")
	bob.failsWith("b2", signaling.CodeMaxTracksExceeded)

	alice.unpublish("a1") // makes a place
	alice.tell()
	bob.until("alice with one track", func() bool {
		p := bob.participants[len(bob.participants)-1]
		return p.Identity == "alice" && len(p.Tracks) == 1
	})
	bob.unpublish("b2")
	bob.publish(signaling.KindData, "b3")
	bob.tell()
	bob.readyWith("b3")

	require.NoError(t, bob.session.Close(t.Context(), signaling.ReasonLeave)) // makes two
	alice.sees("bob", signaling.StateDisconnected)
	alice.publish(signaling.KindData, "a3")
	alice.publish(signaling.KindData, "a4")
	alice.tell()
	alice.readyWith("a3")
	alice.readyWith("a4")
}

// In a large room only those who publish are shown.
func TestLargeRoomsHideListeners(t *testing.T) {
	w := newWorld(t)
	room := w.room(sfu.RoomOptions{Large: true})
	alice, bob := w.client("alice", room), w.client("bob", room)
	require.NoError(t, alice.dial())
	require.NoError(t, bob.dial())
	require.Empty(t, bob.initial.Update.Participants)
	require.Len(t, w.srv.Participants(room), 2, "the server knows")

	bob.publish(signaling.KindData, "chat")
	bob.tell()
	require.Len(t, alice.sees("bob", signaling.StateConnected).Tracks, 1)
	bob.unpublish("chat")
	bob.tell()
	gone := alice.sees("bob", signaling.StateDisconnected)
	require.Empty(t, gone.Reason)
	bob.publish(signaling.KindData, "again")
	bob.tell()
	alice.until("bob again", func() bool {
		p := alice.participants[len(alice.participants)-1]
		return p.State == signaling.StateConnected && p.Revision > gone.Revision
	})
	require.NoError(t, bob.session.Close(t.Context(), signaling.ReasonLeave))
	alice.until("bob is gone", func() bool {
		return alice.participants[len(alice.participants)-1].Reason == signaling.DisconnectLeft
	})
	require.Len(t, alice.participants, 4, "nothing else was told")
}

func TestRecordingIsIndicated(t *testing.T) {
	w := newWorld(t)
	room := w.room(sfu.RoomOptions{Recording: []signaling.Rule{{All: true}}})
	alice := w.client("alice", room)
	alice.publish(signaling.KindData, "chat")
	require.NoError(t, alice.dial())
	active := func(c *client, want bool) {
		t.Helper()
		c.until(fmt.Sprintf("recording %v", want), func() bool {
			return c.recordings[len(c.recordings)-1].Active == want
		})
	}
	active(alice, false) // messages are not recorded
	bob := w.client("bob", room)
	bob.publish(signaling.KindAudio, "mic")
	bob.publish(signaling.KindVideo, "cam")
	require.NoError(t, bob.dial())
	require.True(t, bob.initial.Update.Recording.Active, "from the first moment")
	active(alice, true)

	_, err := w.srv.SetRecording(room, []signaling.Rule{{All: true, Exclude: true}})
	require.NoError(t, err)
	active(alice, false)
	active(bob, false)
	status, err := w.srv.SetRecording(room, []signaling.Rule{{Kind: signaling.KindAudio}})
	require.NoError(t, err)
	require.Equal(t, []signaling.Rule{{Kind: signaling.KindAudio}}, status.Options.Recording)
	active(alice, true)
	bob.unpublish("mic")
	bob.tell()
	active(alice, false) // the camera is not chosen
	active(bob, false)
	revision := 0
	for _, r := range bob.recordings {
		require.Greater(t, r.Revision, revision)
		revision = r.Revision
	}
	_, err = w.srv.SetRecording("nowhere", nil)
	requireCode(t, signaling.CodeRoomNotFound, err)
	_, err = w.srv.SetRecording(room, []signaling.Rule{{}})
	requireCode(t, signaling.CodeSubscribeRulesInvalid, err)
}

func TestOneTrackCanBeSubscribedFromOutside(t *testing.T) {
	w := newWorld(t)
	room := w.room(sfu.RoomOptions{})
	alice := w.client("alice", room)
	alice.publish(signaling.KindAudio, "mic")
	alice.publish(signaling.KindData, "chat")
	require.NoError(t, alice.dial())
	mic, chat := alice.readyWith("mic"), alice.readyWith("chat")
	bob := w.client("bob", room)
	bob.slot(media.Audio)
	require.NoError(t, bob.dial())
	bob.subscription(mic)
	without := func(trackSID string) {
		t.Helper()
		bob.until("without "+trackSID, func() bool {
			for _, s := range bob.subscribed {
				if s.SID == trackSID {
					return false
				}
			}
			return true
		})
	}
	who, err := w.srv.SetSubscribed(room, "bob", mic, false)
	require.NoError(t, err)
	require.Equal(t, bob.initial.Participant.SID, who)
	without(mic)
	for range 3 { // what is said again replaces what was said before
		_, err = w.srv.SetSubscribed(room, who, mic, true)
		require.NoError(t, err)
	}
	bob.subscription(mic)
	_, err = w.srv.SetSubscribed(room, who, mic, false)
	require.NoError(t, err)
	without(mic)
	_, err = w.srv.SetSubscribed(room, "carol", mic, true)
	requireCode(t, signaling.CodeParticipantNotFound, err)
	_, err = w.srv.SetSubscribed(room, "bob", strings.Replace(chat, "MT", "RM", 1), true)
	requireCode(t, signaling.CodeNotFound, err)
}

func TestRoomsHaveTimeoutsOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	unused := w.room(sfu.RoomOptions{UnusedTimeout: 50 * time.Millisecond})
	used := w.room(sfu.RoomOptions{EmptyTimeout: 50 * time.Millisecond})
	short := w.room(sfu.RoomOptions{MaxParticipantDuration: 50 * time.Millisecond})
	alice, bob := w.client("alice", used), w.client("bob", short)
	require.NoError(t, alice.dial())
	require.NoError(t, bob.dial())
	ended := func(room string) {
		t.Helper()
		require.Eventually(t, func() bool {
			status, known := w.srv.Room(room)
			require.True(t, known)
			return !status.Ended.IsZero()
		}, 10*time.Second, time.Millisecond)
	}
	ended(unused)
	bob.until("end", func() bool { return bob.err != nil })
	status, known := w.srv.Room(used)
	require.True(t, known)
	require.Zero(t, status.Ended)
	require.NoError(t, alice.session.Close(t.Context(), signaling.ReasonLeave))
	ended(used)
}
