package sfu

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/parley-rtc/parley/signaling"
	"golang.org/x/time/rate"
)

// controlChannel carries, with the signaling of clients that speak our
// extensions, what participants ask of the room and what it tells them in
// person. Both ways nothing is lost or done twice while the session lasts: a
// client numbers its requests and repeats those without an answer when it is
// back; what it is told is numbered too and repeated until it says that it has
// it.
const controlChannel = "control"

const (
	controlRate    = 10 // requests a second of one client
	controlBurst   = 30
	keptAnswers    = 64 // as many requests may be without an answer
	keptDeliveries = 256
	keptBytes      = 512 << 10 // of deliveries
	controlPart    = 128 << 10 // bytes of them in one message, about
	controlParts   = 64        // of them in one message
)

// control is a client's control channel. It belongs to the peer's goroutine.
type control struct {
	limit   *rate.Limiter
	last    int                 // the latest request that was taken
	answers []answer            // the last ones
	out     []signaling.Channel // answers for the next flush

	kept   []delivery // what the client has not said that it has
	bytes  int        // of kept
	number int        // of the last one
	sent   int        // the last one on this connection
}

// request is what a client asks.
type request struct {
	Type        string         `json:"type"`
	ID          int            `json:"id"`
	Number      int            `json:"number"` // of received
	Action      string         `json:"action"`
	Signal      *signalMessage `json:"signal"`
	Participant string         `json:"participant"`
	Track       string         `json:"track"`
	Except      []string       `json:"except"`
}

// answer is what becomes of a request.
type answer struct {
	Type  string       `json:"type"`
	ID    int          `json:"id"`
	Error *answerError `json:"error,omitempty"`
}

type answerError struct {
	Code       int    `json:"code"`
	Message    string `json:"message"`
	RetryAfter int    `json:"retry_after,omitempty"` // ms
}

// delivery is something that a client is told once.
type delivery struct {
	number int
	body   func(number int) any
	bytes  int // about
}

// takeControl takes a message of the client.
func (p *peer) takeControl(data []byte) {
	var m request
	if json.Unmarshal(data, &m) != nil {
		return
	}
	switch m.Type {
	case "request":
		p.take(&m)
	case "received":
		p.received(m.Number)
	}
}

// take has the room do what is asked, unless it was asked before.
func (p *peer) take(m *request) {
	c := &p.control
	if m.ID <= c.last {
		for _, a := range c.answers {
			if a.ID == m.ID {
				p.sayControl(a)
			}
		}
		return // without an answer it is under way
	}
	c.last = m.ID
	if c.limit == nil {
		c.limit = rate.NewLimiter(controlRate, controlBurst)
	}
	if !c.limit.Allow() {
		refusal := signaling.Errorf(signaling.CodeServerBusy, "more than %d requests a second", controlRate)
		refusal.RetryAfter = time.Second / controlRate
		p.answer(m.ID, refusal)
		return
	}
	p.room.post(func() {
		refusal := p.room.perform(p, m)
		p.post(func() { p.answer(m.ID, refusal) })
	})
}

// answer tells the client what became of a request.
func (p *peer) answer(id int, err *signaling.Error) {
	a := answer{Type: "answer", ID: id}
	if err != nil {
		a.Error = &answerError{int(err.Code), err.Message, int(err.RetryAfter / time.Millisecond)}
	}
	c := &p.control
	if len(c.answers) == keptAnswers {
		c.answers = slices.Delete(c.answers, 0, 1)
	}
	c.answers = append(c.answers, a)
	p.sayControl(a)
}

// sayControl queues a message for the next flush. One that is away asks again
// when it is back.
func (p *peer) sayControl(message any) {
	if p.conn != nil {
		p.control.out = append(p.control.out, p.controlMessage(message))
	}
}

func (p *peer) controlMessage(message any) signaling.Channel {
	data, err := json.Marshal(message)
	if err != nil {
		p.srv.log.Error("a control message cannot be encoded", "err", err)
	}
	return signaling.Channel{Name: controlChannel, Payload: data}
}

// deliver tells the client something, once and in order, also across lost
// connections. What is more than is kept pushes the oldest out, which the client
// sees by the numbers. It may be called from anywhere.
func (p *peer) deliver(bytes int, body func(number int) any) {
	p.post(func() {
		c := &p.control
		if p.ended || !p.extended {
			return
		}
		c.number++
		c.kept = append(c.kept, delivery{c.number, body, bytes})
		c.bytes += bytes
		for len(c.kept) > keptDeliveries || c.bytes > keptBytes {
			c.bytes -= c.kept[0].bytes
			c.kept = slices.Delete(c.kept, 0, 1)
		}
	})
}

// received forgets what the client has.
func (p *peer) received(number int) {
	c := &p.control
	for len(c.kept) > 0 && c.kept[0].number <= number {
		c.bytes -= c.kept[0].bytes
		c.kept = slices.Delete(c.kept, 0, 1)
	}
}

// owes reports whether something is yet to be delivered on this connection.
func (p *peer) owes() bool {
	c := &p.control
	return p.conn != nil && len(c.kept) > 0 && c.kept[len(c.kept)-1].number > c.sent
}

// controls are the messages for the client, in portions.
func (p *peer) controls() [][]signaling.Channel {
	c := &p.control
	list := c.out
	c.out = nil
	if p.conn == nil {
		return nil
	}
	for _, d := range c.kept {
		if d.number > c.sent {
			list = append(list, p.controlMessage(d.body(d.number)))
			c.sent = d.number
		}
	}
	var parts [][]signaling.Channel
	for len(list) > 0 {
		n, bytes := 0, 0
		for n < len(list) && n < controlParts && bytes < controlPart {
			bytes += len(list[n].Payload)
			n++
		}
		parts = append(parts, list[:n])
		list = list[n:]
	}
	return parts
}

// perform does what a client asks. It runs in the room's turn.
func (r *room) perform(p *peer, m *request) *signaling.Error {
	member := r.member(p)
	if member == nil {
		return errRoomGone // it has left meanwhile, and is not told
	}
	switch m.Action {
	case "signal":
		return r.signal(member, m.Signal)
	case "unmute":
		return r.unmuteOwn(member, m.Track)
	case "disconnect", "unpublish", "mute", "mute_all", "clear_mute":
		if !p.role.CanModerate() {
			return signaling.Errorf(signaling.CodeTokenGrantsInvalid, "the role %q may not moderate", p.role)
		}
		return r.moderate(m)
	}
	return signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "there is no action %.40q", m.Action)
}
