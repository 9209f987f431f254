package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
)

// until reads updates of a session until one satisfies want.
func (w *world) until(s signaling.Session, want func(signaling.Update) bool) {
	w.t.Helper()
	for {
		u, err := s.Receive(w.t.Context())
		require.NoError(w.t, err)
		if want(u) {
			return
		}
	}
}

// delivered waits for a message of the control channel that has all of this.
func (w *world) delivered(s signaling.Session, fields ...string) {
	w.t.Helper()
	w.until(s, func(u signaling.Update) bool {
		for _, c := range u.Channels {
			all := c.Name == "control" && json.Valid(c.Payload)
			for _, f := range fields {
				all = all && strings.Contains(string(c.Payload), f)
			}
			if all {
				return true
			}
		}
		return false
	})
}

func TestOR3SignalsFromTheServer(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.join("alice", "demo"), w.join("bob", "demo")
	const path = "/v1/Rooms/demo/Signals"
	sent := w.post(path, "Type", "chat", "Data", "<hello>", "To", "bob")
	require.Equal(t, http.StatusAccepted, sent.status, "%v", sent.body)
	require.Equal(t, "<hello>", sent.body["data"])
	require.Equal(t, "bob", sent.body["to"])
	w.delivered(bob, `"type":"signal"`, `"type":"chat"`, `"number":1`)
	require.Equal(t, http.StatusAccepted, w.post(path, "Type", "all").status)
	w.delivered(alice, `"type":"all"`, `"number":1`)
	w.delivered(bob, `"type":"all"`, `"number":2`)
	w.refused(w.post(path, "Type", "chat", "To", "carol"), http.StatusNotFound, 20404)
	w.refused(w.post("/v1/Rooms/none/Signals", "Type", "chat"), http.StatusNotFound, 20404)
	w.refused(w.get(path), http.StatusMethodNotAllowed, 20004)
}

func TestOR5MuteFromTheServer(t *testing.T) {
	w := newWorld(t)
	alice := w.join("alice", "demo", signaling.LocalTrack{ID: "1", Kind: signaling.KindAudio, Name: "mic", Enabled: true},
		signaling.LocalTrack{ID: "2", Kind: signaling.KindVideo, Name: "camera", Enabled: true})
	const tracks, mute = "/v1/Rooms/demo/Participants/alice/PublishedTracks/", "/v1/Rooms/demo/Mute"
	muted := w.post(tracks+"camera", "Status", "muted")
	require.Equal(t, http.StatusAccepted, muted.status, "%v", muted.body)
	require.Equal(t, false, muted.body["enabled"])
	w.delivered(alice, `"type":"muted"`, muted.body["sid"].(string))
	require.Equal(t, false, w.get(tracks + "camera").body["enabled"])
	require.Equal(t, true, w.get(tracks + "mic").body["enabled"])

	all := w.post(mute, "Active", "true", "Except", `["alice"]`)
	require.Equal(t, http.StatusAccepted, all.status, "%v", all.body)
	require.Equal(t, []any{"alice"}, all.body["except"])
	w.delivered(alice, `"type":"muting"`, `"active":true`)
	require.Equal(t, true, w.get(tracks + "mic").body["enabled"])
	require.Equal(t, http.StatusAccepted, w.post(mute, "Active", "true").status)
	w.delivered(alice, `"type":"muted"`, w.get(tracks + "mic").body["sid"].(string))
	require.Equal(t, http.StatusAccepted, w.post(mute, "Active", "false").status)
	w.delivered(alice, `"type":"muting"`, `"active":false`)

	require.Equal(t, http.StatusAccepted, w.post(tracks+"mic", "Status", "unpublished").status)
	w.until(alice, func(u signaling.Update) bool {
		if u.Published == nil {
			return false
		}
		for _, p := range u.Published.Tracks {
			if p.ID == "1" && p.State == signaling.PublishFailed {
				return p.Err.Code == signaling.CodeTrackRemoved
			}
		}
		return false
	})
	w.refused(w.post(tracks+"none", "Status", "muted"), http.StatusNotFound, 20404)
	w.refused(w.post("/v1/Rooms/none/Mute", "Active", "true"), http.StatusNotFound, 20404)
}
