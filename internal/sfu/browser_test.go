package sfu_test

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// browser is a client that speaks the protocol without our extensions, as
// browsers do: its channels are data channels. The rest of it is that of a
// client, whose session it is.
type browser struct {
	*client
	ws     *websocket.Conn
	id     string            // of the session
	labels map[string]string // of the channels that were announced, by name

	profile object // its bandwidth profile, if any
}

// object is a message in JSON.
type object = map[string]any

// browser joins a room and asks for the channels.
func (w *world) browser(identity, room string, channels ...string) *browser {
	w.t.Helper()
	b := &browser{client: w.client(identity, room), labels: map[string]string{}}
	b.join.Slots, b.join.Channels = false, channels
	return b
}

func (b *browser) dial() {
	b.t.Helper()
	pc := b.offer()
	media := object{}
	for _, name := range b.join.Channels {
		media[name] = object{"transports": []object{{"type": "data-channel"}}}
	}
	body := object{
		"type": "connect", "version": 2, "name": b.join.Room, "token": b.join.Token, "format": "unified",
		"ice_servers": "overrode", "publisher": object{"name": "browser", "sdk_version": "2", "user_agent": "test"},
		"participant": b.participant(), "peer_connections": []object{connectionObject(pc)}, "media_signaling": media,
		"subscribe": object{"revision": 1, "rules": []object{{"type": "include", "all": true}}},
	}
	if b.profile != nil {
		body["bandwidth_profile"] = b.profile
	}
	b.connect(body)
}

func (b *browser) participant() object {
	tracks := []object{}
	for _, t := range b.join.Participant.Tracks {
		tracks = append(tracks, object{"id": t.ID, "kind": t.Kind, "name": t.Name, "enabled": t.Enabled, "priority": "standard"})
	}
	return object{"revision": b.join.Participant.Revision, "tracks": tracks}
}

func connectionObject(pc signaling.PeerConnection) object {
	d := pc.Description
	return object{"id": pc.ID, "description": object{"type": d.Type, "revision": d.Revision, "sdp": d.SDP}}
}

// resumeNow takes the session up again on another socket.
func (b *browser) resumeNow() {
	b.t.Helper()
	b.connect(object{
		"type": "sync", "version": 2, "session": b.id, "token": b.join.Token,
		"participant": b.participant(), "peer_connections": []object{},
	})
}

// connect opens a socket and waits for the answer to the first message.
func (b *browser) connect(body object) {
	b.t.Helper()
	ws, answer, err := websocket.DefaultDialer.DialContext(b.t.Context(), "ws"+strings.TrimPrefix(b.w.web.URL, "http")+"/signaling", nil)
	require.NoError(b.t, err)
	require.NoError(b.t, answer.Body.Close())
	b.ws = ws
	require.NoError(b.t, ws.WriteJSON(object{"type": "hello", "id": uuid.NewString(), "version": 2, "timeout": 5000, "body": body}))
	b.done = make(chan struct{})
	b.session = (*browserSession)(b)
	accepted := false
	go func() {
		defer close(b.done)
		for {
			_, data, err := ws.ReadMessage()
			if err != nil {
				b.change(func() { b.err = err })
				return
			}
			var frame struct {
				Type string
				Body json.RawMessage
			}
			if json.Unmarshal(data, &frame) == nil && frame.Type == "msg" {
				b.receive(frame.Body)
				b.change(func() { accepted = true })
			}
		}
	}()
	b.until("answer", func() bool { return accepted })
}

// receive takes a message of the server.
func (b *browser) receive(body []byte) {
	var m struct {
		Type, Session  string
		Participants   []struct{ SID, Identity, State string }
		MediaSignaling map[string]struct {
			Transport struct{ Type, Label string }
		} `json:"media_signaling"`
		PeerConnections []struct {
			ID          string
			Description *struct {
				Type, SDP string
				Revision  int
			}
		} `json:"peer_connections"`
		Published, Subscribed *struct {
			Tracks []struct{ ID, SID, State string }
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		b.t.Errorf("%s: %v", body, err)
		return
	}
	var u signaling.Update
	for _, p := range m.Participants {
		u.Participants = append(u.Participants, signaling.RemoteParticipant{
			SID: p.SID, Identity: p.Identity, State: signaling.ParticipantState(p.State),
		})
	}
	for _, pc := range m.PeerConnections {
		if d := pc.Description; d != nil {
			u.PeerConnections = append(u.PeerConnections, signaling.PeerConnection{ID: pc.ID, Description: &signaling.Description{
				Type: signaling.DescriptionType(d.Type), Revision: d.Revision, SDP: d.SDP,
			}})
		}
	}
	if m.Published != nil {
		u.Published = &signaling.Published{}
		for _, t := range m.Published.Tracks {
			u.Published.Tracks = append(u.Published.Tracks, signaling.PublishedTrack{ID: t.ID, SID: t.SID, State: signaling.PublishState(t.State)})
		}
	}
	if m.Subscribed != nil {
		u.Subscribed = &signaling.Subscribed{}
		for _, t := range m.Subscribed.Tracks {
			u.Subscribed.Tracks = append(u.Subscribed.Tracks, signaling.Subscription{ID: t.ID, SID: t.SID})
		}
	}
	b.take(u)
	b.change(func() {
		if m.Session != "" {
			b.id = m.Session
		}
		for name, c := range m.MediaSignaling {
			b.labels[name] = c.Transport.Label
		}
	})
}

// channel waits for the data channel of a channel, and for its opening.
func (b *browser) channel(name string) (dc *webrtc.DataChannel) {
	b.t.Helper()
	b.until("channel "+name, func() bool {
		dc = b.channels[b.labels[name]]
		return dc != nil && dc.ReadyState() == webrtc.DataChannelStateOpen
	})
	return dc
}

// said waits for so many messages on the channel.
func (b *browser) said(name string, n int) (texts []string) {
	b.t.Helper()
	b.until("messages on "+name, func() bool {
		texts = nil
		for _, m := range b.messages[b.labels[name]] {
			texts = append(texts, string(m.Data))
		}
		return len(texts) >= n
	})
	return texts
}

// browserSession sends what a client sends, on the wire.
type browserSession browser

func (s *browserSession) Initial() signaling.State { return signaling.State{} }

func (s *browserSession) Receive(context.Context) (signaling.Update, error) { panic("not used") }

func (s *browserSession) Send(u signaling.Update) error {
	body := object{"type": "update", "session": s.id, "participant": (*browser)(s).participant()}
	if len(u.PeerConnections) > 0 {
		body["peer_connections"] = []object{connectionObject(u.PeerConnections[0])}
	}
	return s.ws.WriteJSON(object{"type": "msg", "body": body})
}

func (s *browserSession) Close(context.Context, signaling.Reason) error {
	_ = s.ws.WriteJSON(object{"type": "msg", "body": object{"type": "disconnect", "session": s.id}})
	_ = s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
	return s.ws.Close()
}
