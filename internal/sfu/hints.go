package sfu

import (
	"encoding/json"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
)

// A publisher is told which simulcast layers nobody needs, so that it need not
// make and send them, and at once when somebody needs one again. As long as
// anybody gets the picture the lowest is needed too: it is what is sent when the
// one that is wanted does not come. A layer of which nothing has come yet is left
// to the publisher, which may be short of bitrate or not mean to send it.

const channelPublisherHints = "publisher_hints"

// hintPause is how long nobody must have wanted a layer before the publisher is
// told to stop it.
const hintPause = 5 * time.Second

// hintTries is how often a publisher is told that says it cannot do it.
const hintTries = 3

func init() {
	channelKinds = append(channelKinds, channelKind{
		name: channelPublisherHints, ready: (*peer).hintAgain, receive: (*peer).takeHintResult,
	})
}

// hints is what a publisher was told.
type hints struct {
	tracks map[string]*layerHints // by SID
	id     int                    // of the last message
	timer  *time.Timer
}

// layerHints is what it was told about one track.
type layerHints struct {
	off   uint32                   // a bit for each layer that is to be stopped
	seen  uint32                   // a bit for each of which something came
	since [rtc.MaxLayers]time.Time // when each was last wanted; zero: it is
	id    int                      // of the message that told it last
	tries int
}

type hintMessage struct {
	Type      string `json:"type"`
	Publisher struct {
		ID    int         `json:"id"`
		Hints []trackHint `json:"hints"`
	} `json:"publisher"`
}

type trackHint struct {
	Track     string          `json:"track"`
	Encodings []encodingsHint `json:"encodings"`
}

type encodingsHint struct {
	Layer   int  `json:"layer_index"`
	Enabled bool `json:"enabled"`
}

// watchLayers has the peer look at a publication of its own whenever others
// change their minds about its layers.
func (p *peer) watchLayers(pub *publication) {
	if pub.up == nil {
		return
	}
	pub.up.changed = func() {
		if !pub.up.reviewed.Swap(true) {
			p.post(func() {
				pub.up.reviewed.Store(false)
				p.hint()
				p.boundMedia()
			})
		}
	}
}

// hint tells the publisher what has changed.
func (p *peer) hint() {
	if p.ended || !p.has(channelPublisherHints) {
		return
	}
	if p.hints.tracks == nil {
		p.hints.tracks = map[string]*layerHints{}
	}
	now := time.Now()
	var next time.Time
	var news []trackHint
	listed := make(map[string]bool, len(p.tracks))
	for _, t := range p.tracks {
		if t.up == nil {
			continue
		}
		t.up.reviewed.Store(false)
		n := len(*t.up.layers.Load())
		if n < 2 {
			continue
		}
		listed[t.sid] = true
		h := p.hints.tracks[t.sid]
		if h == nil {
			h = &layerHints{}
			p.hints.tracks[t.sid] = h
		}
		wanted := t.up.wanted()
		if wanted != 0 {
			wanted |= 1
		}
		h.seen |= t.up.flowing.Load()
		changed, at := h.review(wanted, n, now)
		if changed {
			news = append(news, h.describe(t.sid, n))
			h.id = p.hints.id + 1
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for sid := range p.hints.tracks {
		if !listed[sid] {
			delete(p.hints.tracks, sid)
		}
	}
	p.tellHints(news)
	if !next.IsZero() {
		if p.hints.timer == nil {
			p.hints.timer = time.AfterFunc(time.Hour, func() { p.post(p.hint) })
		}
		p.hints.timer.Reset(next.Sub(now))
	}
}

// review decides which layers are off. It reports whether that has changed, and
// when to look again, if ever.
func (h *layerHints) review(wanted uint32, n int, now time.Time) (changed bool, next time.Time) {
	for i := range n {
		bit := uint32(1) << i
		switch {
		case wanted&bit != 0:
			h.since[i] = time.Time{}
			if h.off&bit != 0 {
				h.off &^= bit
				changed = true
			}
			continue
		case h.seen&bit == 0:
			continue
		case h.since[i].IsZero():
			h.since[i] = now
		}
		if h.off&bit != 0 || h.tries >= hintTries {
			continue
		}
		at := h.since[i].Add(hintPause)
		if at.After(now) {
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		h.off |= bit
		changed = true
	}
	return changed, next
}

func (h *layerHints) describe(sid string, n int) trackHint {
	t := trackHint{Track: sid}
	for i := range n {
		t.Encodings = append(t.Encodings, encodingsHint{Layer: i, Enabled: h.off&(1<<i) == 0})
	}
	return t
}

func (p *peer) tellHints(news []trackHint) {
	if len(news) == 0 {
		return
	}
	p.hints.id++
	m := hintMessage{Type: channelPublisherHints}
	m.Publisher.ID, m.Publisher.Hints = p.hints.id, news
	p.say(channelPublisherHints, m)
}

// hintAgain tells everything: the channel works, for the first time or again.
func (p *peer) hintAgain() {
	var all []trackHint
	for _, t := range p.tracks {
		if h := p.hints.tracks[t.sid]; h != nil && h.off != 0 {
			all = append(all, h.describe(t.sid, len(*t.up.layers.Load())))
			h.id = p.hints.id + 1
		}
	}
	p.tellHints(all)
	p.hint()
}

// takeHintResult takes what the publisher says of its hints, and that it has
// forgotten those of a track, whose media was replaced.
func (p *peer) takeHintResult(data []byte) {
	var m struct {
		Type  string `json:"type"`
		ID    int    `json:"id"`
		Track string `json:"track"`
		Hints []struct {
			Track  string `json:"track"`
			Result string `json:"result"`
		} `json:"hints"`
	}
	if json.Unmarshal(data, &m) != nil {
		return
	}
	switch m.Type {
	case "client_reset":
		for _, t := range p.tracks {
			if h := p.hints.tracks[t.sid]; t.sid == m.Track && h != nil && h.off != 0 {
				h.id = p.hints.id + 1
				p.tellHints([]trackHint{h.describe(t.sid, len(*t.up.layers.Load()))})
			}
		}
	case channelPublisherHints:
		for _, r := range m.Hints[:min(len(m.Hints), maxHints)] {
			h := p.hints.tracks[r.Track]
			if h == nil || h.id != m.ID {
				continue // told anew since
			}
			switch r.Result {
			case hintOK, "REQUEST_SKIPPED":
				h.tries = 0
			default: // it goes on as before; later it may do it
				h.tries++
				h.off, h.since = 0, [rtc.MaxLayers]time.Time{}
				p.hint()
			}
		}
	}
}

func (p *peer) stopHints() {
	if p.hints.timer != nil {
		p.hints.timer.Stop()
	}
}
