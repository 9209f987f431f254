package rsp

import (
	"slices"
	"sync"

	"github.com/parley-rtc/parley/signaling"
)

// The most channel messages that wait in a client for a slow network. Sections
// need no bound: the newest of a kind replaces the one that waits.
const (
	maxWaiting      = 512
	maxWaitingBytes = 256 << 10
)

// outbox holds what a client has yet to send: frames of the handshake in
// order, then one update into which all later ones are merged, then the
// farewell.
type outbox struct {
	wake chan struct{} // one slot: something was put in

	mu       sync.Mutex
	frames   [][]byte
	session  string
	caps     signaling.Capabilities
	parley   bool              // the server understands the extensions
	local    *localParticipant // repeated in every update
	pending  pendingUpdate
	dirty    bool
	bytes    int // of the channel messages in pending
	leaving  bool
	farewell *disconnectMessage
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// frame queues an encoded frame.
func (o *outbox) frame(data []byte) {
	o.mu.Lock()
	o.frames = append(o.frames, data)
	o.mu.Unlock()
	o.poke()
}

// begin tells what the updates of the session need.
func (o *outbox) begin(session string, parley bool, caps signaling.Capabilities, local signaling.LocalParticipant) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.session, o.parley, o.caps, o.local = session, parley, caps, localToWire(&local)
}

// leave queues the farewell behind everything else, once.
func (o *outbox) leave(farewell *disconnectMessage) {
	o.mu.Lock()
	if !o.leaving {
		o.leaving, o.farewell = true, farewell
	}
	o.mu.Unlock()
	o.poke()
}

// pendingUpdate is copied from what the caller sent: the caller may go on with
// its own.
type pendingUpdate struct {
	connections list[peerConnection]
	subscribe   *subscribe
	profile     *bandwidthProfile
	channels    list[extensionChannel]
}

// merge adds an update to the one that waits. It reports false when more
// channel messages wait than may.
func (o *outbox) merge(u signaling.Update) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &o.pending
	if u.Participant != nil && u.Participant.Revision >= o.local.Revision {
		o.local, o.dirty = localToWire(u.Participant), true
	}
	if u.Subscribe != nil && o.caps.Subscribe &&
		(p.subscribe == nil || u.Subscribe.Revision >= p.subscribe.Revision) {
		p.subscribe, o.dirty = subscribeToWire(u.Subscribe), true
	}
	if u.BandwidthProfile != nil {
		p.profile, o.dirty = profileToWire(u.BandwidthProfile), true
	}
	for _, pc := range connectionsToWire(u.PeerConnections) {
		p.connections, o.dirty = mergeConnection(p.connections, pc), true
	}
	for _, c := range u.Channels {
		if c.Payload == nil || !o.parley {
			continue
		}
		o.bytes += len(c.Name) + len(c.Payload)
		if len(p.channels) >= maxWaiting || o.bytes > maxWaitingBytes {
			return false
		}
		p.channels = append(p.channels, extensionChannel{Name: c.Name, Payload: slices.Clone(c.Payload)})
		o.dirty = true
	}
	if o.dirty {
		o.poke()
	}
	return true
}

// mergeConnection keeps, per peer connection, the newest description and the
// newest candidates. Revisions may repeat: an answer carries that of its offer,
// which an own offer that crossed it may have used as well. An answer is not
// replaced by the offer that follows it: the server makes nothing of the offer
// while it waits for the answer. So two entries may wait, in their order.
func mergeConnection(waiting list[peerConnection], pc peerConnection) list[peerConnection] {
	last := -1
	for i := range waiting {
		if waiting[i].ID == pc.ID {
			last = i
		}
	}
	if last < 0 {
		return append(waiting, pc)
	}
	w := &waiting[last]
	w.AskOffer = w.AskOffer || pc.AskOffer
	if d := pc.Description; d != nil {
		switch {
		case w.Description == nil:
			w.Description = d
		case d.Revision < w.Description.Revision:
		case answers(w.Description) && !answers(d) && d.Revision > w.Description.Revision:
			return append(waiting, pc)
		default:
			w.Description = d
		}
	}
	if ice := pc.ICE; ice != nil && (w.ICE == nil || ice.Revision >= w.ICE.Revision) {
		w.ICE = ice
	}
	return waiting
}

func answers(d *description) bool {
	return d.Type == string(signaling.DescriptionAnswer) || d.Type == string(signaling.DescriptionPranswer)
}

// split cuts the list where an id comes again: a message holds each once.
func split(pcs list[peerConnection]) (first, rest list[peerConnection]) {
	seen := map[string]bool{}
	for i := range pcs {
		if seen[pcs[i].ID] {
			return pcs[:i], pcs[i:]
		}
		seen[pcs[i].ID] = true
	}
	return pcs, nil
}

// waiting reports whether an update waits that nothing else pushes out.
func (o *outbox) waiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dirty && !o.leaving && len(o.frames) == 0
}

// take empties the outbox into frames. leave is set with the last ones.
func (o *outbox) take() (frames [][]byte, leave bool, err error) {
	o.mu.Lock()
	frames, o.frames = o.frames, nil
	updates := o.updates()
	leave = o.leaving
	farewell := o.farewell
	o.mu.Unlock()

	for _, m := range updates {
		data, err := encodeMsg(m)
		if err != nil {
			return nil, false, err
		}
		frames = append(frames, data)
	}
	if leave {
		if farewell != nil {
			data, err := encodeMsg(farewell)
			if err != nil {
				return nil, false, err
			}
			frames = append(frames, data)
		}
		frames = append(frames, byeFrame)
	}
	return frames, leave, nil
}

// updates makes the messages for what is pending, almost always one. Its caller
// holds mu.
func (o *outbox) updates() []*clientMessage {
	if !o.dirty {
		return nil
	}
	p := o.pending
	o.pending, o.dirty, o.bytes = pendingUpdate{}, false, 0
	session := o.session
	first, rest := split(p.connections)
	messages := []*clientMessage{{
		Type:        typeUpdate,
		Version:     rspVersion,
		Session:     &session,
		Participant: o.local,
		Connections: first,
		Subscribe:   p.subscribe,
		Profile:     p.profile,
		Channels:    p.channels,
	}}
	for rest != nil {
		first, rest = split(rest)
		messages = append(messages, &clientMessage{
			Type: typeUpdate, Version: rspVersion, Session: &session, Participant: o.local, Connections: first,
		})
	}
	return messages
}
