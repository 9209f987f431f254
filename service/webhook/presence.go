package webhook

import (
	"cmp"
	"slices"
	"sync"
)

const (
	maxRooms  = 10_000 // that go on
	maxEnded  = 1000   // rooms that do not
	maxPeople = 10_000 // of one room, with those who left
)

// Presence rebuilds from callbacks who is where. Events may come late, more
// than once and in any order: each room, participant and track ends as the last
// thing that happened to it says. The zero value knows nothing yet. It is safe
// for concurrent use.
//
// It remembers 10 000 rooms that go on and 1000 that ended, and of each 10 000
// participants, those who left among them; beyond, the oldest are forgotten.
type Presence struct {
	mu    sync.Mutex
	rooms map[string]*roomState
	live  []string // SIDs, the oldest first
	ended []string
}

type roomState struct {
	info   Info // of the newest event
	ended  bool
	people map[string]*personState
	order  []string
}

type personState struct {
	Participant
	came, gone bool
	since      Info
	tracks     map[string]*trackState
}

type trackState struct {
	Track
	gone     bool
	disabled bool
	changed  Info // of the event that said so
}

// RoomPresence is a room that goes on, and who is in it, by the time of their
// coming.
type RoomPresence struct {
	SID, Name, Type string
	Participants    []ParticipantPresence
}

// ParticipantPresence is a participant and what it publishes, by SID.
type ParticipantPresence struct {
	Participant
	Tracks []TrackPresence
}

// TrackPresence is a track that is published.
type TrackPresence struct {
	Track
	Enabled bool
}

// Apply takes an event. It never fails; the error is for who hands it to a
// Receiver.
func (p *Presence) Apply(e Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.room(e.About())
	switch e := e.(type) {
	case RoomEnded:
		p.end(r)
	case ParticipantConnected:
		if who := r.person(e.Participant); who != nil {
			who.came, who.since = true, e.Info
		}
	case ParticipantDisconnected:
		if who := r.person(e.Participant); who != nil {
			who.gone, who.tracks = true, nil
		}
	case TrackAdded:
		r.track(e.Participant, e.Track, e.Info)
	case TrackRemoved:
		if t := r.track(e.Participant, e.Track, e.Info); t != nil {
			t.gone = true
		}
	case TrackEnabled:
		r.track(e.Participant, e.Track, e.Info).enable(true, e.Info)
	case TrackDisabled:
		r.track(e.Participant, e.Track, e.Info).enable(false, e.Info)
	}
	return nil
}

func (p *Presence) room(info Info) *roomState {
	r := p.rooms[info.RoomSID]
	if r == nil {
		if p.rooms == nil {
			p.rooms = map[string]*roomState{}
		}
		r = &roomState{info: info, people: map[string]*personState{}}
		p.rooms[info.RoomSID] = r
		p.live = p.remember(p.live, maxRooms, info.RoomSID)
	}
	if r.info.Before(info) {
		r.info = info
	}
	return r
}

// end forgets what was in a room.
func (p *Presence) end(r *roomState) {
	if r.ended {
		return
	}
	r.ended, r.people, r.order = true, nil, nil
	p.live = slices.DeleteFunc(p.live, func(sid string) bool { return sid == r.info.RoomSID })
	p.ended = p.remember(p.ended, maxEnded, r.info.RoomSID)
}

// remember adds a room to a list, and forgets the oldest of it if there are too
// many.
func (p *Presence) remember(list []string, most int, sid string) []string {
	if len(list) >= most {
		delete(p.rooms, list[0])
		list = list[1:]
	}
	return append(list, sid)
}

// person returns the participant, nil where the room is over.
func (r *roomState) person(who Participant) *personState {
	if r.ended {
		return nil
	}
	s := r.people[who.SID]
	if s == nil {
		if len(r.order) >= maxPeople {
			delete(r.people, r.order[0])
			r.order = r.order[1:]
		}
		s = &personState{Participant: who, tracks: map[string]*trackState{}}
		r.people[who.SID] = s
		r.order = append(r.order, who.SID)
	}
	return s
}

// track returns the participant's track, nil where it has left.
func (r *roomState) track(who Participant, t Track, info Info) *trackState {
	s := r.person(who)
	if s == nil || s.gone {
		return nil
	}
	if !s.came { // its coming is not heard of yet
		s.came, s.since = true, info
	}
	known := s.tracks[t.SID]
	if known == nil {
		known = &trackState{Track: t}
		s.tracks[t.SID] = known
	}
	return known
}

func (t *trackState) enable(enabled bool, info Info) {
	if t != nil && (t.changed.Name == "" || t.changed.Before(info)) {
		t.disabled, t.changed = !enabled, info
	}
}

// Rooms returns the rooms that go on, by name.
func (p *Presence) Rooms() []RoomPresence {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []RoomPresence
	for _, r := range p.rooms {
		if !r.ended {
			list = append(list, r.now())
		}
	}
	slices.SortFunc(list, func(a, b RoomPresence) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.SID, b.SID)) })
	return list
}

// Room returns one by its SID or name, if it goes on.
func (p *Presence) Room(nameOrSID string) (RoomPresence, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sid := range slices.Backward(p.live) {
		if r := p.rooms[sid]; sid == nameOrSID || r.info.RoomName == nameOrSID {
			return r.now(), true
		}
	}
	return RoomPresence{}, false
}

func (r *roomState) now() RoomPresence {
	room := RoomPresence{SID: r.info.RoomSID, Name: r.info.RoomName, Type: r.info.RoomType}
	var here []*personState
	for _, s := range r.people {
		if s.came && !s.gone {
			here = append(here, s)
		}
	}
	slices.SortFunc(here, func(a, b *personState) int {
		switch {
		case a.since.Before(b.since):
			return -1
		case b.since.Before(a.since):
			return 1
		}
		return cmp.Compare(a.SID, b.SID)
	})
	for _, s := range here {
		p := ParticipantPresence{Participant: s.Participant}
		for _, t := range s.tracks {
			if !t.gone {
				p.Tracks = append(p.Tracks, TrackPresence{t.Track, !t.disabled})
			}
		}
		slices.SortFunc(p.Tracks, func(a, b TrackPresence) int { return cmp.Compare(a.SID, b.SID) })
		room.Participants = append(room.Participants, p)
	}
	return room
}
