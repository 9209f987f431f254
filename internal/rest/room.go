package rest

import (
	"net/http"
	"net/url"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// roomJSON is a room in answers.
type roomJSON struct {
	SID                    string            `json:"sid"`
	Status                 string            `json:"status"`
	DateCreated            string            `json:"date_created"`
	DateUpdated            string            `json:"date_updated"`
	AccountSID             string            `json:"account_sid"`
	EnableTURN             bool              `json:"enable_turn"`
	UniqueName             string            `json:"unique_name"`
	StatusCallback         *string           `json:"status_callback"`
	StatusCallbackMethod   string            `json:"status_callback_method"`
	EndTime                *string           `json:"end_time"`
	Duration               *int              `json:"duration"`
	Type                   string            `json:"type"`
	MaxParticipants        int               `json:"max_participants"`
	MaxParticipantDuration int               `json:"max_participant_duration"`
	MaxConcurrentTracks    int               `json:"max_concurrent_published_tracks"`
	Record                 bool              `json:"record_participants_on_connect"`
	VideoCodecs            []string          `json:"video_codecs"`
	MediaRegion            string            `json:"media_region"`
	AudioOnly              bool              `json:"audio_only"`
	EmptyRoomTimeout       int               `json:"empty_room_timeout"`
	UnusedRoomTimeout      int               `json:"unused_room_timeout"`
	LargeRoom              bool              `json:"large_room"`
	URL                    string            `json:"url"`
	Links                  map[string]string `json:"links"`
}

// The states of a room.
const (
	statusInProgress = "in-progress"
	statusCompleted  = "completed"
	statusFailed     = "failed"
)

// createRoom answers POST /v1/Rooms.
func (h *Handler) createRoom(r *http.Request) (int, any, error) {
	options, err := h.roomOptions(r.PostForm)
	if err != nil {
		return 0, nil, err
	}
	room, err := h.rooms.OpenRoom(options)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, h.room(r, room), nil
}

// listRooms answers GET /v1/Rooms.
func (h *Handler) listRooms(r *http.Request) (int, any, error) {
	f := &form{Values: r.Form}
	p := f.part()
	filter := sfu.RoomFilter{Name: f.Get("UniqueName"), Since: f.date("DateCreatedAfter"), Before: f.date("DateCreatedBefore")}
	status := f.oneOf("Status", statusInProgress, statusCompleted, statusFailed)
	if f.err != nil {
		return 0, nil, f.err
	}
	filter.Ended = status == statusCompleted
	var list []sfu.RoomRef
	if status != statusFailed { // no room ever does
		list = h.rooms.FindRooms(filter)
	}
	return http.StatusOK, paged(r, "rooms", list, p, func(ref *sfu.RoomRef) string { return newest(ref.Number) },
		func(page []sfu.RoomRef) (items []roomJSON) {
			for _, ref := range page {
				// One that ended just now is no longer in the list.
				if room, ok := h.rooms.Room(ref.SID); ok && room.Ended.IsZero() != filter.Ended {
					items = append(items, h.room(r, room))
				}
			}
			return items
		}), nil
}

// readRoom answers GET /v1/Rooms/{room}.
func (h *Handler) readRoom(r *http.Request) (int, any, error) {
	room, ok := h.rooms.Room(r.PathValue("room"))
	if !ok {
		return 0, nil, notFound(r.URL.Path)
	}
	return http.StatusOK, h.room(r, room), nil
}

// updateRoom answers POST /v1/Rooms/{room}.
func (h *Handler) updateRoom(r *http.Request) (int, any, error) {
	room, ok := h.rooms.Room(r.PathValue("room"))
	if !ok {
		return 0, nil, notFound(r.URL.Path)
	}
	if status := r.PostForm.Get("Status"); status != statusCompleted {
		return 0, nil, signaling.Errorf(signaling.CodeStatusInvalid, "Status can only be set to completed")
	}
	if !room.Ended.IsZero() {
		return 0, nil, signaling.Errorf(signaling.CodeStatusInvalid, "the room is completed already")
	}
	room, err := h.rooms.CompleteRoom(room.SID)
	if err != nil { // by somebody else, just now
		return 0, nil, signaling.Errorf(signaling.CodeStatusInvalid, "the room is completed already")
	}
	return http.StatusAccepted, h.room(r, room), nil
}

func (h *Handler) room(r *http.Request, room sfu.RoomStatus) roomJSON {
	o := &room.Options
	self := base(r) + "/v1/Rooms/" + url.PathEscape(room.SID)
	j := roomJSON{
		SID: room.SID, Status: statusInProgress, AccountSID: h.cfg.AccountSID, EnableTURN: !o.DisableTURN, UniqueName: o.Name,
		DateCreated: date(room.Created), DateUpdated: date(room.Updated), StatusCallbackMethod: o.StatusCallbackMethod,
		Type: o.Type, MaxParticipants: o.MaxParticipants, MaxConcurrentTracks: o.MaxTracks,
		MaxParticipantDuration: int(o.MaxParticipantDuration / time.Second),
		Record:                 len(o.Recording) > 0 && !o.Recording[0].Exclude,
		VideoCodecs:            []string{}, MediaRegion: o.MediaRegion, AudioOnly: o.AudioOnly, LargeRoom: o.Large,
		EmptyRoomTimeout:  int(o.EmptyTimeout / time.Minute),
		UnusedRoomTimeout: int(o.UnusedTimeout / time.Minute),
		URL:               self,
		Links: map[string]string{
			"participants": self + "/Participants", "recordings": self + "/Recordings",
			"recording_rules": self + "/RecordingRules", "transcriptions": self + "/Transcriptions",
		},
	}
	if o.StatusCallback != "" {
		j.StatusCallback = &o.StatusCallback
	}
	codecs := o.VideoCodecs
	if codecs == nil {
		codecs = []media.Codec{media.H264, media.VP8}
	}
	for _, c := range codecs {
		j.VideoCodecs = append(j.VideoCodecs, string(c))
	}
	if !room.Ended.IsZero() {
		end, seconds := date(room.Ended), int(room.Ended.Sub(room.Created)/time.Second)
		j.Status, j.EndTime, j.Duration = statusCompleted, &end, &seconds
	}
	return j
}

// base is the address that the client used.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }
