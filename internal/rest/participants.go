package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling"
)

// codeParticipantStatus is that of a status that a participant cannot get.
const codeParticipantStatus = 53209

// participantJSON is a participant in answers.
type participantJSON struct {
	SID         string            `json:"sid"`
	RoomSID     string            `json:"room_sid"`
	AccountSID  string            `json:"account_sid"`
	Status      string            `json:"status"`
	Identity    string            `json:"identity"`
	DateCreated string            `json:"date_created"`
	DateUpdated string            `json:"date_updated"`
	StartTime   string            `json:"start_time"`
	EndTime     *string           `json:"end_time"`
	Duration    *int              `json:"duration"`
	URL         string            `json:"url"`
	Links       map[string]string `json:"links"`
}

func (h *Handler) participant(r *http.Request, p *sfu.ParticipantStatus) participantJSON {
	self := participantURL(r, p)
	j := participantJSON{
		SID: p.SID, RoomSID: p.RoomSID, AccountSID: h.cfg.AccountSID, Status: string(p.State), Identity: p.Identity,
		DateCreated: date(p.Joined), DateUpdated: date(p.Updated), StartTime: date(p.Joined), URL: self,
		Links: map[string]string{
			"published_tracks": self + "/PublishedTracks", "subscribed_tracks": self + "/SubscribedTracks",
			"subscribe_rules": self + "/SubscribeRules", "anonymize": self + "/Anonymize",
		},
	}
	if !p.Left.IsZero() {
		end, seconds := date(p.Left), int(p.Left.Sub(p.Joined)/time.Second)
		j.EndTime, j.Duration = &end, &seconds
	}
	return j
}

func participantURL(r *http.Request, p *sfu.ParticipantStatus) string {
	return base(r) + "/v1/Rooms/" + url.PathEscape(p.RoomSID) + "/Participants/" + p.SID
}

// listParticipants answers GET /v1/Rooms/{room}/Participants.
func (h *Handler) listParticipants(r *http.Request) (int, any, error) {
	f := &form{Values: r.Form}
	p := f.part()
	status := f.oneOf("Status", string(signaling.StateConnected), string(signaling.StateReconnecting), string(signaling.StateDisconnected))
	identity, since, before := f.Get("Identity"), f.date("DateCreatedAfter"), f.date("DateCreatedBefore")
	if f.err != nil {
		return 0, nil, f.err
	}
	name := r.PathValue("room")
	room, ok := h.rooms.Room(name)
	if !ok {
		return 0, nil, notFound(r.URL.Path)
	}
	list, _ := h.rooms.Attendance(room.SID)
	if status == "" {
		status = string(signaling.StateConnected)
		if !room.Ended.IsZero() {
			status = string(signaling.StateDisconnected)
		}
	}
	list = slices.DeleteFunc(list, func(s sfu.ParticipantStatus) bool {
		return string(s.State) != status || identity != "" && s.Identity != identity ||
			s.Joined.Before(since) || !before.IsZero() && !s.Joined.Before(before)
	})
	return http.StatusOK, paged(r, "participants", list, p, func(s *sfu.ParticipantStatus) string { return newest(s.Number) },
		func(page []sfu.ParticipantStatus) (items []participantJSON) {
			for i := range page {
				items = append(items, h.participant(r, &page[i]))
			}
			return items
		}), nil
}

// newest is a key that is the smaller the larger the number is.
func newest(number uint64) string { return fmt.Sprintf("%016x", ^number) }

// readParticipant answers GET /v1/Rooms/{room}/Participants/{participant}.
func (h *Handler) readParticipant(r *http.Request) (int, any, error) {
	p, err := h.rooms.Participant(r.PathValue("room"), r.PathValue("participant"))
	if err != nil {
		return 0, nil, absent(r, err)
	}
	return http.StatusOK, h.participant(r, &p), nil
}

// updateParticipant answers POST /v1/Rooms/{room}/Participants/{participant}.
func (h *Handler) updateParticipant(r *http.Request) (int, any, error) {
	room, who := r.PathValue("room"), r.PathValue("participant")
	if _, err := h.rooms.Participant(room, who); err != nil {
		return 0, nil, absent(r, err)
	}
	if r.PostForm.Get("Status") != string(signaling.StateDisconnected) {
		return 0, nil, signaling.Errorf(codeParticipantStatus, "Status can only be set to disconnected")
	}
	p, was, err := h.rooms.Expel(room, who)
	switch {
	case err != nil:
		return 0, nil, absent(r, err)
	case !was:
		return 0, nil, signaling.Errorf(codeParticipantStatus, "the participant is disconnected already")
	}
	return http.StatusAccepted, h.participant(r, &p), nil
}

// subscribeRulesJSON are the subscribe rules of a participant in answers.
type subscribeRulesJSON struct {
	ParticipantSID string     `json:"participant_sid"`
	RoomSID        string     `json:"room_sid"`
	Rules          []ruleJSON `json:"rules"`
	DateCreated    string     `json:"date_created"`
	DateUpdated    string     `json:"date_updated"`
}

func subscribeRules(p *sfu.ParticipantStatus, s sfu.SubscribeRules) subscribeRulesJSON {
	return subscribeRulesJSON{
		ParticipantSID: p.SID, RoomSID: p.RoomSID, Rules: rulesJSON(s.Rules),
		DateCreated: date(p.Joined), DateUpdated: date(s.Updated),
	}
}

// readSubscribeRules answers GET …/SubscribeRules.
func (h *Handler) readSubscribeRules(r *http.Request) (int, any, error) {
	p, rules, err := h.rooms.SubscribeRules(r.PathValue("room"), r.PathValue("participant"))
	if err != nil {
		return 0, nil, absent(r, err)
	}
	return http.StatusOK, subscribeRules(&p, rules), nil
}

// updateSubscribeRules answers POST …/SubscribeRules.
func (h *Handler) updateSubscribeRules(r *http.Request) (int, any, error) {
	room, who := r.PathValue("room"), r.PathValue("participant")
	if _, err := h.rooms.Participant(room, who); err != nil {
		return 0, nil, absent(r, err)
	}
	rules, err := subscribeGrammar.read(r.PostForm.Get("Rules"))
	if err != nil {
		return 0, nil, err
	}
	p, set, err := h.rooms.SetSubscribeRules(room, who, rules)
	if err != nil {
		return 0, nil, absent(r, err)
	}
	return http.StatusAccepted, subscribeRules(&p, set), nil
}
