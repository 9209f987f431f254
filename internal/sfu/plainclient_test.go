package sfu_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// TestRemovedPlainClient: a client without our extensions is removed as the
// protocol has it, by an end without an error.
func TestRemovedPlainClient(t *testing.T) {
	w := newWorld(t)
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(w.web.URL, "http")+"/signaling", nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	defer ws.Close()
	require.NoError(t, ws.SetReadDeadline(time.Now().Add(10*time.Second)))
	require.NoError(t, ws.WriteJSON(map[string]any{
		"type": "hello", "version": 2, "id": "1", "timeout": 5000,
		"body": map[string]any{
			"type": "connect", "version": 2, "name": "demo", "token": w.token("alice", "demo"), "format": "unified",
			"participant": map[string]any{"revision": 1, "tracks": []any{}},
		},
	}))
	body := func(kind string) map[string]any {
		for {
			var frame struct {
				Type string
				Body map[string]any
			}
			_, data, err := ws.ReadMessage()
			require.NoError(t, err, "before %s", kind)
			require.NoError(t, json.Unmarshal(data, &frame))
			if frame.Type == "msg" && frame.Body["type"] != "update" {
				require.Equal(t, kind, frame.Body["type"])
				return frame.Body
			}
		}
	}
	body("connected")
	require.True(t, w.srv.Remove("demo", "alice"))
	require.Equal(t, "disconnected", body("disconnected")["status"])
	_, _, err = ws.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
}
