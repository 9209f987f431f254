package parley

import (
	"sync"

	"github.com/parley-rtc/parley/internal/engine"
)

// messageQueue is how many messages wait in a channel of messages; then the
// oldest is dropped.
const messageQueue = 256

// TrackMessage is a data message with where it came from.
type TrackMessage struct {
	Message
	Track       *RemoteDataTrack
	Participant *RemoteParticipant
}

// Messages returns the data messages of all tracks in the room, from its first
// call on; each call returns the same channel. It is apart from the events: up
// to 256 messages wait in it, then the oldest are dropped and counted in the
// Dropped of one that follows. Receive on the track gets its messages all the same. The
// channel is closed when the room has ended.
func (r *Room) Messages() <-chan TrackMessage { return r.messages.view(nil) }

// messageHub spreads messages to the channels of a room and its participants.
type messageHub struct {
	mu    sync.Mutex
	views map[*RemoteParticipant]*messageView // nil: the whole room
	ended bool
}

type messageView struct {
	ch      chan TrackMessage
	dropped int
}

func (h *messageHub) view(p *RemoteParticipant) <-chan TrackMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.views[p]
	if v == nil {
		v = &messageView{ch: make(chan TrackMessage, messageQueue)}
		if h.ended {
			close(v.ch)
		}
		if h.views == nil {
			h.views = map[*RemoteParticipant]*messageView{}
		}
		h.views[p] = v
	}
	return v.ch
}

func (h *messageHub) push(t *RemoteDataTrack, m engine.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	p := t.pub.participant
	for _, key := range []*RemoteParticipant{nil, p} {
		if v := h.views[key]; v != nil {
			v.push(TrackMessage{Message{Data: m.Data, Text: m.Text}, t, p})
		}
	}
}

// push is called under the hub's lock, so that nobody else sends.
func (v *messageView) push(m TrackMessage) {
	if len(v.ch) == cap(v.ch) {
		select {
		case old := <-v.ch:
			v.dropped += 1 + old.Dropped
		default: // a reader was faster
		}
	}
	m.Dropped, v.dropped = v.dropped, 0
	v.ch <- m
}

func (h *messageHub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	h.ended = true
	for _, v := range h.views {
		close(v.ch)
	}
}
