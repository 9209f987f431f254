// Package insights is the server's end of the side channel on which the npm
// client tells what it sees of its call: a WebSocket, dialed once it is in a
// room, at the address that its option wsServerInsights names.
package insights

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Bounds of a connection. What exceeds them ends it: the client goes on without.
const (
	maxBytes = 64 << 10 // of a message
	maxRate  = 50       // messages a second, and as many more at once
)

// Channel is one client's side channel.
type Channel struct {
	Session      string
	HelloTimeout time.Duration // until it has said who it is
	WriteTimeout time.Duration
	CheckOrigin  func(*http.Request) bool
	// Admit decides by the token.
	Admit func(token string) error
	// Event is told of each event, one after the other.
	Event func(group, name string)
}

// message is what a client says, as far as anybody looks at it.
type message struct {
	Type    string `json:"type"`
	Version int    `json:"version"`
	Token   string `json:"token"`
	Group   string `json:"group"`
	Name    string `json:"name"`
}

type reply struct {
	Type    string `json:"type"`
	Session string `json:"session,omitempty"`
	Message string `json:"message,omitempty"`
}

// Serve answers a request, and reads until the client or ctx ends. The error
// says why it ended.
func (c *Channel) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	upgrader := websocket.Upgrader{HandshakeTimeout: c.WriteTimeout, CheckOrigin: c.CheckOrigin}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return err // it has been answered
	}
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer stop()
	defer func() { _ = ws.Close() }()
	ws.SetReadLimit(maxBytes)
	if err := c.greet(ws); err != nil {
		return err
	}
	return c.read(ws)
}

func (c *Channel) greet(ws *websocket.Conn) error {
	_ = ws.SetReadDeadline(time.Now().Add(c.HelloTimeout)) // shows in the read
	var m message
	err := ws.ReadJSON(&m)
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return err
	case err != nil:
	case m.Type != "connect" || m.Version != 1:
		err = fmt.Errorf("%q of version %d is no connect of version 1", m.Type, m.Version)
	default:
		err = c.Admit(m.Token)
	}
	answer := reply{Type: "connected", Session: c.Session}
	if err != nil {
		answer = reply{Type: "error", Message: err.Error()}
	}
	_ = ws.SetWriteDeadline(time.Now().Add(c.WriteTimeout)) // shows in the write
	return errors.Join(err, ws.WriteJSON(answer))
}

func (c *Channel) read(ws *websocket.Conn) error {
	// There may be nothing to tell for hours: TCP notices who has vanished.
	_ = ws.SetReadDeadline(time.Time{}) // shows in the read
	left, since := float64(maxRate), time.Now()
	for {
		var m message
		if err := ws.ReadJSON(&m); err != nil {
			return err
		}
		now := time.Now()
		left = min(maxRate, left+now.Sub(since).Seconds()*maxRate) - 1
		since = now
		if left < 0 {
			return fmt.Errorf("more than %d events a second", maxRate)
		}
		c.Event(m.Group, m.Name)
	}
}
