package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

func manually(o *parley.ConnectOptions) { o.ManualSubscribe = true }

// publication waits until somebody publishes under the name.
func (m *member) publication(whose, name string) *parley.RemoteTrackPublication {
	m.t.Helper()
	e, _ := await(m, 0, func(e parley.TrackPublished) bool {
		return e.Participant.Identity() == whose && e.Publication.TrackName() == name
	})
	return e.Publication
}

// packets counts the datagrams that arrive at the member while it waits.
func (m *member) packets(d time.Duration) int {
	before := m.host.Received().Passed()
	time.Sleep(d)
	return m.host.Received().Passed() - before
}

// quiet is how many datagrams five seconds have that carry no media: reports,
// and checks of the connection. A picture of 25 a second is far more.
const quiet = 60

// What is not wanted is not sent; what is chosen begins, ends and begins again,
// and tells it in order.
func TestC48ManualSubscription(t *testing.T) {
	inLab(t, 48, func(l *lab) {
		l.join("alice", picture(l.t), dataTrack(l.t, "chat"))
		bob := l.joinWith("bob", manually)
		pub, chat := bob.publication("alice", "picture"), bob.publication("alice", "chat")
		time.Sleep(5 * time.Second)
		require.False(l.t, pub.IsSubscribed())
		require.Less(l.t, bob.packets(5*time.Second), quiet)

		mark := bob.log.mark()
		for range 3 {
			before := bob.log.mark()
			require.NoError(l.t, pub.SetSubscribed(l.t.Context(), true))
			require.True(l.t, pub.IsSubscribed())
			await[parley.TrackStarted](bob, before)
			require.Greater(l.t, bob.packets(5*time.Second), 5*25)

			require.NoError(l.t, pub.SetSubscribed(l.t.Context(), false))
			require.Nil(l.t, pub.Track())
			time.Sleep(time.Second) // what is under way arrives
			require.Less(l.t, bob.packets(5*time.Second), quiet)
		}
		round := []string{"TrackSubscribed alice/picture", "TrackStarted", "TrackUnsubscribed alice/picture"}
		told := bob.log.since(mark, "TrackDimensionsChanged")
		require.Equal(l.t, append(append(round, round...), round...), told)
		require.False(l.t, chat.IsSubscribed(), "it is another one")
	})
}

func TestC48OneOfAllIsLeftOut(t *testing.T) {
	inLab(t, 48, func(l *lab) {
		alice := l.join("alice", picture(l.t), tone(l.t))
		bob, carol := l.join("bob"), l.join("carol")
		view := carol.watch("alice", "picture")
		await(bob, 0, func(e parley.TrackStarted) bool { return e.Track.Name() == "picture" })
		pub := bob.publication("alice", "picture")
		require.NoError(l.t, pub.SetSubscribed(l.t.Context(), false))
		require.True(l.t, bob.publication("alice", "tone").IsSubscribed())
		view.after(l.t, time.Now())

		// What is published later under the same name is another publication.
		old := alice.room.LocalParticipant().Tracks()[0].Track()
		require.NoError(l.t, alice.room.LocalParticipant().UnpublishTrack(l.t.Context(), old))
		require.ErrorIs(l.t, func() error { <-pub.Done(); return pub.SetSubscribed(l.t.Context(), true) }(), parley.ErrUnsubscribed)
		mark := bob.log.mark()
		_, err := alice.room.LocalParticipant().PublishTrack(l.t.Context(), picture(l.t), nil)
		require.NoError(l.t, err)
		await(bob, mark, func(e parley.TrackSubscribed) bool { return e.Publication != pub && e.Track.Name() == "picture" })
	})
}

// The wishes last through a signaling connection that is lost, and through a
// server that has forgotten everything.
func TestC48WishesOutliveReconnecting(t *testing.T) {
	for _, manual := range []bool{true, false} {
		t.Run(map[bool]string{true: "manual", false: "automatic"}[manual], func(t *testing.T) {
			inLab(t, 48, func(l *lab) {
				l.join("alice", picture(l.t), tone(l.t))
				bob := l.joinWith("bob", func(o *parley.ConnectOptions) { o.ManualSubscribe = manual })
				one, other := bob.publication("alice", "picture"), bob.publication("alice", "tone")
				require.NoError(l.t, one.SetSubscribed(l.t.Context(), manual))
				await(bob, 0, func(e parley.TrackSubscribed) bool { return e.Publication == one == manual })

				// A wish that is said while the connection is down waits.
				mark := bob.log.mark()
				bob.lines.reset()
				await[parley.Reconnecting](bob, mark)
				require.NoError(l.t, other.SetSubscribed(l.t.Context(), manual))
				await[parley.Reconnected](bob, mark)
				require.NoError(l.t, other.SetSubscribed(l.t.Context(), !manual))

				mark = bob.log.mark()
				l.kill()
				l.start()
				await[parley.Reconnected](bob, mark)
				time.Sleep(10 * time.Second)
				require.Equal(l.t, manual, one.IsSubscribed(), bob.log)
				require.Equal(l.t, !manual, other.IsSubscribed(), bob.log)
				require.Greater(l.t, bob.packets(5*time.Second), 5*25)
				unwanted := map[bool]string{true: "TrackSubscribed alice/tone", false: "TrackSubscribed alice/picture"}[manual]
				require.NotContains(l.t, bob.log.since(mark), unwanted, "not for a moment")
			})
		})
	}
}

// Who may not receive is told so, and an administrator's rules hold against the
// program's.
func TestC48WhatIsForbidden(t *testing.T) {
	inLab(t, 48, func(l *lab) {
		l.join("alice", picture(l.t))
		bob := l.join("bob")
		l.withRole(accesstoken.RolePublisherOnly)
		carol := l.join("carol")
		err := carol.publication("alice", "picture").SetSubscribed(l.t.Context(), true)
		require.ErrorIs(l.t, err, parley.ErrTokenGrants)

		pub := bob.publication("alice", "picture")
		mark := bob.log.mark()
		_, err = l.srv.SetSubscribed("lab", "bob", pub.TrackSID(), false)
		require.NoError(l.t, err)
		await[parley.TrackUnsubscribed](bob, mark)
		for range 2 {
			require.ErrorIs(l.t, pub.SetSubscribed(l.t.Context(), true), parley.ErrTokenGrants)
			require.False(l.t, pub.IsSubscribed())
		}
		require.Less(l.t, bob.packets(5*time.Second), quiet)
		_, err = l.srv.SetSubscribed("lab", "bob", pub.TrackSID(), true)
		require.NoError(l.t, err)
		await[parley.TrackSubscribed](bob, mark)

		_, _, err = l.srv.SetSubscribeRules("lab", "bob", []signaling.Rule{{Kind: signaling.KindAudio}})
		require.NoError(l.t, err)
		await(bob, mark, func(parley.TrackUnsubscribed) bool { return !pub.IsSubscribed() })
		require.ErrorIs(l.t, pub.SetSubscribed(l.t.Context(), true), parley.ErrTokenGrants)
		require.NoError(l.t, pub.SetSubscribed(l.t.Context(), false))
	})
}

func TestC48WithoutAServerInBetweenNobodyChooses(t *testing.T) {
	inLab(t, 48, func(l *lab) {
		l.join("alice", dataTrack(l.t, "chat"))
		bob := l.join("bob")
		err := bob.publication("alice", "chat").SetSubscribed(l.t.Context(), false)
		require.ErrorIs(l.t, err, signaling.NewError(signaling.CodeSubscriptionNotSupported))
	}, peerToPeer)
}

// A switched-off track stays subscribed; one that is subscribed anew is on.
func TestC48SubscriptionAndSwitchOff(t *testing.T) {
	inLab(t, 48, func(l *lab) {
		l.join("alice", picture(l.t))
		bob := l.joinWith("bob", func(o *parley.ConnectOptions) { o.BandwidthProfile = &parley.BandwidthProfile{} })
		pub := bob.publication("alice", "picture")
		await[parley.TrackStarted](bob, 0)
		mark := bob.log.mark()
		require.NoError(l.t, pub.Track().(*parley.RemoteVideoTrack).SwitchOff())
		await[parley.TrackSwitchedOff](bob, mark)
		require.True(l.t, pub.IsSubscribed())
		require.NoError(l.t, pub.SetSubscribed(l.t.Context(), false))
		require.NoError(l.t, pub.SetSubscribed(l.t.Context(), true))
		time.Sleep(time.Second)
		require.NoError(l.t, pub.Track().(*parley.RemoteVideoTrack).SwitchOn())
		await(bob, mark, func(e parley.TrackStarted) bool { return e.Track == pub.Track() })
	})
}
