package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// moderated is a lab with a moderator, who publishes a tone, and with alice, who
// publishes a tone and a picture.
type moderated struct {
	*lab
	mod, alice, bob *member
	tone, picture   *parley.LocalTrackPublication
}

func inModerated(t *testing.T, f func(m *moderated)) {
	t.Helper()
	inLab(t, 49, func(l *lab) {
		m := &moderated{lab: l}
		l.withRole(accesstoken.RoleModerator)
		m.mod = l.join("mod", tone(l.t))
		l.withRole("")
		m.alice, m.bob = l.join("alice", tone(l.t), picture(l.t)), l.join("bob")
		tracks := m.alice.room.LocalParticipant().Tracks()
		m.tone, m.picture = tracks[0], tracks[1]
		await(m.bob, 0, func(e parley.TrackStarted) bool { return e.Track.Name() == "picture" })
		await(m.mod, 0, func(e parley.TrackStarted) bool { return e.Track.Name() == "tone" })
		f(m)
	})
}

// A muted track is disabled for everybody, and its publisher may enable it.
func TestC49MuteOne(t *testing.T) {
	inModerated(t, func(m *moderated) {
		ctx := m.t.Context()
		for _, name := range []string{"picture", "tone"} {
			own := map[string]*parley.LocalTrackPublication{"picture": m.picture, "tone": m.tone}[name]
			pub := m.bob.publication("alice", name)
			marks := []int{m.alice.log.mark(), m.bob.log.mark()}
			require.NoError(m.t, m.mod.room.Moderate().Mute(ctx, m.mod.publication("alice", name)))
			muted, _ := await[parley.LocalTrackForceMuted](m.alice, marks[0])
			require.Equal(m.t, own, muted.Publication)
			require.False(m.t, own.IsTrackEnabled())
			await(m.bob, marks[1], func(e parley.TrackDisabled) bool { return e.Publication == pub })
			time.Sleep(time.Second)
			require.False(m.t, pub.IsTrackEnabled())

			own.Track().(interface{ Enable() }).Enable()
			await(m.bob, marks[1], func(e parley.TrackEnabled) bool { return e.Publication == pub })
			before, err := m.bob.room.Stats(ctx)
			require.NoError(m.t, err)
			time.Sleep(5 * time.Second)
			after, err := m.bob.room.Stats(ctx)
			require.NoError(m.t, err)
			require.Greater(m.t, after.Received[pub].Packets, before.Received[pub].Packets+100)

			// Enabled again at once, the track goes on as well.
			marks = []int{m.alice.log.mark(), m.bob.log.mark()}
			require.NoError(m.t, m.mod.room.Moderate().Mute(ctx, m.mod.publication("alice", name)))
			await[parley.LocalTrackForceMuted](m.alice, marks[0])
			own.Track().(interface{ Enable() }).Enable()
			time.Sleep(5 * time.Second)
			require.True(m.t, pub.IsTrackEnabled())
		}
		err := m.mod.room.Moderate().Unpublish(ctx, m.bob.publication("mod", "tone"))
		require.NoError(m.t, err, "a moderator may do it to itself")
		require.ErrorIs(m.t, m.mod.room.Moderate().Mute(ctx, m.bob.publication("mod", "tone")), parley.ErrTrackNotFound)
	})
}

// All audio tracks are muted but the exceptions', and so are those that come
// later, until that is cleared.
func TestC49MuteAll(t *testing.T) {
	inModerated(t, func(m *moderated) {
		ctx := m.t.Context()
		require.NoError(m.t, m.mod.room.Moderate().MuteAll(ctx, m.mod.room.LocalParticipant()))
		await[parley.LocalTrackForceMuted](m.alice, 0)
		await[parley.TrackDisabled](m.bob, 0)
		forced, _ := await[parley.MuteForced](m.bob, 0)
		require.True(m.t, forced.Active)

		late := m.join("late", tone(m.t), picture(m.t))
		muted, _ := await[parley.LocalTrackForceMuted](late, 0)
		require.Equal(m.t, "tone", muted.Publication.TrackName())
		await[parley.MuteForced](late, 0)
		again, err := m.bob.room.LocalParticipant().PublishTrack(ctx, tone(m.t), nil)
		require.NoError(m.t, err)
		await(m.bob, 0, func(e parley.LocalTrackForceMuted) bool { return e.Publication == again })
		time.Sleep(time.Second)
		for _, viewer := range []*member{m.alice, m.mod} {
			for _, p := range viewer.room.Participants() {
				for _, pub := range p.Tracks() {
					require.Equal(m.t, p.Identity() == "mod" || pub.Kind() == parley.KindVideo, pub.IsTrackEnabled(), "%s of %s", pub.TrackName(), p.Identity())
				}
			}
		}
		require.True(m.t, <-m.alice.room.MuteForced() == parley.MuteForced{Active: true}, "a channel begins with the present")

		// A track may be enabled again while all are muted.
		m.tone.Track().(*parley.LocalAudioTrack).Enable()
		await(m.bob, 0, func(e parley.TrackEnabled) bool { return e.Participant.Identity() == "alice" })

		require.NoError(m.t, m.mod.room.Moderate().ClearMute(ctx))
		await(late, 0, func(e parley.MuteForced) bool { return !e.Active })
		last := m.join("last", tone(m.t))
		time.Sleep(time.Second)
		require.NotContains(m.t, last.log.since(0), "LocalTrackForceMuted")
		require.True(m.t, m.bob.publication("last", "tone").IsTrackEnabled())
		require.False(m.t, m.bob.publication("late", "tone").IsTrackEnabled(), "it has not enabled itself")
	})
}

func TestC49UnpublishAndDisconnect(t *testing.T) {
	inModerated(t, func(m *moderated) {
		ctx := m.t.Context()
		pub, bobs := m.mod.publication("alice", "picture"), m.bob.publication("alice", "picture")
		require.NoError(m.t, m.mod.room.Moderate().Unpublish(ctx, pub))
		failed, _ := await[parley.LocalTrackPublicationFailed](m.alice, 0)
		require.ErrorIs(m.t, failed.Err, parley.ErrTrackRemoved)
		await(m.alice, 0, func(e parley.LocalTrackUnpublished) bool { return e.Publication == m.picture })
		await(m.bob, 0, func(e parley.TrackUnpublished) bool { return e.Publication == bobs })
		_, err := m.alice.room.LocalParticipant().PublishTrack(ctx, m.picture.Track(), nil)
		require.NoError(m.t, err, "it may publish it anew")
		await(m.bob, 0, func(e parley.TrackStarted) bool { return e.Track.Publication() != bobs && e.Track.Name() == "picture" })

		alice := m.mod.room.Participant("alice")
		require.NoError(m.t, m.mod.room.Moderate().Disconnect(ctx, alice))
		<-m.alice.room.Done()
		end, _ := await[parley.Disconnected](m.alice, 0)
		require.Equal(m.t, parley.ReasonRemoved, end.Reason)
		gone, _ := await[parley.ParticipantDisconnected](m.bob, 0)
		require.Equal(m.t, parley.ReasonRemoved, gone.Reason)
		require.ErrorIs(m.t, m.mod.room.Moderate().Disconnect(ctx, alice), parley.ErrParticipantNotFound)
	})
}

// Who is no moderator gets an error, and nothing happens.
func TestOC09OnlyModeratorsModerate(t *testing.T) {
	for _, role := range []accesstoken.Role{accesstoken.RolePublisher, accesstoken.RoleSubscriber, accesstoken.RolePublisherOnly} {
		t.Run(string(role), func(t *testing.T) {
			inModerated(t, func(m *moderated) {
				ctx := m.t.Context()
				m.withRole(role)
				eve := m.join("eve")
				marks := []int{m.alice.log.mark(), m.bob.log.mark()}
				do := eve.room.Moderate()
				for _, err := range []error{
					do.Disconnect(ctx, eve.room.Participant("alice")), do.Unpublish(ctx, eve.publication("alice", "tone")),
					do.Mute(ctx, eve.publication("alice", "tone")), do.MuteAll(ctx), do.ClearMute(ctx),
				} {
					require.ErrorIs(m.t, err, parley.ErrTokenGrants)
				}
				time.Sleep(5 * time.Second)
				require.Empty(m.t, m.alice.log.since(marks[0], "ParticipantConnected eve"))
				require.Empty(m.t, m.bob.log.since(marks[1], "ParticipantConnected eve"))
			})
		})
	}
}

// Who is away is told when it is back, and the server does the same as a
// moderator.
func TestC49ModeratedWhileAway(t *testing.T) {
	inModerated(t, func(m *moderated) {
		mark := m.alice.log.mark()
		m.alice.host.SetBlackhole(true)
		require.NoError(m.t, m.srv.Mute("lab", m.bob.publication("alice", "tone").TrackSID()))
		require.NoError(m.t, m.srv.Unpublish("lab", m.bob.publication("alice", "picture").TrackSID()))
		require.NoError(m.t, m.srv.MuteAll("lab", "mod"))
		time.Sleep(10 * time.Second)
		m.alice.host.SetBlackhole(false)
		await[parley.Reconnected](m.alice, mark)
		await[parley.LocalTrackForceMuted](m.alice, mark)
		await[parley.LocalTrackUnpublished](m.alice, mark)
		await[parley.MuteForced](m.alice, mark)
		require.False(m.t, m.tone.IsTrackEnabled())
		require.False(m.t, m.bob.publication("alice", "tone").IsTrackEnabled())
		require.True(m.t, m.bob.publication("mod", "tone").IsTrackEnabled())
		require.NoError(m.t, m.srv.ClearMute("lab"))
		require.ErrorIs(m.t, m.srv.Mute("lab", "MT0"), parley.ErrTrackNotFound)
		require.ErrorIs(m.t, m.srv.Unpublish("lab", "MT0"), parley.ErrTrackNotFound)
		require.ErrorIs(m.t, m.srv.MuteAll("lobby"), signaling.NewError(signaling.CodeRoomNotFound))
	})
}

// In a peer-to-peer room the publisher's client stops its track by itself.
func TestC49ModerationFromParticipantToParticipant(t *testing.T) {
	inLab(t, 49, func(l *lab) {
		l.withRole(accesstoken.RoleModerator)
		mod := l.join("mod")
		l.withRole("")
		alice := l.join("alice", tone(l.t))
		pub := mod.publication("alice", "tone")
		await(mod, 0, func(e parley.TrackStarted) bool { return e.Track.Name() == "tone" })
		require.NoError(l.t, mod.room.Moderate().Mute(l.t.Context(), pub))
		muted, _ := await[parley.LocalTrackForceMuted](alice, 0)
		await[parley.TrackDisabled](mod, 0)
		time.Sleep(time.Second)
		require.Less(l.t, mod.packets(5*time.Second), quiet)
		muted.Publication.Track().(*parley.LocalAudioTrack).Enable()
		await[parley.TrackEnabled](mod, 0)
		require.Greater(l.t, mod.packets(5*time.Second), 5*25)
		require.NoError(l.t, mod.room.Moderate().Disconnect(l.t.Context(), pub.Participant()))
		<-alice.room.Done()
		require.Error(l.t, alice.room.Err())
	}, peerToPeer)
}
