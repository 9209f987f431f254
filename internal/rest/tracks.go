package rest

import (
	"errors"
	"net/http"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling"
)

// recordingRulesJSON are the recording rules of a room in answers.
type recordingRulesJSON struct {
	RoomSID     string     `json:"room_sid"`
	Rules       []ruleJSON `json:"rules"`
	DateCreated string     `json:"date_created"`
	DateUpdated string     `json:"date_updated"`
}

// subscribedTrackJSON is what a participant was made to receive, or not.
type subscribedTrackJSON struct {
	SID            string `json:"sid"`
	RoomSID        string `json:"room_sid"`
	ParticipantSID string `json:"participant_sid"`
	Status         string `json:"status"`
}

func recordingRules(room sfu.RoomStatus) recordingRulesJSON {
	return recordingRulesJSON{
		RoomSID: room.SID, Rules: rulesJSON(room.Options.Recording),
		DateCreated: date(room.Created), DateUpdated: date(room.Updated),
	}
}

// readRecordingRules answers GET /v1/Rooms/{room}/RecordingRules.
func (h *Handler) readRecordingRules(r *http.Request) (int, any, error) {
	room, ok := h.rooms.Room(r.PathValue("room"))
	if !ok {
		return 0, nil, notFound(r.URL.Path)
	}
	return http.StatusOK, recordingRules(room), nil
}

// updateRecordingRules answers POST /v1/Rooms/{room}/RecordingRules.
func (h *Handler) updateRecordingRules(r *http.Request) (int, any, error) {
	room, ok := h.rooms.Room(r.PathValue("room"))
	if !ok {
		return 0, nil, notFound(r.URL.Path)
	}
	rules, err := readRules(r.PostForm.Get("Rules"))
	if err != nil {
		return 0, nil, err
	}
	if !h.cfg.Recorded {
		return 0, nil, errNotRecorded
	}
	if room, err = h.rooms.SetRecording(room.SID, rules); err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, recordingRules(room), nil
}

// subscribe answers POST to SubscribedTracks.
func (h *Handler) subscribe(r *http.Request) (int, any, error) {
	room, ok := h.rooms.Room(r.PathValue("room"))
	if !ok {
		return 0, nil, notFound(r.URL.Path)
	}
	track, status := r.PostForm.Get("Track"), r.PostForm.Get("Status")
	if !sid.Valid(track, sid.Track) {
		return 0, nil, invalidf("Track has to be the SID of a track")
	}
	if status != "subscribe" && status != "unsubscribe" {
		return 0, nil, invalidf("Status has to be subscribe or unsubscribe")
	}
	who := r.PathValue("participant")
	participant, err := h.rooms.SetSubscribed(room.SID, who, track, status == "subscribe")
	if errors.Is(err, signaling.NewError(signaling.CodeParticipantNotFound)) {
		return 0, nil, notFound(r.URL.Path)
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, subscribedTrackJSON{
		SID: track, RoomSID: room.SID, ParticipantSID: participant, Status: status + "d",
	}, nil
}
