package rest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// badValue is one that a parameter must not have.
type badValue struct {
	name, value string
	code        int
}

// badRules are lists of rules that neither subscribe nor recording rules may be.
var badRules = []string{
	"", "null", "7", `"all"`, "{}", "[]", "[null]", "[7]", `["include"]`, "[[]]", "[{}]", `[{"type":"include"}]`,
	`[{"all":true}]`, `[{"type":"maybe","all":true}]`, `[{"type":["include"],"all":true}]`, `[{"type":"include","all":false}]`,
	`[{"type":"include","all":1}]`, `[{"type":"include","all":true,"kind":"audio"}]`, `[{"type":"include","kind":"smell"}]`,
	`[{"type":"include","kind":"audio","kind":"video"}]`, `[{"type":"include","type":"exclude","all":true}]`,
	`[{"type":"include","publisher":""}]`, `[{"type":"include","publisher":{}}]`, `[{"type":"include","track":null}]`,
	`[{"type":"include","priority":"high"}]`, `[{"type":"include","all":true}`, `[{"type":"include","all":true}] x`,
	"[" + strings.Repeat(`{"type":"include","all":true},`, 20) + `{"type":"include","all":true}]`,
	strings.Repeat("[", 10_000),
}

func rulesWith(code int) (list []badValue) {
	for _, r := range badRules {
		list = append(list, badValue{"Rules", r, code})
	}
	return list
}

// lists are the parameters of all lists that must not be.
var lists = []badValue{
	{"PageSize", "0", 20001},
	{"PageSize", "1001", 20001},
	{"PageSize", "-1", 20001},
	{"PageSize", "many", 20001},
	{"PageSize", "", 20001},
	{"PageSize", "99999999999999999999", 20001},
	{"Page", "-1", 20001},
	{"Page", "two", 20001},
	{"Page", "1", 20001},
	{"PageToken", "", 20001},
	{"PageToken", "PX00", 20001},
	{"PageToken", strings.Repeat("PA", 40), 20001},
}

var dates = []badValue{
	{"DateCreatedAfter", "yesterday", 20001},
	{"DateCreatedAfter", "2026-13-01", 20001},
	{"DateCreatedAfter", "", 20001},
	{"DateCreatedBefore", "1700000000", 20001},
	{"DateCreatedBefore", "2026-02-30", 20001},
}

var badRooms = []badValue{
	{"UniqueName", strings.Repeat("n", 129), 53101},
	{"UniqueName", "a\x00b", 53102},
	{"UniqueName", "\xff", 53102},
	{"UniqueName", sid.New(sid.Room), 53100},
	{"Type", "circle", 53108},
	{"Type", "Group", 53108},
	{"EnableTurn", "perhaps", 20001},
	{"AudioOnly", "1", 20001},
	{"LargeRoom", "yes", 20001},
	{"RecordParticipantsOnConnect", "on", 20001},
	{"StatusCallbackMethod", "PUT", 53110},
	{"StatusCallbackMethod", "post", 53110},
	{"MaxParticipants", "0", 53107},
	{"MaxParticipants", "61", 53107},
	{"MaxParticipants", "-1", 53107},
	{"MaxParticipants", "few", 53107},
	{"MaxParticipants", "", 53107},
	{"MaxParticipants", "2.5", 53107},
	{"MaxParticipantDuration", "599", 53109},
	{"MaxParticipantDuration", "86401", 53109},
	{"MaxParticipantDuration", "long", 53109},
	{"EmptyRoomTimeout", "0", 53109},
	{"EmptyRoomTimeout", "61", 53109},
	{"EmptyRoomTimeout", "1.5", 53109},
	{"UnusedRoomTimeout", "0", 53109},
	{"UnusedRoomTimeout", "61", 53109},
	{"UnusedRoomTimeout", "", 53109},
	{"MediaRegion", "nowhere", 53115},
	{"MediaRegion", "us1", 53116},
	{"VideoCodecs", "VP10", 20001},
	{"VideoCodecs", "", 20001},
	{"VideoCodecs", "opus", 20001},
	{"VideoCodecs", "VP8,,H264", 20001},
	{"TranscribeParticipantsOnConnect", "true", 53114},
	{"TranscriptionsConfiguration", "{}", 53114},
	{"RecordingRules", "[]", 53120},
	{"RecordingRules", "all", 53120},
}

// Every parameter of every call: out of range, of the wrong type, given twice,
// missing, and a megabyte long. Each gets its code, and nothing happens.
func TestBadInput(t *testing.T) {
	const room, alice = "/v1/Rooms/demo", "/v1/Rooms/demo/Participants/alice"
	track := sid.New(sid.Track)
	for _, c := range []struct {
		method, path string
		bad          []badValue
		others       []string // parameters beside the bad one
		missing      int      // the code for a call without parameters; 0: there need not be any
	}{
		{http.MethodPost, "/v1/Rooms", badRooms, nil, 0},
		{http.MethodGet, "/v1/Rooms", append(append([]badValue{{"Status", "gone", 20001}, {"Status", "", 20001}}, lists...), dates...), nil, 0},
		{http.MethodPost, room, []badValue{{"Status", "", 53112}, {"Status", "in-progress", 53112}, {"Status", "Completed", 53112}}, nil, 53112},
		{http.MethodPost, room + "/RecordingRules", append(rulesWith(53120), badValue{"Rules", `[{"type":"include","kind":"data"}]`, 53120}), nil, 53120},
		{http.MethodGet, room + "/Participants", append(append([]badValue{{"Status", "asleep", 20001}, {"Status", "", 20001}}, lists...), dates...), nil, 0},
		{http.MethodPost, alice, []badValue{{"Status", "", 53209}, {"Status", "connected", 53209}, {"Status", "Disconnected", 53209}}, nil, 53209},
		{http.MethodGet, alice + "/PublishedTracks", lists, nil, 0},
		{http.MethodPost, alice + "/PublishedTracks/chat", []badValue{{"Status", "", 20001}, {"Status", "Muted", 20001}, {"Status", "muted", 53125}}, nil, 20001},
		{http.MethodPost, room + "/Mute", []badValue{{"Active", "", 20001}, {"Active", "1", 20001}}, nil, 20001},
		{http.MethodPost, room + "/Mute", []badValue{{"Except", "", 20001}, {"Except", "null", 20001}, {"Except", "bob", 20001}, {"Except", `[""]`, 20001}, {"Except", `[7]`, 20001}}, []string{"Active", "true"}, 0},
		{http.MethodPost, room + "/Signals", []badValue{{"Type", "a b", 1461}, {"Data", "\xff", 1461}, {"Data", strings.Repeat("x", 8<<10+1), 1413}, {"To", "", 20001}}, nil, 20001},
		{http.MethodGet, alice + "/SubscribedTracks", lists, nil, 0},
		{http.MethodPost, alice + "/SubscribedTracks", []badValue{{"Status", "", 20001}, {"Status", "maybe", 20001}}, []string{"Track", track}, 20001},
		{http.MethodPost, alice + "/SubscribedTracks", []badValue{{"Track", "", 20001}, {"Track", "mic", 20001}, {"Track", "MT1", 20001}}, []string{"Status", "subscribe"}, 20001},
		{http.MethodPost, alice + "/SubscribeRules", rulesWith(53215), nil, 53215},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.srv.OpenRoom(sfu.RoomOptions{Name: "demo"})
			require.NoError(t, err)
			w.join("alice", "demo", signaling.LocalTrack{ID: "1", Kind: signaling.KindData, Name: "chat"})
			before := w.everything()
			send := func(form url.Values) reply {
				for i := 0; i < len(c.others); i += 2 {
					form.Set(c.others[i], c.others[i+1])
				}
				if c.method == http.MethodGet {
					return w.get(c.path + "?" + form.Encode())
				}
				return w.do(w.request(c.method, c.path, form.Encode()))
			}
			names := map[string]bool{}
			for _, b := range c.bad {
				w.refused(send(url.Values{b.name: {b.value}}), http.StatusBadRequest, b.code)
				names[b.name] = true
			}
			for name := range names {
				if name != "VideoCodecs" { // it is a list
					w.refused(send(url.Values{name: {"1", "1"}}), http.StatusBadRequest, 20001)
				}
				size, status := 1<<20, http.StatusRequestEntityTooLarge
				if c.method == http.MethodGet { // addresses of a megabyte are slow; one is tried below
					size, status = 16<<10, http.StatusRequestURITooLong
				}
				w.refused(send(url.Values{name: {strings.Repeat("x", size)}}), status, 20001)
			}
			if c.missing != 0 {
				w.refused(w.do(w.request(c.method, c.path, "")), http.StatusBadRequest, c.missing)
			}
			require.Equal(t, before, w.everything(), "nothing has changed")
		})
	}
}

// everything is all that can be read.
func (w *world) everything() (all []any) {
	for _, path := range []string{
		"/v1/Rooms", "/v1/Rooms?Status=completed", "/v1/Rooms/demo/RecordingRules", "/v1/Rooms/demo/Participants",
		"/v1/Rooms/demo/Participants?Status=disconnected", "/v1/Rooms/demo/Participants/alice/PublishedTracks",
		"/v1/Rooms/demo/Participants/alice/SubscribedTracks", "/v1/Rooms/demo/Participants/alice/SubscribeRules",
	} {
		a := w.get(path)
		require.Equal(w.t, http.StatusOK, a.status, "%v", a.body)
		all = append(all, a.body)
	}
	return all
}

func TestNothingThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	made := w.post("/v1/Rooms", "UniqueName", "demo").body["sid"].(string)
	for _, path := range []string{
		"/v1/Rooms/none/Participants", "/v1/Rooms/none/Participants/alice", "/v1/Rooms/demo/Participants/alice",
		"/v1/Rooms/demo/Participants/" + sid.New(sid.Participant), "/v1/Rooms/demo/Participants/alice/PublishedTracks",
		"/v1/Rooms/demo/Participants/alice/PublishedTracks/mic", "/v1/Rooms/demo/Participants/alice/SubscribedTracks",
		"/v1/Rooms/demo/Participants/alice/SubscribedTracks/" + sid.New(sid.Track), "/v1/Rooms/demo/Participants/alice/SubscribeRules",
		"/v1/Rooms/demo/Nothing", "/v1/Rooms/demo/Participants/alice/Nothing", "/v1/Rooms/" + url.PathEscape(made+" "),
	} {
		w.refused(w.get(path), http.StatusNotFound, 20404)
	}
	all := `[{"type":"include","all":true}]`
	w.refused(w.post("/v1/Rooms/demo/Participants/alice", "Status", "disconnected"), http.StatusNotFound, 20404)
	w.refused(w.post("/v1/Rooms/demo/Participants/alice/SubscribeRules", "Rules", all), http.StatusNotFound, 20404)
	w.refused(w.get("/v1/Rooms/"+strings.Repeat("x", 1<<20)), http.StatusRequestURITooLong, 20001)

	// A completed room is there by its SID alone, with whom it had.
	w.join("who / what?", "demo")
	w.post("/v1/Rooms/demo", "Status", "completed")
	w.refused(w.get("/v1/Rooms/demo/Participants"), http.StatusNotFound, 20404)
	one := w.get("/v1/Rooms/" + made + "/Participants/" + url.PathEscape("who / what?"))
	require.Equal(t, "disconnected", one.body["status"])
	w.refused(w.get("/v1/Rooms/"+made+"/Participants/nobody"), http.StatusNotFound, 20404)
	w.refused(w.post("/v1/Rooms/"+made+"/Participants/nobody", "Status", "disconnected"), http.StatusNotFound, 20404)
	w.refused(w.post("/v1/Rooms/"+made+"/Participants/"+url.PathEscape("who / what?"), "Status", "disconnected"), http.StatusBadRequest, 53209)
	w.refused(w.get("/v1/Rooms/"+made+"/Participants/"+url.PathEscape("who / what?")+"/SubscribeRules"), http.StatusNotFound, 20404)
	empty := w.get("/v1/Rooms/" + made + "/Participants?Status=connected")
	require.Empty(t, empty.body["participants"])
}
