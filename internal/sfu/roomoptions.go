package sfu

import (
	"net/http"
	"slices"
	"time"

	"github.com/parley-rtc/parley/internal/names"
	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// RoomOptions say what a room is to be like. The zero value is a room like
// those that come into being by themselves.
type RoomOptions struct {
	Name string // unique among the rooms in progress; empty: the SID
	// Type is what the room is called a kind of; empty: the server's. See Group
	// and PeerToPeer.
	Type            string
	MaxParticipants int // 0: the server's; in peer-to-peer rooms 10 at most
	// VideoCodecs are the ones that may be negotiated; nil: all.
	VideoCodecs []media.Codec
	// AudioOnly refuses video, with code 53125.
	AudioOnly bool
	// Large hides participants that publish nothing from the others.
	Large bool
	// DisableTURN leaves out the ICE servers of OfferRelay.
	DisableTURN bool
	// MaxTracks is how many tracks may be published at a time by all
	// participants together; 0: any number.
	MaxTracks int
	// MediaRegion is the name of the place, for clients that show it; empty:
	// the server's.
	MediaRegion string
	// EmptyTimeout is how long the room stays when the last participant has
	// left, UnusedTimeout when nobody came; 0: the server's EmptyRoomTimeout.
	EmptyTimeout, UnusedTimeout time.Duration
	// MaxParticipantDuration is how long anybody may stay; 0: the server's.
	MaxParticipantDuration time.Duration
	// StatusCallback is a web address that is told of what happens, with
	// StatusCallbackMethod, POST or GET; empty: none. The server only passes
	// them on with its facts: see Config.Tell.
	StatusCallback, StatusCallbackMethod string
	// Recording are the rules that choose what is recorded. The server itself
	// records nothing: it tells the participants whether the rules choose any
	// of the published tracks.
	Recording []signaling.Rule
}

func (o *RoomOptions) setDefaults(c *Config) {
	fill(&o.Type, c.DefaultRoomType)
	fill(&o.MaxParticipants, c.MaxParticipants)
	if o.Type == PeerToPeer {
		o.MaxParticipants = min(o.MaxParticipants, maxPeerToPeer)
	}
	fill(&o.EmptyTimeout, c.EmptyRoomTimeout)
	fill(&o.UnusedTimeout, c.EmptyRoomTimeout)
	fill(&o.MaxParticipantDuration, c.MaxParticipantDuration)
	fill(&o.StatusCallbackMethod, http.MethodPost)
	switch {
	case o.Type == PeerToPeer:
		o.MediaRegion = "" // there is none
	case o.MediaRegion == "":
		o.MediaRegion = c.Region
	}
}

// RoomStatus is a room as it is known from outside.
type RoomStatus struct {
	SID              string
	Number           uint64      // grows with each room that is made
	Options          RoomOptions // with the defaults filled in
	Created, Updated time.Time
	Ended            time.Time // zero: in progress
}

// endedRooms is how many completed rooms are remembered.
const endedRooms = 1000

// OpenRoom makes a room that stays until it is completed, or nobody is in it
// for one of its timeouts.
func (s *Server) OpenRoom(o RoomOptions) (RoomStatus, error) {
	o.setDefaults(&s.cfg)
	if o.Name != "" {
		if err := names.Room(o.Name); err != nil {
			return RoomStatus{}, err
		}
		if sid.Valid(o.Name, sid.Room) {
			return RoomStatus{}, signaling.Errorf(signaling.CodeRoomNameInvalid, "a room's name cannot look like a SID")
		}
	}
	if err := checkRules(o.Recording); err != nil {
		return RoomStatus{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lookup(o.Name) != nil {
		return RoomStatus{}, signaling.NewError(signaling.CodeRoomExists)
	}
	_, made, refusal := s.addRoom(o, false)
	if refusal != nil {
		return RoomStatus{}, refusal
	}
	return made, nil
}

// CreateRoom makes a room that stays until it is completed, or unused for the
// EmptyRoomTimeout. A capacity of 0 is the server's.
func (s *Server) CreateRoom(name string, capacity int) (roomSID string, err error) {
	info, err := s.OpenRoom(RoomOptions{Name: name, MaxParticipants: capacity})
	return info.SID, err
}

// Room returns a room in progress by its name or SID, or one of the last that
// were completed by its SID.
func (s *Server) Room(nameOrSID string) (RoomStatus, bool) {
	s.mu.Lock()
	r := s.lookup(nameOrSID)
	ended, known := s.ended[nameOrSID]
	s.mu.Unlock()
	if r == nil {
		return ended.status, known
	}
	var info RoomStatus
	if !r.do(func() { info = r.info() }) {
		<-r.gone
		info = r.info()
	}
	return info, true
}

// CompleteRoom ends a room in progress: everybody in it is told that it was
// completed. The error is [signaling.CodeRoomNotFound] when there is none.
func (s *Server) CompleteRoom(nameOrSID string) (RoomStatus, error) {
	r, err := s.inProgress(nameOrSID)
	if err != nil {
		return RoomStatus{}, err
	}
	r.complete()
	<-r.gone
	return r.info(), nil
}

// SetRecording replaces the recording rules of a room in progress.
func (s *Server) SetRecording(nameOrSID string, rules []signaling.Rule) (RoomStatus, error) {
	if err := checkRules(rules); err != nil {
		return RoomStatus{}, err
	}
	r, err := s.inProgress(nameOrSID)
	if err != nil {
		return RoomStatus{}, err
	}
	var info RoomStatus
	if !r.do(func() {
		r.rules, r.updated = slices.Clone(rules), time.Now()
		r.indicateRecording()
		info = r.info()
	}) {
		return RoomStatus{}, errRoomGone
	}
	return info, nil
}

// SetSubscribed makes a participant, named by its SID or identity, receive a
// track or not, whatever its rules said of it before. What it is not to receive
// it does not receive by rules of its own either. It returns the participant's
// SID. The error has the code [signaling.CodeRoomNotFound],
// [signaling.CodeParticipantNotFound] or, for the track,
// [signaling.CodeNotFound].
func (s *Server) SetSubscribed(nameOrSID, participant, trackSID string, wanted bool) (participantSID string, err error) {
	r, err := s.inProgress(nameOrSID)
	if err != nil {
		return "", err
	}
	if r.mesh != nil {
		return "", signaling.NewError(signaling.CodeSubscriptionNotSupported)
	}
	var p *peer
	var published bool
	if !r.do(func() {
		for _, m := range r.members {
			if m.sid == participant || m.identity == participant {
				p = m.peer
			}
			published = published || slices.ContainsFunc(m.tracks, func(t track) bool { return t.sid == trackSID })
		}
	}) {
		return "", errRoomGone
	}
	switch {
	case p == nil:
		return "", signaling.NewError(signaling.CodeParticipantNotFound)
	case !published:
		return "", signaling.Errorf(signaling.CodeNotFound, "nobody publishes the track %.40q", trackSID)
	case !p.post(func() { p.setSubscribed(trackSID, wanted) }):
		return "", signaling.NewError(signaling.CodeParticipantNotFound)
	}
	return p.sid, nil
}

// setSubscribed puts a rule for the track behind all others.
func (p *peer) setSubscribed(trackSID string, wanted bool) {
	rule := signaling.Rule{Track: trackSID, Exclude: !wanted}
	p.rules, p.rulesUpdated = p.amend(p.rules, rule), time.Now()
	if p.limits == nil {
		p.limits = everything
	}
	p.limits = p.amend(p.limits, rule)
	p.reconcile()
}

// amend returns the rules with one more behind them, in place of an older one
// for its track and without those for tracks that are gone.
func (p *peer) amend(rules []signaling.Rule, rule signaling.Rule) []signaling.Rule {
	rules = slices.DeleteFunc(slices.Clone(rules), func(r signaling.Rule) bool {
		own := r == signaling.Rule{Track: rule.Track, Exclude: r.Exclude}
		return own || r.Track != "" && sid.Valid(r.Track, sid.Track) && !p.roster.has(r.Track)
	})
	return append(rules, rule)
}

func (s *roster) has(trackSID string) bool {
	return slices.ContainsFunc(s.offers, func(o Offer) bool { return o.SID == trackSID })
}

func (s *Server) inProgress(nameOrSID string) (*room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.lookup(nameOrSID); r != nil {
		return r, nil
	}
	return nil, errRoomGone
}

// remember keeps what is known of a completed room. It is called with the lock
// held.
func (s *Server) remember(room endedRoom) {
	if len(s.order) == endedRooms {
		delete(s.ended, s.order[0])
		s.order = slices.Delete(s.order, 0, 1)
	}
	s.ended[room.status.SID] = room
	s.order = append(s.order, room.status.SID)
}

// indicateRecording tells everybody when recording begins or ends. It runs in
// the room's turn.
func (r *room) indicateRecording() {
	active := false
	if len(r.rules) > 0 {
		offers := r.roster().offers
		for i, chosen := range Evaluate(r.rules, offers, "") {
			active = active || chosen && offers[i].Kind != signaling.KindData
		}
	}
	if active == r.recording.Active {
		return
	}
	r.recording.Active = active
	r.recording.Revision++
	told := r.recording
	for _, m := range r.members {
		p := m.peer
		p.post(func() { p.hearRecording(told) })
	}
}

func (p *peer) hearRecording(rec signaling.Recording) {
	if rec.Revision > p.recording.Revision {
		p.recording, p.recordingDirty = rec, true
	}
}

// info is what is known of the room from outside. It is called in the room's
// turn, or after it or before it has begun.
func (r *room) info() RoomStatus {
	info := RoomStatus{SID: r.sid, Number: r.number, Options: r.opts, Created: r.created, Updated: r.updated, Ended: r.ended}
	info.Options.Name, info.Options.Recording = r.name, r.rules
	return info
}

// countTrack counts one more published track, or refuses it. The goroutines of
// all participants use it.
func (r *room) countTrack() bool {
	most := r.opts.MaxTracks
	if most == 0 {
		return true
	}
	if int(r.published.Add(1)) <= most {
		return true
	}
	r.published.Add(-1)
	return false
}

func (r *room) uncountTrack() {
	if r.opts.MaxTracks != 0 {
		r.published.Add(-1)
	}
}
