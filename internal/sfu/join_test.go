package sfu_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

func requireCode(t testing.TB, code signaling.Code, err error) {
	t.Helper()
	var e *signaling.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", err)
}

func TestAdmissionCodes(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.MaxRooms = 3 })
	granted := func(room string) func(*client) {
		return func(c *client) { c.join.Token = w.token("alice", room) }
	}
	badSDP := func(c *client) { c.join.PeerConnections[0].Description.SDP = "v=0\r\nnonsense" }
	other := accesstoken.NewKey()
	foreign, err := accesstoken.Token{Identity: "alice"}.Sign(other)
	require.NoError(t, err)
	expired, err := accesstoken.Token{Identity: "alice", IssuedAt: time.Now().Add(-3 * time.Hour)}.Sign(w.key)
	require.NoError(t, err)

	for name, test := range map[string]struct {
		room   string
		change func(*client)
		code   signaling.Code
	}{
		"no token":                    {"demo", func(c *client) { c.join.Token = "x" }, signaling.CodeTokenInvalid},
		"foreign key":                 {"demo", func(c *client) { c.join.Token = foreign }, signaling.CodeTokenIssuerInvalid},
		"expired":                     {"demo", func(c *client) { c.join.Token = expired }, signaling.CodeTokenExpired},
		"T9 token before description": {"demo", func(c *client) { badSDP(c); c.join.Token = "x" }, signaling.CodeTokenInvalid},
		"T4 another room":             {"demo", granted("other"), signaling.CodeTokenGrantsInvalid},
		"description":                 {"demo", badSDP, signaling.CodeServerRemoteDescription},
		"long name":                   {strings.Repeat("x", 129), nil, signaling.CodeRoomNameTooLong},
		"T19 name with a newline":     {"a\nb", nil, signaling.CodeRoomNameChars},
		"SID of no room":              {"RM" + strings.Repeat("0", 32), nil, signaling.CodeRoomNotFound},
		"rules": {"demo", func(c *client) {
			c.join.Subscribe.Rules = []signaling.Rule{{All: true, Kind: signaling.KindAudio}}
		}, signaling.CodeSubscribeRulesInvalid},
		"two tracks of one id": {"demo", func(c *client) {
			c.join.Participant.Tracks = []signaling.LocalTrack{
				{ID: "a", Name: "a", Kind: signaling.KindData}, {ID: "a", Name: "b", Kind: signaling.KindData},
			}
		}, signaling.CodeSignalingOutgoingInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.client("alice", test.room)
			c.join.PeerConnections = []signaling.PeerConnection{c.offer()}
			if test.change != nil {
				test.change(c)
			}
			_, err := w.transport().Dial(t.Context(), c.join)
			requireCode(t, test.code, err)
			require.Empty(t, w.srv.Rooms(), "no room is left behind")
		})
	}
}

func TestRoomsByNameAndSID(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	require.NoError(t, alice.dial())
	room := alice.initial.Room
	require.Equal(t, "demo", room.Name)
	require.Equal(t, 50, room.MaxParticipants)
	require.Equal(t, 30*time.Second, room.SessionTimeout)

	bob := w.client("bob", room.SID) // trap 25
	require.NoError(t, bob.dial())
	require.Equal(t, room.SID, bob.initial.Room.SID)

	carol := w.client("carol", "")
	carol.join.Token = w.token("carol", "demo") // the token's room
	require.NoError(t, carol.dial())
	require.Equal(t, room.SID, carol.initial.Room.SID)

	dave := w.client("dave", "demo")
	dave.join.Token = w.token("dave", room.SID) // granted by SID, asked for by name
	require.NoError(t, dave.dial())
	require.Equal(t, room.SID, dave.initial.Room.SID)

	erin := w.client("erin", "") // a room of her own
	require.NoError(t, erin.dial())
	require.NotEqual(t, room.SID, erin.initial.Room.SID)
	require.Equal(t, erin.initial.Room.SID, erin.initial.Room.Name)
}

func TestAdHocRoomsCanBeForbidden(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.DisableAdHocRooms = true })
	requireCode(t, signaling.CodeRoomNotFound, w.client("alice", "demo").dial())
	requireCode(t, signaling.CodeRoomNotFound, w.client("alice", "").dial())
	sid, err := w.srv.CreateRoom("demo", 2)
	require.NoError(t, err)
	_, err = w.srv.CreateRoom("demo", 2)
	requireCode(t, signaling.CodeRoomExists, err)
	alice := w.client("alice", "demo")
	require.NoError(t, alice.dial())
	require.Equal(t, sid, alice.initial.Room.SID)
	require.Equal(t, 2, alice.initial.Room.MaxParticipants)
}

func TestExactlyAsManyAsFitAreAdmitted(t *testing.T) {
	const places, comers = 4, 16
	w := newWorld(t, func(cfg *sfu.Config) { cfg.MaxParticipants = places })
	clients := make([]*client, comers)
	for i := range clients {
		clients[i] = w.client(fmt.Sprintf("c%d", i), "demo")
		clients[i].join.PeerConnections = []signaling.PeerConnection{clients[i].offer()}
	}
	var wg sync.WaitGroup
	errs := make([]error, comers)
	for i, c := range clients {
		wg.Go(func() {
			session, err := w.transport().Dial(t.Context(), c.join)
			if errs[i] = err; err == nil {
				c.begin(session)
			}
		})
	}
	wg.Wait()
	in := 0
	for _, err := range errs {
		if err == nil {
			in++
			continue
		}
		requireCode(t, signaling.CodeMaxParticipantsExceeded, err)
	}
	require.Equal(t, places, in)
	require.Len(t, w.srv.Participants("demo"), places)
}

func TestT05NewerStayOfAnIdentityWins(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.MaxParticipants = 2 })
	watcher, older, newer := w.client("watcher", "demo"), w.client("alice", "demo"), w.client("alice", "demo")
	require.NoError(t, watcher.dial())
	require.NoError(t, older.dial())
	require.NoError(t, newer.dial(), "it takes the place of the older one")
	older.until("end", func() bool { return older.err != nil })
	requireCode(t, signaling.CodeDuplicateIdentity, older.err)
	var e *signaling.Error
	require.True(t, errors.As(older.err, &e))
	require.Equal(t, signaling.DisconnectDuplicate, e.Reason)

	watcher.until("three changes", func() bool { return len(watcher.participants) == 3 })
	var story []string
	for _, p := range watcher.participants {
		who := "older"
		if p.SID == newer.initial.Participant.SID {
			who = "newer"
		}
		story = append(story, who+" "+string(p.State)+" "+string(p.Reason))
	}
	require.Equal(t, []string{"older connected ", "older disconnected duplicate", "newer connected "}, story)
}

func TestT10PerAddressLimits(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Limits.JoinRate, cfg.Limits.Sockets = 1, 3 })
	for i := range 2 { // the burst
		require.NoError(t, w.client(fmt.Sprintf("c%d", i), "demo").dial())
	}
	c := w.client("c3", "demo")
	c.join.PeerConnections = []signaling.PeerConnection{c.offer()}
	began := time.Now()
	session, err := w.transport().Dial(t.Context(), c.join) // asked to wait, it does
	require.NoError(t, err)
	c.begin(session)
	require.Greater(t, time.Since(began), 100*time.Millisecond)
	_, err = w.transport().Dial(t.Context(), c.join)
	requireCode(t, signaling.CodeSignalingConnection, err)
}

func TestPublishRefusals(t *testing.T) {
	w := newWorld(t, func(cfg *sfu.Config) { cfg.MaxTracks = 2 })
	w.srv.RefusePublish(func(identity string, lt signaling.LocalTrack) *signaling.Error {
		if lt.Name == "forbidden" && identity == "alice" {
			return signaling.NewError(signaling.CodeTrackCapacityReached)
		}
		return nil
	})
	alice := w.client("alice", "demo")
	alice.join.Participant.Tracks = []signaling.LocalTrack{
		{ID: "ok", Name: "ok", Kind: signaling.KindData},
		{ID: "forbidden", Name: "forbidden", Kind: signaling.KindData},
		{ID: "twin", Name: "ok", Kind: signaling.KindData},
		{ID: "nameless", Kind: signaling.KindData},
		{ID: "long", Name: strings.Repeat("x", 129), Kind: signaling.KindData},
		{ID: "chars", Name: "a\x00b", Kind: signaling.KindData},
		{ID: "kind", Name: "kind", Kind: "smell"},
		{ID: "second", Name: "second", Kind: signaling.KindAudio},
		{ID: "third", Name: "third", Kind: signaling.KindVideo},
	}
	require.NoError(t, alice.dial())
	for id, code := range map[string]signaling.Code{
		"forbidden": signaling.CodeTrackCapacityReached, "twin": signaling.CodeTrackNameDuplicated,
		"nameless": signaling.CodeTrackNameInvalid, "long": signaling.CodeTrackNameTooLong,
		"chars": signaling.CodeTrackNameChars, "kind": signaling.CodeTrackInvalid,
		"third": signaling.CodeMaxTracksExceeded,
	} {
		p := alice.published[id]
		require.Equal(t, signaling.PublishFailed, p.State, id)
		require.Equal(t, code, p.Err.Code, id)
	}
	alice.readyWith("ok")
	alice.readyWith("second")
	// A place that is free again can be taken, by another publication.
	alice.unpublish("second")
	alice.unpublish("third")
	alice.join.Participant.Tracks = append(alice.join.Participant.Tracks,
		signaling.LocalTrack{ID: "fourth", Name: "third", Kind: signaling.KindData})
	alice.tell()
	alice.readyWith("fourth")
	tracks := w.srv.Participants("demo")[0].Tracks
	require.Len(t, tracks, 2)
	require.Equal(t, "third", tracks[1].Name)
}

func TestT29RolesAreEnforced(t *testing.T) {
	w := newWorld(t)
	as := func(c *client, role accesstoken.Role) {
		token, err := accesstoken.Token{Identity: string(role), Role: role}.Sign(w.key)
		require.NoError(t, err)
		c.join.Token = token
	}
	listener := w.client("subscriber", "demo")
	as(listener, accesstoken.RoleSubscriber)
	listener.publish(signaling.KindVideo, "cam")
	require.NoError(t, listener.dial())
	require.Equal(t, signaling.CodeTokenGrantsInvalid, listener.published["cam"].Err.Code)

	source := w.client("publisheronly", "demo")
	as(source, accesstoken.RolePublisherOnly)
	source.publish(signaling.KindVideo, "cam")
	source.publish(signaling.KindData, "chat")
	source.slot(media.Video)
	require.NoError(t, source.dial())
	require.Equal(t, signaling.PublishReady, source.published["cam"].State)
	require.Equal(t, signaling.PublishFailed, source.published["chat"].State)
	talker := w.client("talker", "demo")
	talker.publish(signaling.KindVideo, "cam")
	require.NoError(t, talker.dial())
	source.sees("talker", signaling.StateConnected)
	talker.unpublish("cam")
	talker.tell()
	source.until("unpublished", func() bool {
		return len(source.participants) > 0 && len(source.participants[len(source.participants)-1].Tracks) == 0
	})
	require.Empty(t, source.subscribed, "a publisher only does not receive")
}
