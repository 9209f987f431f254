package sfu

import (
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// Who speaks. Publishers tell with each packet of sound how loud it is (RFC
// 6464). As long as somebody wants to know, the room looks every speakerTick at
// the loudest packet of each enabled audio track since the last time, and gives
// each participant a loudness, in dB above silence: that of its loudest track,
// which rises by no more than speakerRise in a tick, so that a bang is nobody's
// speech, and falls by no more than speakerFall, which bridges the gaps between
// words. Sound that does not tell its level counts as silence.
//
// Who is louder than speakerLoud speaks. The first to do so is the speaker.
// Another one takes its place after having led in speakerPatience ticks in a
// row: by speakerMargin, or over a speaker who has fallen silent. A tie changes
// nothing; among others the one who came first counts. After speakerHold ticks
// in which nobody spoke there is no speaker.
const (
	speakerTick     = 100 * time.Millisecond
	speakerRise     = 40
	speakerFall     = 5
	speakerLoud     = 127 - 50
	speakerMargin   = 6
	speakerPatience = 5
	speakerHold     = 20
)

// loudness is the loudest packet of a publication since it was last asked.
type loudness struct{ peak atomic.Int32 }

// hear takes the level of a packet, as [rtc.Inlet.Level] tells it.
func (l *loudness) hear(level int) {
	if level == 0 {
		return
	}
	loud := int32(127 + level)
	for old := l.peak.Load(); loud > old; old = l.peak.Load() {
		if l.peak.CompareAndSwap(old, loud) {
			return
		}
	}
}

// take returns dB above silence.
func (l *loudness) take() int { return int(l.peak.Swap(0)) }

// speakers is what a room knows of who speaks. It belongs to the room's
// goroutine.
type speakers struct {
	timer   *time.Timer
	running bool
	current string // SID of the speaker, empty for none
	silent  int    // ticks in which nobody spoke
	rival   string // who leads
	leads   int    // in so many ticks
}

// hearken begins to look who speaks, when somebody wants to know.
func (r *room) hearken() {
	if r.speakers.running || !r.curious() {
		return
	}
	r.speakers.running = true
	if r.speakers.timer == nil {
		r.speakers.timer = time.AfterFunc(speakerTick, func() { r.post(r.listen) })
	} else {
		r.speakers.timer.Reset(speakerTick)
	}
}

// curious reports whether somebody wants to know who speaks.
func (r *room) curious() bool {
	for _, m := range r.members {
		if m.curious {
			return true
		}
	}
	return false
}

// listen is one tick.
func (r *room) listen() {
	s := &r.speakers
	if r.over || !r.curious() {
		*s = speakers{timer: s.timer}
		return
	}
	s.timer.Reset(speakerTick)
	for _, m := range r.members {
		m.listen()
	}
	if sid := s.decide(r.members); sid != s.current {
		r.speaks(sid)
	}
}

// listen is a member's part of a tick.
func (m *member) listen() {
	heard := 0
	for i := range m.tracks {
		if t := &m.tracks[i]; t.kind == signaling.KindAudio {
			if loud := t.up.loud.take(); t.on() {
				heard = max(heard, loud)
			}
		}
	}
	m.loud = min(max(heard, m.loud-speakerFall), m.loud+speakerRise)
}

// loudest returns who speaks loudest, the speaker before others; nil: nobody
// speaks.
func (s *speakers) loudest(members []*member) (best, current *member) {
	for _, m := range members {
		if m.sid == s.current {
			current = m
		}
	}
	best = current
	for _, m := range members {
		if best == nil || m.loud > best.loud {
			best = m
		}
	}
	if best != nil && best.loud < speakerLoud {
		best = nil
	}
	return best, current
}

// decide returns the SID of the speaker, or "".
func (s *speakers) decide(members []*member) string {
	best, current := s.loudest(members)
	switch {
	case best == nil:
		s.rival = ""
		if s.silent++; s.silent >= speakerHold {
			return ""
		}
		return s.current
	case current == nil:
		return best.sid
	}
	s.silent = 0
	if best == current || current.loud >= speakerLoud && best.loud < current.loud+speakerMargin {
		s.rival = ""
		return s.current
	}
	if s.rival != best.sid {
		s.rival, s.leads = best.sid, 0
	}
	if s.leads++; s.leads < speakerPatience {
		return s.current
	}
	return best.sid
}

// speakerLeft chooses another speaker when the one who was has left.
func (r *room) speakerLeft(m *member) {
	s := &r.speakers
	if s.current != m.sid {
		return
	}
	sid := ""
	if best, _ := s.loudest(r.members); best != nil {
		sid = best.sid
	}
	r.speaks(sid)
}

// speaks tells everybody who the speaker is.
func (r *room) speaks(sid string) {
	s := &r.speakers
	s.current, s.silent, s.rival = sid, 0, ""
	for _, m := range r.members {
		p := m.peer
		p.post(func() { p.hearSpeaker(sid) })
	}
}

// The channel of the peers. Who has a bandwidth profile wants to know too: the
// speaker's video may matter more than that of others.

const speakerChannel = "active_speaker"

func (p *peer) hearSpeaker(sid string) {
	p.setSpeaker(sid)
	p.tellSpeaker()
}

func (p *peer) tellSpeaker() {
	var m struct {
		Type        string  `json:"type"`
		Participant *string `json:"participant"`
	}
	m.Type = speakerChannel
	if sid := p.allotment.speaker; sid != "" {
		m.Participant = &sid
	}
	p.say(speakerChannel, m)
}
