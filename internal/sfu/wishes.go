package sfu

import (
	"encoding/json"

	"github.com/parley-rtc/parley/signaling"
)

// The channels with which a client has a say in what it gets, and is told.
const (
	channelTrackPriority  = "track_priority"
	channelTrackSwitchOff = "track_switch_off"
	channelRenderHints    = "render_hints"
)

func init() {
	channelKinds = append(channelKinds,
		channelKind{name: channelTrackPriority, receive: (*peer).takePriority},
		channelKind{name: channelTrackSwitchOff, ready: (*peer).tellAllSwitched},
		channelKind{name: channelRenderHints, receive: (*peer).takeHints},
	)
}

// takePriority takes the priority that a track has for the client, null being
// the publisher's.
func (p *peer) takePriority(data []byte) {
	var m struct {
		Type      string              `json:"type"`
		Track     string              `json:"track"`
		Subscribe *signaling.Priority `json:"subscribe"`
	}
	if json.Unmarshal(data, &m) != nil || m.Type != channelTrackPriority {
		return
	}
	var priority signaling.Priority
	if m.Subscribe != nil {
		switch priority = *m.Subscribe; priority {
		case signaling.PriorityLow, signaling.PriorityStandard, signaling.PriorityHigh:
		default:
			return // no priority of this protocol
		}
	}
	if w := p.wish(m.Track); w != nil && w.priority != priority {
		w.priority, p.allotment.news = priority, true
	}
}

// What a client is told about its hints.
const (
	hintOK      = "OK"
	hintUnknown = "UNKNOWN_TRACK"
	hintInvalid = "INVALID_HINT"
)

const (
	maxHints     = 1024 // in one message; what is beyond is not answered
	maxHintSID   = 64   // bytes that are repeated in an answer
	maxHintID    = 64
	maxDimension = 65535
)

// hint says whether the client shows a track, and how large.
type hint struct {
	track   string
	enabled *bool
	shown   *signaling.Dimensions
}

// hintResult is the answer to one hint.
type hintResult struct {
	Track  string `json:"track"`
	Result string `json:"result"`
}

// decodeHints reads a message of render hints. Hints that cannot be read come
// back without the rest of their kind; ok is false for what is no such message.
func decodeHints(data []byte) (id json.RawMessage, hints []hint, bad []string, ok bool) {
	var m struct {
		Type       string `json:"type"`
		Subscriber struct {
			ID    json.RawMessage   `json:"id"`
			Hints []json.RawMessage `json:"hints"`
		} `json:"subscriber"`
	}
	if json.Unmarshal(data, &m) != nil || m.Type != channelRenderHints || len(m.Subscriber.ID) > maxHintID {
		return nil, nil, nil, false
	}
	id = m.Subscriber.ID
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	list := m.Subscriber.Hints
	for _, raw := range list[:min(len(list), maxHints)] {
		if h, good := decodeHint(raw); good {
			hints = append(hints, h)
		} else if h.track != "" {
			bad = append(bad, h.track)
		}
	}
	return id, hints, bad, true
}

// decodeHint reads one hint. One that is not good may still say its track.
func decodeHint(raw json.RawMessage) (h hint, good bool) {
	var name struct {
		Track string `json:"track"`
	}
	if json.Unmarshal(raw, &name) != nil || name.Track == "" || len(name.Track) > maxHintSID {
		return hint{}, false
	}
	h.track = name.Track
	var m struct {
		Enabled *bool `json:"enabled"`
		Render  *struct {
			Width  float64 `json:"width"`
			Height float64 `json:"height"`
		} `json:"render_dimensions"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return h, false
	}
	h.enabled = m.Enabled
	if r := m.Render; r != nil {
		if r.Width < 0 || r.Height < 0 || r.Width > maxDimension || r.Height > maxDimension {
			return h, false
		}
		h.shown = &signaling.Dimensions{Width: int(r.Width), Height: int(r.Height)}
		if h.shown.Width == 0 || h.shown.Height == 0 {
			h.shown = &signaling.Dimensions{} // shown nowhere: no wish
		}
	}
	return h, true
}

// takeHints takes what the client says about what it shows, and answers.
func (p *peer) takeHints(data []byte) {
	id, hints, bad, ok := decodeHints(data)
	if !ok {
		return
	}
	results := make([]hintResult, 0, len(hints)+len(bad))
	for _, h := range hints {
		result := hintUnknown
		if w := p.wish(h.track); w != nil {
			result = hintOK
			if h.enabled != nil {
				w.off = !*h.enabled
			}
			if h.shown != nil {
				w.shown = *h.shown
			}
			p.allotment.news = true
		}
		results = append(results, hintResult{h.track, result})
	}
	for _, track := range bad {
		results = append(results, hintResult{track, hintInvalid})
	}
	type subscriber struct {
		ID    json.RawMessage `json:"id"`
		Hints []hintResult    `json:"hints"`
	}
	p.say(channelRenderHints, struct {
		Type       string     `json:"type"`
		Subscriber subscriber `json:"subscriber"`
	}{channelRenderHints, subscriber{id, results}})
}

// switched is what a client is told about what it gets.
type switched struct {
	Type string   `json:"type"`
	Off  []string `json:"off"`
	On   []string `json:"on"`
}

// tellSwitched tells the client what has changed.
func (p *peer) tellSwitched(subs []*subscription) {
	m := switched{Type: channelTrackSwitchOff, Off: []string{}, On: []string{}}
	for _, s := range subs {
		if s.Off == s.told {
			continue
		}
		if s.told = s.Off; s.Off {
			m.Off = append(m.Off, s.pub.sid)
		} else {
			m.On = append(m.On, s.pub.sid)
		}
	}
	if len(m.Off)+len(m.On) > 0 {
		p.say(channelTrackSwitchOff, m)
	}
}

// tellAllSwitched tells the client how everything stands.
func (p *peer) tellAllSwitched() {
	m := switched{Type: channelTrackSwitchOff, Off: []string{}, On: []string{}}
	for _, s := range p.subs {
		switch {
		case s.pub.kind != signaling.KindVideo:
		case s.Off:
			m.Off = append(m.Off, s.pub.sid)
		default:
			m.On = append(m.On, s.pub.sid)
		}
	}
	if len(m.Off)+len(m.On) > 0 {
		p.say(channelTrackSwitchOff, m)
	}
}
