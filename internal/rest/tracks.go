package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sid"
)

// recordingRulesJSON are the recording rules of a room in answers.
type recordingRulesJSON struct {
	RoomSID     string     `json:"room_sid"`
	Rules       []ruleJSON `json:"rules"`
	DateCreated string     `json:"date_created"`
	DateUpdated string     `json:"date_updated"`
}

// subscriptionJSON is what a participant was made to receive, or not.
type subscriptionJSON struct {
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
	rules, err := recordingGrammar.read(r.PostForm.Get("Rules"))
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
	if err != nil {
		return 0, nil, absent(r, err)
	}
	return http.StatusAccepted, subscriptionJSON{
		SID: track, RoomSID: room.SID, ParticipantSID: participant, Status: status + "d",
	}, nil
}

// trackJSON is a track in answers. Only subscribed ones tell their publisher.
type trackJSON struct {
	SID            string `json:"sid"`
	ParticipantSID string `json:"participant_sid"`
	PublisherSID   string `json:"publisher_sid,omitempty"`
	RoomSID        string `json:"room_sid"`
	Name           string `json:"name"`
	DateCreated    string `json:"date_created"`
	DateUpdated    string `json:"date_updated"`
	Enabled        bool   `json:"enabled"`
	Kind           string `json:"kind"`
	URL            string `json:"url"`
}

// The two lists of tracks below a participant.
const (
	published  = "PublishedTracks"
	subscribed = "SubscribedTracks"
)

func writeTrack(r *http.Request, p *sfu.ParticipantStatus, list string, t *sfu.TrackStatus) trackJSON {
	j := trackJSON{
		SID: t.SID, ParticipantSID: p.SID, RoomSID: p.RoomSID, Name: t.Name, Enabled: t.Enabled, Kind: string(t.Kind),
		DateCreated: date(t.Created), DateUpdated: date(t.Updated), URL: participantURL(r, p) + "/" + list + "/" + t.SID,
	}
	if list == subscribed {
		j.PublisherSID = t.PublisherSID
	}
	return j
}

// trackKey orders tracks by age.
func trackKey(t *sfu.TrackStatus) string { return fmt.Sprintf("%016x%s", t.Created.UnixNano(), t.SID) }

// trackLister lists tracks of a participant.
type trackLister func(room, participant string) (sfu.ParticipantStatus, []sfu.TrackStatus, error)

func (h *Handler) listTracks(r *http.Request, key, name string, list trackLister) (int, any, error) {
	f := &form{Values: r.Form}
	p := f.part()
	if f.err != nil {
		return 0, nil, f.err
	}
	who, tracks, err := list(r.PathValue("room"), r.PathValue("participant"))
	if err != nil {
		return 0, nil, absent(r, err)
	}
	slices.SortFunc(tracks, func(a, b sfu.TrackStatus) int { return strings.Compare(trackKey(&a), trackKey(&b)) })
	return http.StatusOK, paged(r, key, tracks, p, trackKey, func(page []sfu.TrackStatus) (items []trackJSON) {
		for i := range page {
			items = append(items, writeTrack(r, &who, name, &page[i]))
		}
		return items
	}), nil
}

func (h *Handler) readTrack(r *http.Request, name string, list trackLister) (int, any, error) {
	who, tracks, err := list(r.PathValue("room"), r.PathValue("participant"))
	if err != nil {
		return 0, nil, absent(r, err)
	}
	for i := range tracks {
		t, asked := &tracks[i], r.PathValue("track")
		// The names of what others publish are not unique.
		if t.SID == asked || t.Name == asked && name == published {
			return http.StatusOK, writeTrack(r, &who, name, t), nil
		}
	}
	return 0, nil, notFound(r.URL.Path)
}

// listPublished answers GET …/PublishedTracks.
func (h *Handler) listPublished(r *http.Request) (int, any, error) {
	return h.listTracks(r, "published_tracks", published, h.rooms.PublishedTracks)
}

// readPublished answers GET …/PublishedTracks/{track}.
func (h *Handler) readPublished(r *http.Request) (int, any, error) {
	return h.readTrack(r, published, h.rooms.PublishedTracks)
}

// listSubscribed answers GET …/SubscribedTracks.
func (h *Handler) listSubscribed(r *http.Request) (int, any, error) {
	return h.listTracks(r, "subscribed_tracks", subscribed, h.rooms.SubscribedTracks)
}

// readSubscribed answers GET …/SubscribedTracks/{track}.
func (h *Handler) readSubscribed(r *http.Request) (int, any, error) {
	return h.readTrack(r, subscribed, h.rooms.SubscribedTracks)
}
