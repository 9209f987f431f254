package parley

import (
	"slices"
	"sync"

	"github.com/parley-rtc/parley/internal/timeline"
)

// ownEvents is the timeline of one local track: its part of the timelines of
// all rooms that publish it. Rooms append under their own mu.
type ownEvents struct {
	mu   sync.Mutex
	log  *timeline.Log[Event] // nil until somebody listens
	ch   <-chan Event
	over bool // too much waits

	listed  []*LocalTrackPublication
	started []*LocalTrackPublication
	muted   []*LocalTrackPublication

	done  chan struct{}
	final []Event // once done is closed
}

func newOwnEvents() *ownEvents { return &ownEvents{done: make(chan struct{})} }

// Events is the track's part of the timelines of the rooms that publish it. It
// begins with the present, and ends with LocalTrackStopped when the track is
// stopped, not when a room ends. Who opens it reads it until then; 65 536
// unread events close it.
func (o *ownEvents) Events() <-chan Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ch != nil {
		return o.ch
	}
	o.log = timeline.New(timeline.Options[Event]{Overflow: func() { o.over = true }})
	o.ch = timeline.View(o.log, o.present, timeline.As[Event, Event])
	if o.ended() {
		o.log.End(o.final...)
	}
	return o.ch
}

// Done is closed when the track has ended: it was stopped, or its source ended.
func (o *ownEvents) Done() <-chan struct{} { return o.done }

func (o *ownEvents) own() *ownEvents { return o }

func (o *ownEvents) ended() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

// present tells the present state as events. mu is held.
func (o *ownEvents) present() []Event {
	var events []Event
	for _, pub := range o.listed {
		events = append(events, LocalTrackPublished{pub})
		if slices.Contains(o.started, pub) {
			events = append(events, LocalTrackStarted{pub})
		}
		if slices.Contains(o.muted, pub) {
			events = append(events, LocalTrackMuted{pub})
		}
	}
	return events
}

// append adds what a room has told.
func (o *ownEvents) append(e Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended() {
		return
	}
	switch e := e.(type) {
	case LocalTrackPublished:
		o.listed = append(o.listed, e.Publication)
	case LocalTrackStarted:
		o.started = append(o.started, e.Publication)
	case LocalTrackMuted:
		o.muted = append(o.muted, e.Publication)
	case LocalTrackUnmuted:
		o.muted = without(o.muted, e.Publication)
	case LocalTrackUnpublished:
		o.drop(e.Publication)
	}
	if o.log == nil {
		return
	}
	if o.over {
		o.log.End()
		return
	}
	o.log.Append(e)
}

// forget takes note that the room of the publication has ended.
func (o *ownEvents) forget(pub *LocalTrackPublication) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(pub)
}

func (o *ownEvents) drop(pub *LocalTrackPublication) {
	o.listed, o.started, o.muted = without(o.listed, pub), without(o.started, pub), without(o.muted, pub)
}

// end ends the timeline: the track has been stopped.
func (o *ownEvents) end(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended() {
		return
	}
	for _, pub := range o.listed {
		o.final = append(o.final, LocalTrackStopped{pub, err})
	}
	if len(o.final) == 0 {
		o.final = append(o.final, LocalTrackStopped{nil, err})
	}
	close(o.done)
	if o.log != nil {
		o.log.End(o.final...)
	}
}

func without(list []*LocalTrackPublication, pub *LocalTrackPublication) []*LocalTrackPublication {
	return slices.DeleteFunc(slices.Clone(list), func(o *LocalTrackPublication) bool { return o == pub })
}

// tellOwn appends an event about a track of ours to the room's timeline and to
// the track's. mu is held.
func (r *Room) tellOwn(t LocalTrack, e Event) {
	r.timeline.Append(e)
	t.own().append(e)
}
