package sfu

import (
	"cmp"
	"slices"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// RoomFilter chooses rooms; the zero value chooses those in progress.
type RoomFilter struct {
	Ended bool   // those that were completed instead
	Name  string // empty: any
	// Since and Before bound when the room was made: not earlier than the one,
	// and earlier than the other. Zero: any time.
	Since, Before time.Time
}

// RoomRef names a room. Numbers grow with each room that is made.
type RoomRef struct {
	SID    string
	Number uint64
}

// FindRooms lists rooms, the newest first.
func (s *Server) FindRooms(f RoomFilter) []RoomRef {
	var list []RoomRef
	add := func(ref RoomRef, name string, created time.Time) {
		if (f.Name == "" || f.Name == name) && !created.Before(f.Since) && (f.Before.IsZero() || created.Before(f.Before)) {
			list = append(list, ref)
		}
	}
	s.mu.Lock()
	if f.Ended {
		for _, r := range s.ended {
			add(RoomRef{r.status.SID, r.status.Number}, r.status.Options.Name, r.status.Created)
		}
	} else {
		for key, r := range s.rooms {
			if key == r.sid { // each is there by its name as well
				add(RoomRef{r.sid, r.number}, r.name, r.created)
			}
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b RoomRef) int { return cmp.Compare(b.Number, a.Number) })
	return list
}

// ParticipantStatus is a participant as it is known from outside.
type ParticipantStatus struct {
	SID, Identity   string
	RoomSID         string
	Number          uint64 // grows with each one that joins the room
	State           signaling.ParticipantState
	Joined, Updated time.Time
	Left            time.Time // zero: it is there
}

// pastParticipants is how many of those that have left a room are remembered.
const pastParticipants = 200

// endedRoom is what is remembered of a completed room.
type endedRoom struct {
	status RoomStatus
	past   []ParticipantStatus
}

// status is what is known of the member from outside.
func (m *member) status(r *room) ParticipantStatus {
	return ParticipantStatus{
		SID: m.sid, Identity: m.identity, RoomSID: r.sid, Number: m.number, State: m.state,
		Joined: m.joined, Updated: m.updated,
	}
}

// departed remembers a member that is no longer one, and reports it.
func (r *room) departed(m *member) {
	r.reportTracks(m, m.tracks, nil)
	s := m.status(r)
	s.State, s.Left = signaling.StateDisconnected, time.Now()
	s.Updated = s.Left
	if len(r.past) == pastParticipants {
		r.past = slices.Delete(r.past, 0, 1)
	}
	r.past = append(r.past, s)
	r.report(ParticipantDisconnected, s, TrackStatus{})
}

// Attendance lists who is in a room and who was in it, the latest to join
// first. Of those that have left only the last 200 are known. The room is in
// progress, by its name or SID, or one of the last that were completed, by its
// SID.
func (s *Server) Attendance(nameOrSID string) (list []ParticipantStatus, known bool) {
	s.mu.Lock()
	r := s.lookup(nameOrSID)
	ended, known := s.ended[nameOrSID]
	s.mu.Unlock()
	if r == nil {
		list = slices.Clone(ended.past)
	} else {
		known = true
		collect := func() {
			list = slices.Clone(r.past)
			for _, m := range r.members {
				list = append(list, m.status(r))
			}
		}
		if !r.do(collect) {
			<-r.gone
			collect()
		}
	}
	slices.SortFunc(list, func(a, b ParticipantStatus) int { return cmp.Compare(b.Number, a.Number) })
	return list, known
}

// participant finds one, by its identity or SID, in a room that is or was. While
// it is there, use is called with it, in the room's turn. Of several that had
// the identity, the one that is there is meant, or the last.
func (s *Server) participant(nameOrSID, participant string, use func(r *room, m *member)) (ParticipantStatus, error) {
	s.mu.Lock()
	r := s.lookup(nameOrSID)
	ended, known := s.ended[nameOrSID]
	s.mu.Unlock()
	if r == nil && !known {
		return ParticipantStatus{}, errRoomGone
	}
	past := ended.past
	if r != nil {
		var found *ParticipantStatus
		collect := func() {
			past = slices.Clone(r.past)
			for _, m := range r.members {
				if m.sid == participant || m.identity == participant {
					use(r, m)
					status := m.status(r)
					found = &status
					return
				}
			}
		}
		if !r.do(collect) {
			<-r.gone
			collect()
		}
		if found != nil {
			return *found, nil
		}
	}
	for i := len(past) - 1; i >= 0; i-- {
		if past[i].SID == participant || past[i].Identity == participant {
			return past[i], nil
		}
	}
	return ParticipantStatus{}, signaling.NewError(signaling.CodeParticipantNotFound)
}

// Participant returns one, by its identity or SID, with the errors of
// [Server.SetSubscribed].
func (s *Server) Participant(nameOrSID, participant string) (ParticipantStatus, error) {
	return s.participant(nameOrSID, participant, func(*room, *member) {})
}

// Expel removes a participant. Everybody is told before it returns what has
// become of it, and whether it was there.
func (s *Server) Expel(nameOrSID, participant string) (status ParticipantStatus, was bool, err error) {
	var left ParticipantStatus
	status, err = s.participant(nameOrSID, participant, func(r *room, m *member) {
		was = true
		r.remove(m.peer, signaling.DisconnectRemoved)
		left = r.past[len(r.past)-1]
		m.peer.post(m.peer.expelled)
	})
	if was {
		status = left // as it is remembered
	}
	return status, was, err
}

// expelled ends the stay of one that was removed.
func (p *peer) expelled() {
	var err *signaling.Error
	if p.conn == nil || p.conn.Extended() {
		err = signaling.NewError(signaling.CodeParticipantNotFound)
	} // others know a removal as an end without an error
	p.finish(err, signaling.DisconnectRemoved, 0)
}

// TrackStatus is a track as it is known from outside.
type TrackStatus struct {
	SID, Name        string
	Kind             signaling.Kind
	Enabled          bool
	PublisherSID     string
	Created, Updated time.Time
}

func (t *track) status(owner string) TrackStatus {
	return TrackStatus{
		SID: t.sid, Name: t.name, Kind: t.kind, Enabled: t.on(), PublisherSID: owner,
		Created: t.created, Updated: t.updated,
	}
}

// PublishedTracks lists what a participant publishes, in its order: nothing
// once it has left.
func (s *Server) PublishedTracks(nameOrSID, participant string) (ParticipantStatus, []TrackStatus, error) {
	var list []TrackStatus
	status, err := s.participant(nameOrSID, participant, func(_ *room, m *member) {
		for i := range m.tracks {
			list = append(list, m.tracks[i].status(m.sid))
		}
	})
	return status, list, err
}

// SubscribedTracks lists what is forwarded to a participant, or only waits for
// its publisher to send: nothing once it has left.
func (s *Server) SubscribedTracks(nameOrSID, participant string) (ParticipantStatus, []TrackStatus, error) {
	status, p, err := s.present(nameOrSID, participant)
	if p == nil || err != nil {
		return status, nil, err
	}
	told := make(chan []TrackStatus, 1)
	list, _ := await(s, p, told, func() {
		var list []TrackStatus
		for _, sub := range p.subs {
			i := slices.Index(p.roster.pubs, sub.pub)
			if sub.id != "" && i >= 0 {
				list = append(list, p.roster.tracks[i].status(sub.owner))
			}
		}
		told <- list
	})
	return status, list, nil
}

// SubscribeRules are the rules that choose what a participant receives.
type SubscribeRules struct {
	Rules   []signaling.Rule
	Updated time.Time
}

// SubscribeRules returns the rules of a participant that is there. The error
// is [signaling.CodeParticipantNotFound] when it has left, and
// [signaling.CodeSubscriptionNotSupported] in a peer-to-peer room.
func (s *Server) SubscribeRules(nameOrSID, participant string) (ParticipantStatus, SubscribeRules, error) {
	return s.subscribeRules(nameOrSID, participant, func(*peer) {})
}

// SetSubscribeRules replaces the rules of a participant that is there, with
// the errors of [Server.SubscribeRules] and [signaling.CodeSubscribeRulesInvalid].
// The participant's own next rules replace them in turn, as far as they want
// what these include: the rest stays excluded.
func (s *Server) SetSubscribeRules(nameOrSID, participant string, rules []signaling.Rule) (ParticipantStatus, SubscribeRules, error) {
	if err := checkRules(rules); err != nil {
		return ParticipantStatus{}, SubscribeRules{}, err
	}
	rules = slices.Clone(rules)
	return s.subscribeRules(nameOrSID, participant, func(p *peer) {
		p.rules, p.limits, p.rulesUpdated = rules, rules, time.Now()
		p.reconcile()
	})
}

func (s *Server) subscribeRules(nameOrSID, participant string, change func(*peer)) (ParticipantStatus, SubscribeRules, error) {
	status, p, err := s.present(nameOrSID, participant)
	if err != nil {
		return status, SubscribeRules{}, err
	}
	if p != nil && p.room.mesh != nil {
		return status, SubscribeRules{}, signaling.NewError(signaling.CodeSubscriptionNotSupported)
	}
	told := make(chan SubscribeRules, 1)
	if p != nil {
		if rules, ok := await(s, p, told, func() {
			change(p)
			told <- SubscribeRules{Rules: slices.Clone(p.rules), Updated: p.rulesUpdated}
		}); ok {
			return status, rules, nil
		}
	}
	return status, SubscribeRules{}, signaling.NewError(signaling.CodeParticipantNotFound)
}

// present finds a participant; the peer is nil when it has left.
func (s *Server) present(nameOrSID, participant string) (status ParticipantStatus, p *peer, err error) {
	status, err = s.participant(nameOrSID, participant, func(_ *room, m *member) { p = m.peer })
	return status, p, err
}

// await has a peer do something of which it tells the outcome. It reports false
// when the peer, or the server, has ended instead: a peer that never came to
// run when the server went down does not answer.
func await[T any](s *Server, p *peer, told <-chan T, do func()) (outcome T, ok bool) {
	if !p.post(do) {
		return outcome, false
	}
	select {
	case outcome = <-told:
		return outcome, true
	case <-s.ctx.Done():
		return outcome, false
	}
}
