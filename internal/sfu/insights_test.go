package sfu_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

func TestEventsOfClientsAreTaken(t *testing.T) {
	w := newWorld(t)
	dial := func() *websocket.Conn {
		ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(w.web.URL, "http")+"/v1/VideoEvents", nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
		t.Cleanup(func() { _ = ws.Close() })
		return ws
	}
	type message map[string]any
	say := func(ws *websocket.Conn, m any) (reply struct{ Type, Session, Message string }) {
		require.NoError(t, ws.WriteJSON(m))
		require.NoError(t, ws.ReadJSON(&reply))
		return reply
	}
	good := w.client("alice", "demo").join.Token
	ws := dial()
	reply := say(ws, message{"type": "connect", "version": 1, "token": good})
	require.Equal(t, "connected", reply.Type)
	require.NotEmpty(t, reply.Session)
	for range 3 {
		require.NoError(t, ws.WriteJSON(message{
			"type": "event", "version": 1, "session": reply.Session, "group": "room", "name": "reconnecting",
			"timestamp": 1, "payload": message{"roomSid": "RM0"},
		}))
	}
	require.Eventually(t, func() bool {
		return strings.Contains(w.metrics(), "parley_insights_events_total 3\n")
	}, 10*time.Second, 10*time.Millisecond)

	for what, m := range map[string]any{
		"no token":        message{"type": "connect", "version": 1},
		"nonsense":        message{"type": "connect", "version": 1, "token": "foo"},
		"another version": message{"type": "connect", "version": 2, "token": good},
		"no connect":      message{"type": "event", "version": 1, "token": good},
		"no object":       []int{1},
	} {
		bad := dial()
		refused := say(bad, m)
		require.Equal(t, "error", refused.Type, what)
		require.NotEmpty(t, refused.Message, what)
		_, _, err := bad.ReadMessage()
		require.Error(t, err, what)
	}

	// More than is taken ends the one that sends it.
	var err error
	for i := 0; i < 10_000 && err == nil; i++ {
		err = ws.WriteJSON(message{"type": "event", "version": 1})
	}
	_, _, err = ws.ReadMessage()
	require.Error(t, err)
	require.NoError(t, w.client("alice", "demo").dial(), "a room does not mind")
}
