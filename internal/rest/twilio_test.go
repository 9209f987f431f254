package rest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
	"github.com/twilio/twilio-go/client"
	video "github.com/twilio/twilio-go/rest/video/v1"
)

// redirect sends what is meant for the hosted service to the server here.
type redirect struct {
	to   *url.URL
	next http.RoundTripper
}

func (d redirect) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = d.to.Scheme, d.to.Host, ""
	return d.next.RoundTrip(r)
}

// service is the hosted service's own client library.
func (w *world) service() *video.ApiService {
	w.t.Helper()
	to, err := url.Parse(w.web.URL)
	require.NoError(w.t, err)
	c := &client.Client{
		Credentials: client.NewCredentials(w.key.SID, string(w.key.Secret)),
		HTTPClient:  &http.Client{Transport: redirect{to, w.web.Client().Transport}},
	}
	c.SetAccountSid(w.key.AccountSID)
	return video.NewApiServiceWithClient(c)
}

// refusedByService checks an error of the library.
func refusedByService(t *testing.T, err error, status, code int) {
	t.Helper()
	var e *client.TwilioRestError
	require.ErrorAs(t, err, &e)
	require.Equal(t, status, e.Status, "%v", e)
	require.Equal(t, code, e.Code, "%v", e)
}

// connect enters a room with media.
func (w *world) connect(identity, room string, opts parley.ConnectOptions) *parley.Room {
	w.t.Helper()
	token, err := accesstoken.Token{Identity: identity}.Sign(w.key)
	require.NoError(w.t, err)
	opts.URL, opts.Name = "ws"+strings.TrimPrefix(w.web.URL, "http")+"/signaling", room
	r, err := parley.Connect(token, &opts)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = r.Disconnect() })
	return r
}

// tracks are a microphone and a data track.
func tracks(t *testing.T) (*parley.LocalAudioTrack, *parley.LocalDataTrack) {
	t.Helper()
	mic, err := parley.NewLocalAudioTrack(synth.Tone(), &parley.TrackOptions{Name: "mic"})
	require.NoError(t, err)
	t.Cleanup(mic.Stop)
	chat, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "chat"})
	require.NoError(t, err)
	return mic, chat
}

// follow reads a channel of events to its end, as a room waits for a while for
// those who do not.
func follow[T any](ch <-chan T) <-chan T {
	out := make(chan T, 100)
	go func() {
		for v := range ch {
			out <- v
		}
	}()
	return out
}

func wait[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		require.True(t, ok, "the channel has ended")
		return v
	case <-t.Context().Done():
	}
	require.Fail(t, "nothing came")
	panic("not reached")
}

func TestTR1RoomsByTwilioGo(t *testing.T) {
	w := newWorld(t)
	api := w.service()
	made, err := api.CreateRoom((&video.CreateRoomParams{}).SetUniqueName("DailyStandup").SetType("group").
		SetMaxParticipants(3).SetVideoCodecs([]string{"VP8", "H264"}).SetEnableTurn(true).SetMediaRegion("gll").
		SetEmptyRoomTimeout(7).SetUnusedRoomTimeout(9).SetMaxParticipantDuration(3600).SetAudioOnly(false).
		SetRecordParticipantsOnConnect(false).SetLargeRoom(false))
	require.NoError(t, err)
	require.Equal(t, "DailyStandup", *made.UniqueName)
	require.Equal(t, "in-progress", *made.Status)
	require.Equal(t, "group", *made.Type)
	require.Equal(t, w.key.AccountSID, *made.AccountSid)
	require.Equal(t, 3, made.MaxParticipants)
	require.Equal(t, 3600, made.MaxParticipantDuration)
	require.Equal(t, 7, made.EmptyRoomTimeout)
	require.Equal(t, 9, made.UnusedRoomTimeout)
	require.Equal(t, []string{"VP8", "H264"}, *made.VideoCodecs)
	require.WithinDuration(t, time.Now(), *made.DateCreated, time.Minute)
	require.Nil(t, made.EndTime)
	require.Len(t, *made.Links, 4)

	for _, name := range []string{*made.Sid, "DailyStandup"} {
		read, err := api.FetchRoom(name)
		require.NoError(t, err)
		require.Equal(t, made, read)
	}
	_, err = api.CreateRoom((&video.CreateRoomParams{}).SetUniqueName("DailyStandup"))
	refusedByService(t, err, http.StatusBadRequest, 53113)
	_, err = api.CreateRoom((&video.CreateRoomParams{}).SetMaxParticipants(61))
	refusedByService(t, err, http.StatusBadRequest, 53107)

	ended, err := api.UpdateRoom(*made.Sid, (&video.UpdateRoomParams{}).SetStatus("completed"))
	require.NoError(t, err)
	require.Equal(t, "completed", *ended.Status)
	require.NotNil(t, ended.EndTime)
	require.NotNil(t, ended.Duration)
	_, err = api.UpdateRoom(*made.Sid, (&video.UpdateRoomParams{}).SetStatus("completed"))
	refusedByService(t, err, http.StatusBadRequest, 53112)
	_, err = api.FetchRoom("DailyStandup")
	refusedByService(t, err, http.StatusNotFound, 20404)
	read, err := api.FetchRoom(*made.Sid)
	require.NoError(t, err)
	require.Equal(t, ended, read)
	again, err := api.CreateRoom((&video.CreateRoomParams{}).SetUniqueName("DailyStandup"))
	require.NoError(t, err)
	require.NotEqual(t, *made.Sid, *again.Sid)
}

// A hundred and twenty rooms over pages, while more are made and some end.
func TestTR2PagesByTwilioGo(t *testing.T) {
	w := newWorld(t)
	api := w.service()
	var want []string // newest first
	open := func(name string) string {
		room, err := w.srv.OpenRoom(sfu.RoomOptions{Name: name})
		require.NoError(t, err)
		return room.SID
	}
	for i := range 120 {
		want = append([]string{open(fmt.Sprintf("room %d", i))}, want...)
	}
	var got []string
	size := 25
	page, err := api.PageRoom(&video.ListRoomParams{PageSize: &size}, "", "")
	for pages := 0; ; pages++ {
		require.NoError(t, err)
		require.Equal(t, pages, page.Meta.Page)
		require.Equal(t, size, page.Meta.PageSize)
		require.Equal(t, "rooms", page.Meta.Key)
		for _, r := range page.Rooms {
			got = append(got, *r.Sid)
		}
		open(fmt.Sprintf("later %d", pages))
		if page.Meta.NextPageUrl == nil {
			require.Equal(t, 4, pages)
			break
		}
		next, err := url.Parse(*page.Meta.NextPageUrl)
		require.NoError(t, err)
		page, err = api.PageRoom(&video.ListRoomParams{PageSize: &size}, next.Query().Get("PageToken"), next.Query().Get("Page"))
		require.NoError(t, err)
	}
	require.Equal(t, want, got)

	back := w.get(strings.TrimPrefix(*page.Meta.PreviousPageUrl, w.web.URL))
	require.Len(t, back.body["rooms"], size)
	require.Equal(t, want[75], back.body["rooms"].([]any)[0].(map[string]any)["sid"], "the page before the last")

	all, err := api.ListRoom(&video.ListRoomParams{PageSize: &size}) // the library walks by itself
	require.NoError(t, err)
	require.Len(t, all, 125)
	for i, room := range want[:10] {
		_, err := w.srv.CompleteRoom(room)
		require.NoError(t, err, "%d", i)
	}
	for _, c := range []struct {
		params *video.ListRoomParams
		want   int
	}{
		{(&video.ListRoomParams{}).SetStatus("in-progress").SetPageSize(1000), 115},
		{(&video.ListRoomParams{}).SetStatus("completed"), 10},
		{(&video.ListRoomParams{}).SetStatus("failed"), 0},
		{(&video.ListRoomParams{}).SetUniqueName("room 3"), 1},
		{(&video.ListRoomParams{}).SetUniqueName("room 119"), 0},
		{(&video.ListRoomParams{}).SetUniqueName("room 119").SetStatus("completed"), 1},
		{(&video.ListRoomParams{}).SetDateCreatedAfter(time.Now().Add(time.Hour)), 0},
		{(&video.ListRoomParams{}).SetDateCreatedAfter(time.Now().Add(-time.Hour)), 115},
		{(&video.ListRoomParams{}).SetDateCreatedBefore(time.Now().Add(time.Hour)).SetLimit(20), 20},
		{(&video.ListRoomParams{}).SetDateCreatedBefore(time.Now().Add(-time.Hour)), 0},
	} {
		list, err := api.ListRoom(c.params)
		require.NoError(t, err)
		require.Len(t, list, c.want)
	}
}

func TestTR7ParticipantsByTwilioGo(t *testing.T) {
	w := newWorld(t)
	api := w.service()
	made, err := api.CreateRoom(&video.CreateRoomParams{})
	require.NoError(t, err)
	room := *made.Sid
	mic, chat := tracks(t)
	alice := w.connect("alice", room, parley.ConnectOptions{Tracks: []parley.LocalTrack{mic, chat}})
	bob := w.connect("bob", room, parley.ConnectOptions{})
	added := follow(bob.TrackSubscribed())
	for range 2 {
		wait(t, added)
	}

	people, err := api.ListRoomParticipant(room, nil)
	require.NoError(t, err)
	require.Len(t, people, 2)
	require.Equal(t, "bob", *people[0].Identity, "the latest to join first")
	for _, name := range []string{"alice", alice.LocalParticipant().SID()} {
		p, err := api.FetchRoomParticipant(room, name)
		require.NoError(t, err)
		require.Equal(t, &people[1], p)
		require.Equal(t, "connected", *p.Status)
		require.Equal(t, room, *p.RoomSid)
		require.Equal(t, alice.LocalParticipant().SID(), *p.Sid)
		require.WithinDuration(t, time.Now(), *p.StartTime, time.Minute)
		require.Nil(t, p.EndTime)
		require.Len(t, *p.Links, 4)
	}

	published, err := api.ListRoomParticipantPublishedTrack(room, "alice", nil)
	require.NoError(t, err)
	require.Len(t, published, 2)
	byName := map[string]video.VideoV1RoomParticipantPublishedTrack{}
	for _, p := range published {
		byName[*p.Name] = p
		require.True(t, *p.Enabled)
		require.Equal(t, alice.LocalParticipant().SID(), *p.ParticipantSid)
	}
	require.Equal(t, "audio", *byName["mic"].Kind)
	require.Equal(t, "data", *byName["chat"].Kind)
	for _, name := range []string{"mic", *byName["mic"].Sid} {
		one, err := api.FetchRoomParticipantPublishedTrack(room, "alice", name)
		require.NoError(t, err)
		require.Equal(t, byName["mic"], *one)
	}
	disabled, disconnected := follow(bob.TrackDisabled()), follow(bob.ParticipantDisconnected())
	mic.SetEnabled(false)
	wait(t, disabled)
	one, err := api.FetchRoomParticipantPublishedTrack(room, "alice", "mic")
	require.NoError(t, err)
	require.False(t, *one.Enabled)
	none, err := api.ListRoomParticipantPublishedTrack(room, "bob", nil)
	require.NoError(t, err)
	require.Empty(t, none)

	subscribed, err := api.ListRoomParticipantSubscribedTrack(room, "bob", nil)
	require.NoError(t, err)
	require.Len(t, subscribed, 2)
	for _, s := range subscribed {
		require.Equal(t, bob.LocalParticipant().SID(), *s.ParticipantSid)
		require.Equal(t, alice.LocalParticipant().SID(), *s.PublisherSid)
		require.Equal(t, *byName[*s.Name].Sid, *s.Sid)
		got, err := api.FetchRoomParticipantSubscribedTrack(room, "bob", *s.Sid)
		require.NoError(t, err)
		require.Equal(t, s, *got)
	}
	_, err = api.FetchRoomParticipantSubscribedTrack(room, "bob", "mic")
	refusedByService(t, err, http.StatusNotFound, 20404)

	_, err = api.UpdateRoomParticipant(room, "alice", (&video.UpdateRoomParticipantParams{}).SetStatus("connected"))
	refusedByService(t, err, http.StatusBadRequest, 53209)
	gone, err := api.UpdateRoomParticipant(room, "alice", (&video.UpdateRoomParticipantParams{}).SetStatus("disconnected"))
	require.NoError(t, err)
	require.Equal(t, "disconnected", *gone.Status)
	require.NotNil(t, gone.EndTime)
	require.NotNil(t, gone.Duration)
	remembered, err := api.FetchRoomParticipant(room, "alice")
	require.NoError(t, err)
	require.Equal(t, gone, remembered)
	<-alice.Done()
	require.ErrorIs(t, alice.Err(), parley.ErrParticipantNotFound)
	require.Equal(t, parley.ReasonRemoved, wait(t, disconnected).Reason)
	_, err = api.UpdateRoomParticipant(room, "alice", (&video.UpdateRoomParticipantParams{}).SetStatus("disconnected"))
	refusedByService(t, err, http.StatusBadRequest, 53209)

	left, err := api.ListRoomParticipant(room, (&video.ListRoomParticipantParams{}).SetStatus("disconnected").SetIdentity("alice"))
	require.NoError(t, err)
	require.Len(t, left, 1)
	again := w.connect("alice", room, parley.ConnectOptions{})
	now, err := api.FetchRoomParticipant(room, "alice")
	require.NoError(t, err)
	require.Equal(t, again.LocalParticipant().SID(), *now.Sid, "the one that is there is meant")

	_, err = api.UpdateRoom(room, (&video.UpdateRoomParams{}).SetStatus("completed"))
	require.NoError(t, err)
	all, err := api.ListRoomParticipant(room, nil)
	require.NoError(t, err)
	require.Len(t, all, 3, "all that were ever there")
	for _, p := range all {
		require.Equal(t, "disconnected", *p.Status)
	}
}

func TestTR13SubscribeRulesByTwilioGo(t *testing.T) {
	w := newWorld(t)
	api := w.service()
	made, err := api.CreateRoom(&video.CreateRoomParams{})
	require.NoError(t, err)
	room := *made.Sid
	mic, chat := tracks(t)
	alice := w.connect("alice", room, parley.ConnectOptions{Tracks: []parley.LocalTrack{mic, chat}})
	bob := w.connect("bob", room, parley.ConnectOptions{})
	added, removed, left := follow(bob.TrackSubscribed()), follow(bob.TrackUnsubscribed()), follow(alice.ParticipantDisconnected())
	for range 2 {
		wait(t, added)
	}
	type rule = video.VideoV1RoomRoomParticipantRoomParticipantSubscribeRuleRules
	rules, err := api.FetchRoomParticipantSubscribeRule(room, "bob")
	require.NoError(t, err)
	require.Equal(t, []rule{{Type: "include", All: true}}, *rules.Rules)
	require.Equal(t, bob.LocalParticipant().SID(), *rules.ParticipantSid)

	set := func(list ...rule) error {
		_, err := api.UpdateRoomParticipantSubscribeRule(room, "bob", (&video.UpdateRoomParticipantSubscribeRuleParams{}).SetRules(list))
		return err
	}
	require.NoError(t, set(rule{Type: "include", All: true}, rule{Type: "exclude", Publisher: "alice", Kind: "audio"}))
	require.Equal(t, "mic", wait(t, removed).Publication.TrackName())
	subscribed, err := api.ListRoomParticipantSubscribedTrack(room, "bob", nil)
	require.NoError(t, err)
	require.Len(t, subscribed, 1)
	require.Equal(t, "chat", *subscribed[0].Name)

	refusedByService(t, set(), http.StatusBadRequest, 53215)
	refusedByService(t, set(rule{Type: "include"}), http.StatusBadRequest, 53215)
	refusedByService(t, set(rule{Type: "include", All: true, Priority: "high"}), http.StatusBadRequest, 53215)
	kept, err := api.FetchRoomParticipantSubscribeRule(room, "bob")
	require.NoError(t, err)
	require.Equal(t, []rule{{Type: "include", All: true}, {Type: "exclude", Publisher: "alice", Kind: "audio"}}, *kept.Rules, "the old rules stay")

	require.NoError(t, set(rule{Type: "include", Publisher: alice.LocalParticipant().SID(), Track: "mic"}))
	require.Equal(t, "mic", wait(t, added).Publication.TrackName())
	require.Equal(t, "chat", wait(t, removed).Publication.TrackName())

	require.NoError(t, bob.Disconnect())
	wait(t, left)
	refusedByService(t, set(rule{Type: "include", All: true}), http.StatusNotFound, 20404)
	none, err := api.ListRoomParticipantSubscribedTrack(room, "bob", nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

// In a peer-to-peer room the server forwards nothing, and rules choose nothing.
func TestTR13NoRulesInAPeerToPeerRoom(t *testing.T) {
	w := newWorld(t)
	api := w.service()
	made, err := api.CreateRoom((&video.CreateRoomParams{}).SetType("peer-to-peer"))
	require.NoError(t, err)
	w.join("alice", *made.Sid)
	_, err = api.FetchRoomParticipantSubscribeRule(*made.Sid, "alice")
	refusedByService(t, err, http.StatusBadRequest, 53117)
	_, err = api.UpdateRoomParticipantSubscribeRule(*made.Sid, "alice",
		(&video.UpdateRoomParticipantSubscribeRuleParams{}).SetRules([]map[string]any{{"type": "include", "all": true}}))
	refusedByService(t, err, http.StatusBadRequest, 53117)
}
