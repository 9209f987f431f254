package parley

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// channelControl carries requests to the server and what it tells us in person.
// PROTOCOL.md of package signaling describes it.
const channelControl = "control"

const (
	maxRequests = 64 // without an answer; further calls wait
	// What is under way to the server at a time.
	flyingRequests = 16
	flyingBytes    = 128 << 10
)

var (
	// ErrNotSupported says that the server does not know what is asked of it.
	ErrNotSupported = errors.New("the server does not support it")
	// ErrUnconfirmed says that the room had to be joined anew before the
	// server answered: what was asked may have happened or not.
	ErrUnconfirmed = errors.New("the session was lost before the server answered")
)

// request is something asked of the server. The loop owns it.
type request struct {
	message any // a *wireRequest
	setID   func(id int)
	free    bool // has no entry in Room.requests: nobody waits for it
	once    bool // fails with the connection
	id      int
	sent    bool // the session has seen it, perhaps
	flying  bool // sent on this connection
	done    chan error
}

// control is the client's end of the control channel. The loop owns it.
type control struct {
	waiting  []*request // in their order
	next     int        // id of the last one
	received int        // number of the last delivery
	told     int        // that the server knows we have
}

// wireRequest is a request on the wire.
type wireRequest struct {
	Type        string      `json:"type"`
	ID          int         `json:"id"`
	Action      string      `json:"action"`
	Signal      *wireSignal `json:"signal,omitempty"`
	Participant string      `json:"participant,omitempty"`
	Track       string      `json:"track,omitempty"`
	Except      []string    `json:"except,omitempty"`
}

// ask has the server do something and waits for its answer. Once says that a
// lost connection is the end of it.
func (r *Room) ask(ctx context.Context, w *wireRequest, once bool) error {
	w.Type = "request"
	select {
	case r.requests <- struct{}{}:
	case <-r.done:
		return r.closedErr()
	case <-ctx.Done():
		return ctx.Err()
	}
	q := &request{message: w, setID: func(id int) { w.ID = id }, once: once, done: make(chan error, 1)}
	r.post(func() {
		if ctx.Err() != nil {
			<-r.requests // nobody waits any more
			return
		}
		r.enqueue(q)
	})
	select {
	case err := <-q.done:
		return err
	case <-r.done:
		return r.closedErr()
	case <-ctx.Done():
		r.post(func() { r.forgetRequest(q) })
		return ctx.Err()
	}
}

// enqueue lets a request wait for the next flush.
func (r *Room) enqueue(q *request) {
	l := &r.loop
	switch {
	case !slices.Contains(l.caps.Channels, channelControl):
		r.resolve(q, wrap("%w", ErrNotSupported))
	case q.once && l.session == nil:
		r.resolve(q, wrap("%w", ErrSignalingDisconnected))
	default:
		r.number(q)
		l.control.waiting = append(l.control.waiting, q)
	}
}

func (r *Room) number(q *request) {
	r.loop.control.next++
	q.id = r.loop.control.next
	q.setID(q.id)
}

// resolve ends a request.
func (r *Room) resolve(q *request, err error) {
	q.done <- err
	if !q.free {
		<-r.requests
	}
}

// forgetRequest takes back what was not sent yet.
func (r *Room) forgetRequest(q *request) {
	c := &r.loop.control
	if i := slices.Index(c.waiting, q); i >= 0 && !q.sent {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		r.resolve(q, context.Canceled)
	}
}

// controls are the messages for the server that may be sent now.
func (r *Room) controls() []signaling.Channel {
	c := &r.loop.control
	var list []signaling.Channel
	if c.received > c.told {
		c.told = c.received
		list = append(list, channelMessage(channelControl, map[string]any{"type": "received", "number": c.told}))
	}
	flying, bytes := 0, 0
	for _, q := range c.waiting {
		if flying == flyingRequests || bytes > flyingBytes {
			break
		}
		flying++
		m := channelMessage(channelControl, q.message)
		bytes += len(m.Payload)
		if !q.flying {
			q.flying, q.sent = true, true
			list = append(list, m)
		}
	}
	return list
}

// controlLost notes that the connection is lost.
func (r *Room) controlLost() {
	r.settleRequests(func(q *request) error {
		if q.once {
			return wrap("%w", ErrSignalingDisconnected)
		}
		return nil
	})
}

// controlBegins notes that there is a connection. What has no answer is sent
// again; a new session knows nothing of what the old one was asked.
func (r *Room) controlBegins(fresh bool) {
	c := &r.loop.control
	for _, q := range c.waiting {
		q.flying = false
	}
	c.told = 0 // the message may have been lost
	if !fresh {
		return
	}
	supported := slices.Contains(r.loop.caps.Channels, channelControl)
	r.settleRequests(func(q *request) error {
		switch {
		case q.sent:
			return wrap("%w", ErrUnconfirmed)
		case !supported:
			return wrap("%w", ErrNotSupported)
		}
		return nil
	})
	c.next, c.received = 0, 0
	r.mu.Lock()
	for _, pub := range r.loop.publications {
		pub.forced = false // nobody muted it there
	}
	r.setMuteForced(false)
	r.mu.Unlock()
	for _, q := range c.waiting {
		r.number(q)
	}
}

// settleRequests ends those that the function has an error for.
func (r *Room) settleRequests(verdict func(*request) error) {
	c := &r.loop.control
	c.waiting = slices.DeleteFunc(c.waiting, func(q *request) bool {
		err := verdict(q)
		if err != nil {
			r.resolve(q, err)
		}
		return err != nil
	})
}

// applyControl takes a message of the server.
func (r *Room) applyControl(payload []byte) {
	var m struct {
		Type   string      `json:"type"`
		ID     int         `json:"id"`
		Number int         `json:"number"`
		Track  string      `json:"track"`
		Active bool        `json:"active"`
		Signal *wireSignal `json:"signal"`
		From   struct {
			SID      string `json:"sid"`
			Identity string `json:"identity"`
		} `json:"from"`
		Error *struct {
			Code       signaling.Code `json:"code"`
			Message    string         `json:"message"`
			RetryAfter int            `json:"retry_after"`
		} `json:"error"`
	}
	if json.Unmarshal(payload, &m) != nil {
		return // not ours to understand
	}
	if m.Type == "answer" {
		var err error
		if e := m.Error; e != nil {
			err = &Error{
				Code: e.Code, Message: e.Message[:min(len(e.Message), 1024)],
				RetryAfter: time.Duration(min(max(e.RetryAfter, 0), 1<<30)) * time.Millisecond,
			}
		}
		r.answered(m.ID, err)
		return
	}
	c := &r.loop.control
	if m.Number <= c.received {
		return // we have it already, or it has none
	}
	missed := m.Number - c.received - 1
	c.received = m.Number
	if m.Type == "muted" {
		defer r.forceMuted(m.Track) // after what was missed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if missed > 0 {
		r.timeline.Append(SignalsMissed{missed})
	}
	switch {
	case m.Type == "muting":
		r.setMuteForced(m.Active)
	case m.Type == "signal" && m.Signal != nil:
		r.applySignal(m.Signal, m.From.SID, m.From.Identity)
	}
}

func (r *Room) answered(id int, err error) {
	c := &r.loop.control
	if i := slices.IndexFunc(c.waiting, func(q *request) bool { return q.id == id && q.sent }); i >= 0 {
		q := c.waiting[i]
		c.waiting = slices.Delete(c.waiting, i, i+1)
		r.resolve(q, err)
	}
}
