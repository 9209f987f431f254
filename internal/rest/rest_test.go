package rest_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/rest"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server with its API.
type world struct {
	t   *testing.T
	srv *sfu.Server
	web *httptest.Server
	key accesstoken.Key
}

func newWorld(t *testing.T, change ...func(*rest.Config)) *world {
	t.Helper()
	key := accesstoken.NewKey()
	keys := map[string]accesstoken.Secret{key.SID: key.Secret}
	srv, err := sfu.New(sfu.Config{
		AccountSID: key.AccountSID, Keys: keys, Region: "xy1",
		Limits: sfu.Limits{JoinRate: -1, Sockets: -1}, Media: sfu.Media{Loopback: true},
	})
	require.NoError(t, err)
	cfg := rest.Config{AccountSID: key.AccountSID, Keys: keys, Region: "xy1", MaxParticipants: 60, Recorded: true}
	for _, c := range change {
		c(&cfg)
	}
	srv.Handle("/v1/", rest.New(srv, cfg))
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		require.NoError(t, srv.Close())
		web.Close()
	})
	return &world{t: t, srv: srv, web: web, key: key}
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   map[string]any
}

func (w *world) do(r *http.Request) reply {
	w.t.Helper()
	res, err := w.web.Client().Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	a := reply{status: res.StatusCode, header: res.Header}
	if len(data) > 0 {
		require.NoError(w.t, json.Unmarshal(data, &a.body), "%s", data)
	}
	return a
}

func (w *world) request(method, path, body string) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.web.URL+path, strings.NewReader(body))
	require.NoError(w.t, err)
	r.SetBasicAuth(w.key.SID, string(w.key.Secret))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// post sends a form of names and values.
func (w *world) post(path string, form ...string) reply {
	w.t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	return w.do(w.request(http.MethodPost, path, values.Encode()))
}

func (w *world) get(path string) reply { return w.do(w.request(http.MethodGet, path, "")) }

func (w *world) refused(a reply, status, code int) {
	w.t.Helper()
	require.Equal(w.t, status, a.status, "%v", a.body)
	require.InDelta(w.t, code, a.body["code"], 0, "%v", a.body)
	require.InDelta(w.t, status, a.body["status"], 0)
	require.NotEmpty(w.t, a.body["message"])
	require.Contains(w.t, a.body["more_info"], "/")
}

// join enters a room without media and publishes the tracks.
func (w *world) join(identity, room string, tracks ...signaling.LocalTrack) signaling.Session {
	w.t.Helper()
	token, err := accesstoken.Token{Identity: identity}.Sign(w.key)
	require.NoError(w.t, err)
	session, err := rsp.NewTransport(rsp.Options{URL: "ws" + strings.TrimPrefix(w.web.URL, "http") + "/signaling"}).Dial(
		w.t.Context(), signaling.Join{
			Token: token, Room: room, Participant: signaling.LocalParticipant{Revision: 1, Tracks: tracks},
			Subscribe: signaling.Subscribe{Revision: 1, Rules: []signaling.Rule{{All: true}}},
		})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = session.Close(w.t.Context(), signaling.ReasonReplaced) })
	return session
}

func TestTR1ARoomIsMadeAndRead(t *testing.T) {
	w := newWorld(t)
	made := w.post("/v1/Rooms", "UniqueName", "daily / 1", "Type", "group", "MaxParticipants", "7",
		"VideoCodecs", "H264,vp8", "MediaRegion", "gll", "AudioOnly", "False", "EnableTurn", "true",
		"EmptyRoomTimeout", "60", "UnusedRoomTimeout", "1", "MaxParticipantDuration", "600",
		"RecordParticipantsOnConnect", "true", "SomethingNew", "is ignored")
	require.Equal(t, http.StatusCreated, made.status, "%v", made.body)
	roomSID := made.body["sid"].(string)
	require.True(t, sid.Valid(roomSID, sid.Room))
	for _, date := range []string{"date_created", "date_updated"} {
		at, err := time.Parse(time.RFC3339, made.body[date].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), at, time.Minute)
		delete(made.body, date)
	}
	self := w.web.URL + "/v1/Rooms/" + roomSID
	require.Equal(t, map[string]any{
		"sid": roomSID, "status": "in-progress", "account_sid": w.key.AccountSID, "enable_turn": true,
		"unique_name": "daily / 1", "status_callback": nil, "status_callback_method": "POST", "end_time": nil,
		"duration": nil, "type": "group", "max_participants": 7.0, "max_participant_duration": 600.0,
		"max_concurrent_published_tracks": 0.0, "record_participants_on_connect": true,
		"video_codecs": []any{"H264", "VP8"}, "media_region": "xy1", "audio_only": false,
		"empty_room_timeout": 60.0, "unused_room_timeout": 1.0, "large_room": false, "url": self,
		"links": map[string]any{
			"participants": self + "/Participants", "recordings": self + "/Recordings",
			"recording_rules": self + "/RecordingRules", "transcriptions": self + "/Transcriptions",
		},
	}, made.body)

	for _, name := range []string{roomSID, url.PathEscape("daily / 1")} {
		read := w.get("/v1/Rooms/" + name)
		require.Equal(t, http.StatusOK, read.status)
		delete(read.body, "date_created")
		delete(read.body, "date_updated")
		require.Equal(t, made.body, read.body)
	}
	w.refused(w.post("/v1/Rooms", "UniqueName", "daily / 1"), http.StatusBadRequest, 53113)
}

func TestTR1DefaultsOfTypes(t *testing.T) {
	w := newWorld(t)
	for kind, most := range map[string]float64{"group": 50, "group-small": 4, "go": 2, "peer-to-peer": 10} {
		a := w.post("/v1/Rooms", "Type", kind)
		require.Equal(t, http.StatusCreated, a.status, "%v", a.body)
		require.Equal(t, a.body["sid"], a.body["unique_name"], "the SID is the name")
		require.InDelta(t, most, a.body["max_participants"], 0, kind)
	}
	large := w.post("/v1/Rooms", "MaxParticipants", "51")
	require.InDelta(t, 51, large.body["max_participants"], 0)
	require.InDelta(t, 16, large.body["max_concurrent_published_tracks"], 0)
	require.Equal(t, true, large.body["large_room"])

	// An empty name is none: the room is called by its SID.
	for range 2 {
		unnamed := w.post("/v1/Rooms", "UniqueName", "")
		require.Equal(t, http.StatusCreated, unnamed.status)
		require.Equal(t, unnamed.body["sid"], unnamed.body["unique_name"])
	}
}

func TestTR1EveryMistakeHasItsCode(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, value string
		code        int
	}{
		{"Type", "peer", 53108},
		{"Type", "GROUP", 53108},
		{"UniqueName", "RM0123456789abcdef0123456789abcdef", 53100},
		{"UniqueName", strings.Repeat("x", 129), 53101},
		{"UniqueName", "a\nb", 53102},
		{"UniqueName", "a\xffb", 53102},
		{"MaxParticipants", "0", 53107},
		{"MaxParticipants", "61", 53107},
		{"MaxParticipants", "-1", 53107},
		{"MaxParticipants", "many", 53107},
		{"MaxParticipants", "", 53107},
		{"EmptyRoomTimeout", "0", 53109},
		{"EmptyRoomTimeout", "61", 53109},
		{"UnusedRoomTimeout", "1e3", 53109},
		{"MaxParticipantDuration", "86401", 53109},
		{"MaxParticipantDuration", "599", 53109},
		{"StatusCallback", "https://example.com", 53114},
		{"StatusCallbackMethod", "PUT", 53110},
		{"TranscribeParticipantsOnConnect", "true", 53114},
		{"TranscriptionsConfiguration", "{}", 53114},
		{"MediaRegion", "us1", 53116},
		{"MediaRegion", "$abc", 53115},
		{"VideoCodecs", "Opus", 20001},
		{"VideoCodecs", "", 20001},
		{"VideoCodecs", "VP8,,H264", 20001},
		{"AudioOnly", "1", 20001},
		{"EnableTurn", "maybe", 20001},
		{"RecordParticipantsOnConnect", "yes", 20001},
		{"RecordingRules", "{}", 53120},
		{"RecordingRules", "[]", 53120},
		{"RecordingRules", `[{"type":"include"}]`, 53120},
		{"RecordingRules", `[{"type":"include","all":true,"kind":"audio"}]`, 53120},
		{"RecordingRules", `[{"type":"include","all":false}]`, 53120},
		{"RecordingRules", `[{"type":"include","kind":"data"}]`, 53120},
		{"RecordingRules", `[{"type":"maybe","all":true}]`, 53120},
		{"RecordingRules", "[" + strings.Repeat(`{"type":"include","all":true},`, 20) + `{"type":"include","all":true}]`, 53120},
	} {
		w.refused(w.post("/v1/Rooms", c.name, c.value), http.StatusBadRequest, c.code)
	}
	require.Empty(t, w.srv.Rooms(), "nothing was made")
	w.refused(w.post("/v1/Rooms", "Type", "go", "Type", "group"), http.StatusBadRequest, 20001)
	w.refused(w.post("/v1/Rooms", "Type", "group-small", "MaxParticipants", "5"), http.StatusBadRequest, 53107)
	require.Empty(t, w.srv.Rooms())
}

func TestTR3ARoomThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	none := "/v1/Rooms/" + sid.New(sid.Room)
	for _, a := range []reply{
		w.get(none), w.get("/v1/Rooms/demo"), w.get(none + "/RecordingRules"), w.get("/v1/"), w.get("/v1/Rooms/a/b/c"),
		w.post(none, "Status", "completed"), w.post(none+"/RecordingRules", "Rules", "[]"),
		w.post(none+"/Participants/alice/SubscribedTracks", "Status", "subscribe"),
	} {
		w.refused(a, http.StatusNotFound, 20404)
	}
}

func TestTR4CompletingEndsEverybody(t *testing.T) {
	w := newWorld(t)
	roomSID := w.post("/v1/Rooms", "UniqueName", "demo").body["sid"].(string)
	alice, bob := w.join("alice", roomSID), w.join("bob", "demo")
	require.Equal(t, roomSID, bob.Initial().Room.SID)

	w.refused(w.post("/v1/Rooms/"+roomSID), http.StatusBadRequest, 53112)
	w.refused(w.post("/v1/Rooms/"+roomSID, "Status", "in-progress"), http.StatusBadRequest, 53112)
	done := w.post("/v1/Rooms/demo", "Status", "completed")
	require.Equal(t, http.StatusAccepted, done.status)
	require.Equal(t, "completed", done.body["status"])
	require.NotNil(t, done.body["end_time"])
	require.NotNil(t, done.body["duration"])
	for _, s := range []signaling.Session{alice, bob} {
		var err error
		for err == nil {
			_, err = s.Receive(t.Context())
		}
		require.ErrorIs(t, err, signaling.NewError(signaling.CodeRoomCompleted))
	}
	w.refused(w.post("/v1/Rooms/"+roomSID, "Status", "completed"), http.StatusBadRequest, 53112)
	w.refused(w.get("/v1/Rooms/demo"), http.StatusNotFound, 20404)
	require.Equal(t, done.body, w.get("/v1/Rooms/"+roomSID).body, "the SID is good for ever")
	require.Equal(t, http.StatusCreated, w.post("/v1/Rooms", "UniqueName", "demo").status, "the name is free")
}

func TestTR13OneTrackIsSubscribed(t *testing.T) {
	w := newWorld(t)
	roomSID := w.post("/v1/Rooms").body["sid"].(string)
	w.join("alice", roomSID)
	path := "/v1/Rooms/" + roomSID + "/Participants/alice/SubscribedTracks"
	track := sid.New(sid.Track)
	w.refused(w.post(path, "Status", "subscribe", "Track", "camera"), http.StatusBadRequest, 20001)
	w.refused(w.post(path, "Status", "maybe", "Track", track), http.StatusBadRequest, 20001)
	w.refused(w.post(path, "Status", "subscribe", "Track", track), http.StatusNotFound, 20404)
	other := "/v1/Rooms/" + roomSID + "/Participants/bob/SubscribedTracks"
	w.refused(w.post(other, "Status", "subscribe", "Track", track), http.StatusNotFound, 20404)
	w.refused(w.do(w.request(http.MethodDelete, path, "")), http.StatusMethodNotAllowed, 20004)
}

func TestTR14RecordingRules(t *testing.T) {
	w := newWorld(t)
	path := "/v1/Rooms/" + w.post("/v1/Rooms").body["sid"].(string) + "/RecordingRules"
	require.Equal(t, []any{map[string]any{"type": "exclude", "all": true}}, w.get(path).body["rules"])
	set := w.post(path, "Rules", `[{"type":"include","all":"true"},{"type":"exclude","publisher":"bob","kind":"video"}]`)
	require.Equal(t, http.StatusAccepted, set.status, "%v", set.body)
	want := []any{
		map[string]any{"type": "include", "all": true},
		map[string]any{"type": "exclude", "publisher": "bob", "kind": "video"},
	}
	require.Equal(t, want, set.body["rules"])
	w.refused(w.post(path, "Rules", `[{"type":"include","all":"yes"}]`), http.StatusBadRequest, 53120)
	w.refused(w.post(path), http.StatusBadRequest, 53120)
	require.Equal(t, want, w.get(path).body["rules"], "the old rules stay")
}

// A server whose rooms nobody records does not pretend.
func TestRecordingIsRefusedWhereNobodyRecords(t *testing.T) {
	w := newWorld(t, func(c *rest.Config) { c.Recorded = false })
	w.refused(w.post("/v1/Rooms", "RecordParticipantsOnConnect", "true"), http.StatusBadRequest, 53114)
	room := w.post("/v1/Rooms", "RecordParticipantsOnConnect", "false")
	require.Equal(t, http.StatusCreated, room.status)
	path := "/v1/Rooms/" + room.body["sid"].(string) + "/RecordingRules"
	w.refused(w.post(path, "Rules", `[{"type":"include","all":true}]`), http.StatusBadRequest, 53114)
}

func TestT17OnlyTheKeyOpens(t *testing.T) {
	w := newWorld(t)
	for _, c := range [][2]string{
		{"", ""},
		{w.key.SID, ""},
		{w.key.SID, string(w.key.Secret) + "x"},
		{"SK0123456789abcdef0123456789abcdef", string(w.key.Secret)},
		{"SK0123456789abcdef0123456789abcdef", ""},
		{w.key.AccountSID, string(w.key.Secret)},
	} {
		r := w.request(http.MethodPost, "/v1/Rooms", "")
		r.SetBasicAuth(c[0], c[1])
		w.refused(w.do(r), http.StatusUnauthorized, 20003)
	}
	r := w.request(http.MethodGet, "/v1/Rooms/demo", "")
	r.Header.Del("Authorization")
	w.refused(w.do(r), http.StatusUnauthorized, 20003)
	require.Empty(t, w.srv.Rooms())
}

func TestPagesMayCallFromAllowedOrigins(t *testing.T) {
	w := newWorld(t, func(c *rest.Config) {
		c.CheckOrigin = func(r *http.Request) bool { return r.Header.Get("Origin") == "https://app.example" }
	})
	ask := func(origin string) reply {
		r := w.request(http.MethodOptions, "/v1/Rooms", "")
		r.Header.Del("Authorization") // a browser asks without
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
		return w.do(r)
	}
	yes := ask("https://app.example")
	require.Equal(t, http.StatusNoContent, yes.status)
	require.Equal(t, "https://app.example", yes.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "authorization, content-type", yes.header.Get("Access-Control-Allow-Headers"))
	require.Contains(t, yes.header.Get("Access-Control-Allow-Methods"), "POST")
	no := ask("https://evil.example")
	w.refused(no, http.StatusForbidden, 20403)
	require.Empty(t, no.header.Get("Access-Control-Allow-Origin"))

	r := w.request(http.MethodPost, "/v1/Rooms", "")
	r.Header.Set("Origin", "https://app.example")
	made := w.do(r)
	require.Equal(t, http.StatusCreated, made.status)
	require.Equal(t, "https://app.example", made.header.Get("Access-Control-Allow-Origin"))
	r = w.request(http.MethodPost, "/v1/Rooms", "")
	r.Header.Set("Origin", "https://evil.example")
	w.refused(w.do(r), http.StatusForbidden, 20403)
	require.Len(t, w.srv.Rooms(), 1)

	own := newWorld(t)
	r = own.request(http.MethodGet, "/v1/Rooms/demo", "")
	r.Header.Set("Origin", own.web.URL)
	own.refused(own.do(r), http.StatusNotFound, 20404)
	r.Header.Set("Origin", "https://app.example")
	own.refused(own.do(r), http.StatusForbidden, 20403)
}

func TestBodiesAreBounded(t *testing.T) {
	w := newWorld(t)
	w.refused(w.post("/v1/Rooms", "UniqueName", strings.Repeat("x", 1<<20)), http.StatusRequestEntityTooLarge, 20001)
	w.refused(w.do(w.request(http.MethodPost, "/v1/Rooms", "a=%zz")), http.StatusBadRequest, 20001)
	require.Empty(t, w.srv.Rooms())
}

// Ten wrong keys in a minute are answered as such. Then nothing is looked at,
// not even the right key; and others are not concerned.
func TestT17GuessingIsBounded(t *testing.T) {
	w := newWorld(t)
	for range 30 { // who gives no key does not guess
		r := w.request(http.MethodGet, "/v1/Rooms/demo", "")
		r.Header.Del("Authorization")
		w.refused(w.do(r), http.StatusUnauthorized, 20003)
	}
	guess := func() reply {
		r := w.request(http.MethodGet, "/v1/Rooms/demo", "")
		r.SetBasicAuth(w.key.SID, "a guess")
		return w.do(r)
	}
	answers := map[int]int{}
	var last reply
	for range 30 { // some get through while it takes long
		last = guess()
		answers[last.status]++
		if last.status == http.StatusTooManyRequests {
			break
		}
	}
	w.refused(last, http.StatusTooManyRequests, 20429)
	require.NotEmpty(t, last.header.Get("Retry-After"))
	require.GreaterOrEqual(t, answers[http.StatusUnauthorized], 10)

	other := w.web.Client().Transport.(*http.Transport).Clone()
	other.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext
	defer other.CloseIdleConnections()
	res, err := (&http.Client{Transport: other}).Do(w.request(http.MethodGet, "/v1/Rooms/demo", ""))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusNotFound, res.StatusCode)
}

func TestT17CallsAreBounded(t *testing.T) {
	w := newWorld(t)
	for range 1000 {
		if a := w.post("/v1/Rooms", "Type", "none"); a.status == http.StatusTooManyRequests {
			w.refused(a, http.StatusTooManyRequests, 20429)
			require.NotEmpty(t, a.header.Get("Retry-After"))
			return
		}
	}
	require.Fail(t, "a thousand calls went through")
}
