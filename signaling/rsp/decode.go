package rsp

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// decodeFrame reads one WebSocket message. Frames of an unknown type come back
// without error, for the caller to ignore.
func decodeFrame(data []byte) (frame, error) {
	// Only the type and the body are common ground: a field that belongs to
	// another type of frame is unknown in this one, whatever it holds.
	var head struct {
		Type string          `json:"type"`
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return frame{}, fmt.Errorf("frame: %w", err)
	}
	f := frame{Type: head.Type, Body: head.Body}
	switch head.Type {
	case "":
		return frame{}, errors.New("frame: no type")
	case frameMsg:
		if !isObject(f.Body) {
			return frame{}, errors.New("msg frame: no body")
		}
	case frameHello, frameWelcome, frameBusy, frameBad:
		if err := json.Unmarshal(data, &f); err != nil {
			return frame{}, fmt.Errorf("%s frame: %w", head.Type, err)
		}
		if string(f.Body) == "null" {
			f.Body = nil
		}
		if f.Body != nil && !isObject(f.Body) {
			return frame{}, fmt.Errorf("%s frame: body is no object", head.Type)
		}
		if len(f.ID) > maxText || len(f.Cookie) > maxText {
			return frame{}, fmt.Errorf("%s frame: text too long", head.Type)
		}
	}
	return f, nil
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// decodeClientMessage reads an RSP message of a client and validates it. Types
// that are unknown come back with the type alone.
func decodeClientMessage(body []byte) (*clientMessage, error) {
	kind, err := messageType(body)
	if err != nil {
		return nil, err
	}
	m := &clientMessage{Type: kind}
	switch kind {
	case typeICE, typeConnect, typeSync, typeUpdate, typeDisconnect:
		if err = json.Unmarshal(body, m); err == nil {
			err = m.validate()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return m, nil
}

// decodeServerMessage reads an RSP message of a server and validates it. Types
// that are unknown come back with the type alone.
func decodeServerMessage(body []byte) (*serverMessage, error) {
	kind, err := messageType(body)
	if err != nil {
		return nil, err
	}
	m := &serverMessage{Type: kind}
	switch kind {
	case typeICED, typeConnected, typeSynced, typeUpdate, typeDisconnected, typeError, typeWarning:
		if err = json.Unmarshal(body, m); err == nil {
			err = m.validate()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return m, nil
}

func messageType(body []byte) (string, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return "", fmt.Errorf("message: %w", err)
	}
	if head.Type == "" {
		return "", errors.New("message: no type")
	}
	if len(head.Type) > 64 {
		return "", errors.New("message: type too long")
	}
	return head.Type, nil
}

// check collects the first complaint about a message.
type check struct{ err error }

func (c *check) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *check) text(what, s string) {
	if len(s) > maxText {
		c.fail("%s is longer than %d bytes", what, maxText)
	}
}

func (c *check) id(what, s string) {
	if s == "" {
		c.fail("%s is missing", what)
	}
	c.text(what, s)
}

func (c *check) revision(what string, r int) {
	if r < 0 || int64(r) > maxRevision {
		c.fail("%s revision is out of range", what)
	}
}

func (m *clientMessage) validate() error {
	var c check
	if m.Name != nil {
		c.text("room name", *m.Name)
	}
	if m.Session != nil {
		c.text("session", *m.Session)
	}
	switch m.Type {
	case typeConnect, typeSync:
		if m.Participant == nil {
			c.fail("participant is missing")
		}
		if m.Type == typeSync && (m.Session == nil || *m.Session == "") {
			c.fail("session is missing")
		}
	}
	if p := m.Participant; p != nil {
		c.revision("participant", p.Revision)
		for i := range p.Tracks {
			c.id("track id", p.Tracks[i].ID)
			c.text("track name", p.Tracks[i].Name)
			c.text("track kind", p.Tracks[i].Kind)
			c.text("track priority", p.Tracks[i].Priority)
			c.text("track stream", p.Tracks[i].Stream)
		}
	}
	if s := m.Subscribe; s != nil {
		c.revision("subscribe", s.Revision)
		for _, r := range s.Rules {
			if r.Type != "include" && r.Type != "exclude" {
				c.fail("subscribe rule is neither include nor exclude")
			}
			c.text("rule kind", r.Kind)
			c.text("rule publisher", r.Publisher)
			c.text("rule track", r.Track)
		}
	}
	c.connections(m.Connections)
	c.channels(m.MediaSignaling, m.Channels)
	c.profile(m.Profile)
	if p := m.Publisher; p != nil {
		c.text("publisher name", p.Name)
		c.text("publisher version", p.SDKVersion)
		c.text("user agent", p.UserAgent)
	}
	return c.err
}

func (m *serverMessage) validate() error {
	var c check
	c.text("room sid", m.SID)
	c.text("room name", m.Name)
	c.text("session", m.Session)
	if m.Type == typeConnected {
		if m.Participant == nil {
			c.fail("participant is missing")
		} else {
			c.id("participant sid", m.Participant.SID)
		}
	}
	if p := m.Participant; p != nil {
		c.text("participant sid", p.SID)
		c.text("participant identity", p.Identity)
	}
	for i := range m.Participants {
		p := &m.Participants[i]
		c.id("participant sid", p.SID)
		c.text("participant identity", p.Identity)
		c.revision("participant", p.Revision)
		for j := range p.Tracks {
			c.id("track sid", p.Tracks[j].SID)
			c.text("track name", p.Tracks[j].Name)
			c.text("track kind", p.Tracks[j].Kind)
			c.text("track stream", p.Tracks[j].Stream)
		}
	}
	if p := m.Published; p != nil {
		c.revision("published", p.Revision)
		for i := range p.Tracks {
			t := &p.Tracks[i]
			c.id("published id", t.ID)
			c.text("published sid", t.SID)
			if t.State == "ready" && t.SID == "" {
				c.fail("published track is ready without a sid")
			}
		}
	}
	if s := m.Subscribed; s != nil {
		c.revision("subscribed", s.Revision)
		for i := range s.Tracks {
			t := &s.Tracks[i]
			c.id("subscribed sid", t.SID)
			c.text("subscribed id", t.ID)
		}
	}
	if r := m.Recording; r != nil {
		c.revision("recording", r.Revision)
	}
	if w := m.States; w != nil {
		c.revision("warning", w.Revision)
	}
	c.connections(m.Connections)
	c.channels(m.MediaSignaling, m.Channels)
	if m.Type == typeICED {
		c.servers(m.ICEServers)
	}
	if p := m.Parley; p != nil {
		c.servers(p.ICEServers)
		if p.MaxParticipants < 0 {
			c.fail("max_participants is negative")
		}
	}
	return c.err
}

func (c *check) connections(pcs []peerConnection) {
	for i := range pcs {
		pc := &pcs[i]
		c.id("peer connection id", pc.ID)
		if d := pc.Description; d != nil {
			c.revision("description", d.Revision)
		}
		if ice := pc.ICE; ice != nil {
			c.revision("ice", ice.Revision)
			c.text("ufrag", ice.Ufrag)
			for j := range ice.Candidates {
				c.text("candidate", ice.Candidates[j].Candidate)
			}
		}
	}
}

func (c *check) channels(named channelMap, messages []extensionChannel) {
	for n, entry := range named {
		c.id("channel name", n)
		if entry.Transport != nil {
			c.text("channel label", entry.Transport.Label)
		}
	}
	for i := range messages {
		c.id("channel name", messages[i].Name)
		if len(messages[i].Payload) == 0 {
			c.fail("channel message has no payload")
		}
	}
}

func (c *check) servers(servers []iceServer) {
	for _, s := range servers {
		if len(s.URLs) == 0 {
			c.fail("ICE server has no urls")
		}
		for _, u := range s.URLs {
			c.id("ICE server url", u)
		}
	}
}

// milliseconds converts a number of the wire. What is beyond a day is a day.
func milliseconds(ms float64) time.Duration {
	const day = 24 * time.Hour
	switch {
	case math.IsNaN(ms):
		return 0
	case ms >= float64(day/time.Millisecond):
		return day
	case ms <= -float64(day/time.Millisecond):
		return -day
	}
	return time.Duration(ms * float64(time.Millisecond))
}

func toMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
