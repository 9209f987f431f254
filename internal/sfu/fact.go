package sfu

import "time"

// Event is a kind of thing that happens in a room and is told outside.
type Event string

// The events, by the names that the hosted service gives them.
const (
	RoomCreated             Event = "room-created"
	RoomEnded               Event = "room-ended"
	ParticipantConnected    Event = "participant-connected"
	ParticipantDisconnected Event = "participant-disconnected"
	TrackAdded              Event = "track-added"
	TrackRemoved            Event = "track-removed"
	TrackEnabled            Event = "track-enabled"
	TrackDisabled           Event = "track-disabled"
)

// Fact is something that happened in a room.
type Fact struct {
	Event  Event
	At     time.Time
	Number int // of the facts of its room, from 0
	Room   RoomStatus
	// Participant is whom it is about, with the state after it; empty where
	// it is about the room.
	Participant ParticipantStatus
	Track       TrackStatus // empty where it is not about a track
}

// report tells what happened outside, in the room's turn.
func (r *room) report(e Event, p ParticipantStatus, t TrackStatus) {
	if r.srv.cfg.Tell == nil {
		return
	}
	r.srv.cfg.Tell(Fact{Event: e, At: time.Now(), Number: r.facts, Room: r.info(), Participant: p, Track: t})
	r.facts++
}

// reportTracks tells how what a member publishes differs from what it did.
func (r *room) reportTracks(m *member, before, after []track) {
	if r.srv.cfg.Tell == nil {
		return
	}
	was := make(map[string]bool, len(before)) // whether it was enabled
	for i := range before {
		was[before[i].sid] = before[i].on()
	}
	is := make(map[string]bool, len(after))
	for i := range after {
		is[after[i].sid] = true
	}
	who := m.status(r)
	for i := range before {
		if !is[before[i].sid] {
			r.report(TrackRemoved, who, before[i].status(m.sid))
		}
	}
	for i := range after {
		t := &after[i]
		switch enabled, known := was[t.sid]; {
		case !known:
			r.report(TrackAdded, who, t.status(m.sid))
		case enabled && !t.on():
			r.report(TrackDisabled, who, t.status(m.sid))
		case !enabled && t.on():
			r.report(TrackEnabled, who, t.status(m.sid))
		}
	}
}
