package sfu

import (
	"slices"
	"strings"
	"sync"

	"github.com/parley-rtc/parley/signaling"
)

// faults are the ways in which tests and operators interfere.
type faults struct {
	mu     sync.Mutex
	refuse func(identity string, t signaling.LocalTrack) *signaling.Error
}

// RefusePublish makes the server ask refuse about every new track; nil ends
// that. It is called on a goroutine of the server and must not wait. For tests.
func (s *Server) RefusePublish(refuse func(identity string, t signaling.LocalTrack) *signaling.Error) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.refuse = refuse
}

func (s *Server) refusePublish(identity string, t signaling.LocalTrack) *signaling.Error {
	s.faults.mu.Lock()
	refuse := s.faults.refuse
	s.faults.mu.Unlock()
	if refuse == nil {
		return nil
	}
	return refuse(identity, t)
}

// Cut drops the signaling sockets of everybody with the identity, as a network
// failure would, and reports how many there were. For tests.
func (s *Server) Cut(identity string) int {
	cut := 0
	for _, p := range s.peers(identity) {
		p.do(func() {
			if p.conn != nil && !p.ended {
				cut++
				p.srv.spawn(p.conn.Close)
			}
		})
	}
	return cut
}

func (s *Server) peers(identity string) []*peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*peer
	for _, p := range s.sessions {
		if p.identity == identity {
			list = append(list, p)
		}
	}
	return list
}

// Remove ends the stay of a participant, given by identity or SID, in a room,
// given by name or SID. It reports whether there was one.
func (s *Server) Remove(room, participant string) bool {
	s.mu.Lock()
	r := s.lookup(room)
	var found *peer
	for _, p := range s.sessions {
		if p.room == r && (p.identity == participant || p.sid == participant) {
			found = p
		}
	}
	s.mu.Unlock()
	return found != nil && found.post(found.expelled)
}

// Complete ends a room, given by name or SID, for everybody in it. It reports
// whether there was one.
func (s *Server) Complete(room string) bool {
	s.mu.Lock()
	r := s.lookup(room)
	s.mu.Unlock()
	if r == nil {
		return false
	}
	r.complete()
	return true
}

// RoomInfo names a room.
type RoomInfo struct {
	SID, Name    string
	Participants int
}

// Rooms lists the rooms there are, by name.
func (s *Server) Rooms() []RoomInfo {
	s.mu.Lock()
	seen := make(map[*room]bool, s.count)
	for _, r := range s.rooms {
		seen[r] = true
	}
	s.mu.Unlock()
	var list []RoomInfo
	for r := range seen {
		info, goesOn := RoomInfo{SID: r.sid, Name: r.name}, false
		r.do(func() { info.Participants, goesOn = len(r.members), !r.over })
		if goesOn { // it may have ended in the turn before
			list = append(list, info)
		}
	}
	slices.SortFunc(list, func(a, b RoomInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Participants lists who is in a room, given by name or SID, in the order of
// joining.
func (s *Server) Participants(room string) []signaling.RemoteParticipant {
	s.mu.Lock()
	r := s.lookup(room)
	s.mu.Unlock()
	var list []signaling.RemoteParticipant
	if r != nil {
		r.do(func() {
			for _, m := range r.members {
				list = append(list, m.remote())
			}
		})
	}
	return list
}
