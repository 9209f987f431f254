package faultnet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Kind says what a [Fact] is about.
type Kind int

// The kinds of facts. Those that begin with Of are events of any other name;
// they have to lie within the life of their parent.
const (
	OfRoom         Kind = iota // anything of the room or the local participant
	OfParticipant              // needs Participant
	OfPublication              // needs Participant and Publication
	OfSubscription             // needs Participant and Publication
	Connected                  // participant connected
	Gone                       // participant disconnected
	Published                  // track published
	Unpublished                // track unpublished
	Subscribed                 // track subscribed
	Unsubscribed               // track unsubscribed
	ParticipantReconnecting
	ParticipantReconnected
	Reconnecting // the room
	Reconnected  // the room
	Disconnected // the room, and the end
)

func (k Kind) String() string {
	names := [...]string{
		"OfRoom", "OfParticipant", "OfPublication", "OfSubscription", "Connected", "Gone", "Published", "Unpublished",
		"Subscribed", "Unsubscribed", "ParticipantReconnecting", "ParticipantReconnected", "Reconnecting", "Reconnected", "Disconnected",
	}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return names[k]
}

// Fact is an event without its types: what happened, to which participant and
// to which of its publications. Participant and Publication are any handles
// that stay the same, SIDs for example.
type Fact struct {
	Kind        Kind
	Participant string
	Publication string
}

func (f Fact) String() string {
	s := f.Kind.String()
	if f.Participant != "" {
		s += " " + f.Participant
	}
	if f.Publication != "" {
		s += "/" + f.Publication
	}
	return s
}

// maxViolations bounds what is kept of a stream that has gone astray.
const maxViolations = 20

// OrderChecker judges the order of one room's events, told from the present
// on, by the contract of events: E6, children lie inside their parents and
// nothing is told twice; E8, Disconnected is last and comes once, with every
// subscription ended before; E10, reconnecting alternates with reconnected,
// and repeats nobody.
//
// The zero value is ready. It is for one goroutine.
type OrderChecker struct {
	people       map[string]*person
	reconnecting bool
	ended        bool
	facts        int
	violations   []error
}

type person struct {
	reconnecting bool
	tracks       map[string]bool // published; true while subscribed
}

// Observe takes the next event.
func (c *OrderChecker) Observe(f Fact) {
	c.facts++
	if why := c.judge(f); why != "" && len(c.violations) < maxViolations {
		c.violations = append(c.violations, fmt.Errorf("event %d, %s: %s", c.facts, f, why))
	}
}

// Err tells what was wrong so far, or nil.
func (c *OrderChecker) Err() error { return errors.Join(c.violations...) }

// Ended reports whether the room's Disconnected was seen.
func (c *OrderChecker) Ended() bool { return c.ended }

// Present returns who is there by the events so far, sorted.
func (c *OrderChecker) Present() []string { return slices.Sorted(maps.Keys(c.people)) }

// judge applies the fact and says what is wrong with it, or "".
func (c *OrderChecker) judge(f Fact) string {
	if c.ended {
		return "after Disconnected"
	}
	switch f.Kind {
	case OfRoom:
		return ""
	case Reconnecting, Reconnected:
		return alternate(&c.reconnecting, f.Kind == Reconnecting)
	case Disconnected:
		return c.end()
	case Connected:
		return c.connect(f)
	}
	p := c.people[f.Participant]
	if p == nil {
		return "the participant is not connected"
	}
	switch f.Kind {
	case OfParticipant:
		return ""
	case ParticipantReconnecting, ParticipantReconnected:
		return alternate(&p.reconnecting, f.Kind == ParticipantReconnecting)
	case Gone:
		delete(c.people, f.Participant)
		return p.leave()
	}
	return p.track(f)
}

func alternate(state *bool, begin bool) string {
	was := *state
	*state = begin
	switch {
	case begin && was:
		return "it was reconnecting already"
	case !begin && !was:
		return "it was not reconnecting"
	}
	return ""
}

func (c *OrderChecker) connect(f Fact) string {
	if f.Participant == "" {
		return "no participant is named"
	}
	if c.people[f.Participant] != nil {
		return "the participant is connected already"
	}
	if c.people == nil {
		c.people = make(map[string]*person)
	}
	c.people[f.Participant] = &person{tracks: make(map[string]bool)}
	return ""
}

func (c *OrderChecker) end() string {
	c.ended = true
	for _, name := range c.Present() {
		if why := c.people[name].leave(); why != "" {
			return fmt.Sprintf("participant %s: %s", name, why)
		}
	}
	return ""
}

// leave says what is left of a person who goes.
func (p *person) leave() string {
	for _, track := range slices.Sorted(maps.Keys(p.tracks)) {
		if p.tracks[track] {
			return fmt.Sprintf("track %s is still subscribed", track)
		}
	}
	return ""
}

func (p *person) track(f Fact) string {
	subscribed, published := p.tracks[f.Publication]
	switch {
	case f.Publication == "":
		return "no publication is named"
	case f.Kind == Published:
		p.tracks[f.Publication] = false
		if published {
			return "the track is published already"
		}
		return ""
	case !published:
		return "the track is not published"
	}
	switch f.Kind {
	case OfPublication:
	case OfSubscription:
		if !subscribed {
			return "the track is not subscribed"
		}
	case Subscribed:
		p.tracks[f.Publication] = true
		if subscribed {
			return "the track is subscribed already"
		}
	case Unsubscribed:
		p.tracks[f.Publication] = false
		if !subscribed {
			return "the track is not subscribed"
		}
	case Unpublished:
		delete(p.tracks, f.Publication)
		if subscribed {
			return "the track is still subscribed"
		}
	default:
		return "of no known kind"
	}
	return ""
}
