package rsp

import (
	"bytes"
	"encoding/json"
)

// encode gives the JSON of a frame without escaping what only HTML needs
// escaped.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// encodeMsg wraps an RSP message in a msg frame.
func encodeMsg(body any) ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
		Body any    `json:"body"`
	}{frameMsg, body})
}

// Frames that never change.
var (
	heartbeatFrame = []byte(`{"type":"heartbeat"}`)
	byeFrame       = []byte(`{"type":"bye"}`)
)

// helloFrame is encoded from parts because its body was encoded before.
type helloFrame struct {
	Type    string          `json:"type"`
	ID      string          `json:"id"`
	Version int             `json:"version"`
	Timeout float64         `json:"timeout"`
	Cookie  string          `json:"cookie,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// busyFrame has every field present, as clients expect.
type busyFrame struct {
	Type       string  `json:"type"`
	RetryAfter float64 `json:"retryAfter"`
	KeepAlive  bool    `json:"keepAlive"`
	Cookie     *string `json:"cookie"`
}

// joinMessage is connect or sync; a name or a session that is not known is
// null and not absent.
type joinMessage struct {
	*clientMessage
	Name    *string `json:"name"`
	Session *string `json:"session,omitempty"`
}

// disconnectMessage has a null session when no session was given yet.
type disconnectMessage struct {
	Type    string  `json:"type"`
	Version int     `json:"version"`
	Session *string `json:"session"`
}
