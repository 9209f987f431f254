package rest

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/parley-rtc/parley/internal/sfu"
)

// maxExceptions is how many may be spared when all are muted.
const maxExceptions = 100

// signalJSON is a signal that was sent.
type signalJSON struct {
	RoomSID string `json:"room_sid"`
	Type    string `json:"type"`
	Data    string `json:"data"`
	To      string `json:"to,omitempty"`
}

// muteJSON says whether all are muted.
type muteJSON struct {
	RoomSID string   `json:"room_sid"`
	Active  bool     `json:"active"`
	Except  []string `json:"except"`
}

// signal answers POST /v1/Rooms/{room}/Signals.
func (h *Handler) signal(r *http.Request) (int, any, error) {
	room, ok := h.rooms.Room(r.PathValue("room"))
	if !ok {
		return 0, nil, notFound(r.URL.Path)
	}
	s := signalJSON{RoomSID: room.SID, Type: r.PostForm.Get("Type"), Data: r.PostForm.Get("Data"), To: r.PostForm.Get("To")}
	if !r.PostForm.Has("Type") && !r.PostForm.Has("Data") {
		return 0, nil, invalidf("a signal has a Type, or Data, or both")
	}
	if r.PostForm.Has("To") && s.To == "" {
		return 0, nil, invalidf("To has to be the identity or SID of a participant")
	}
	if err := h.rooms.Signal(room.SID, s.Type, s.Data, s.To); err != nil {
		return 0, nil, absent(r, err)
	}
	return http.StatusAccepted, s, nil
}

// mute answers POST /v1/Rooms/{room}/Mute.
func (h *Handler) mute(r *http.Request) (int, any, error) {
	room, ok := h.rooms.Room(r.PathValue("room"))
	if !ok {
		return 0, nil, notFound(r.URL.Path)
	}
	m := muteJSON{RoomSID: room.SID, Except: []string{}}
	switch r.PostForm.Get("Active") {
	case "true":
		m.Active = true
	case "false":
	default:
		return 0, nil, invalidf("Active has to be true or false")
	}
	if r.PostForm.Has("Except") {
		if err := json.Unmarshal([]byte(r.PostForm.Get("Except")), &m.Except); err != nil || m.Except == nil ||
			len(m.Except) > maxExceptions || slices.Contains(m.Except, "") {
			return 0, nil, invalidf("Except has to be a JSON list of at most %d identities and SIDs", maxExceptions)
		}
	}
	var err error
	if m.Active {
		err = h.rooms.MuteAll(room.SID, m.Except...)
	} else {
		err = h.rooms.ClearMute(room.SID)
	}
	if err != nil {
		return 0, nil, absent(r, err)
	}
	return http.StatusAccepted, m, nil
}

// updatePublished answers POST …/PublishedTracks/{track}.
func (h *Handler) updatePublished(r *http.Request) (int, any, error) {
	who, tracks, err := h.rooms.PublishedTracks(r.PathValue("room"), r.PathValue("participant"))
	if err != nil {
		return 0, nil, absent(r, err)
	}
	asked := r.PathValue("track")
	i := slices.IndexFunc(tracks, func(t sfu.TrackStatus) bool { return t.SID == asked || t.Name == asked })
	if i < 0 {
		return 0, nil, notFound(r.URL.Path)
	}
	t := &tracks[i]
	switch r.PostForm.Get("Status") {
	case "muted":
		err = h.rooms.Mute(who.RoomSID, t.SID)
		t.Enabled = false
	case "unpublished":
		err = h.rooms.Unpublish(who.RoomSID, t.SID)
	default:
		err = invalidf("Status has to be muted or unpublished")
	}
	if err != nil {
		return 0, nil, absent(r, err)
	}
	return http.StatusAccepted, writeTrack(r, &who, published, t), nil
}
