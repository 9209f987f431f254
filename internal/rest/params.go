package rest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// Limits of rooms, by number of participants.
const (
	ordinaryRoom = 50 // more make a room large
	smallRoom    = 4
	goRoom       = 2
	meshRoom     = 10
	largeTracks  = 16 // published at a time in a large room
)

// Limits of times.
const (
	minRoomTimeout, maxRoomTimeout = 1, 60 // minutes
	minStay, maxStay               = 600, 24 * 3600
)

// notServed are the parameters of the hosted service that this server knows
// and cannot honor. One that is not known at all is ignored, as there.
var notServed = []string{
	"TranscribeParticipantsOnConnect", "TranscriptionsConfiguration",
}

// region is the form of the names of places.
var region = regexp.MustCompile(`^[a-z]{2}[0-9]$`)

// form reads parameters and keeps the first mistake.
type form struct {
	url.Values
	err error
}

func (f *form) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// flag reads true or false.
func (f *form) flag(name string) bool {
	switch strings.ToLower(f.Get(name)) {
	case "true":
		return true
	case "", "false":
	default:
		f.fail(invalidf("%s has to be true or false", name))
	}
	return false
}

// number reads a number within bounds; 0: it is not given.
func (f *form) number(name string, least, most int, code signaling.Code) int {
	if !f.Has(name) {
		return 0
	}
	n, err := strconv.Atoi(f.Get(name))
	if err != nil || n < least || n > most {
		f.fail(signaling.Errorf(code, "%s has to be a number from %d to %d", name, least, most))
		return 0
	}
	return n
}

// roomOptions reads the parameters of a new room.
func (h *Handler) roomOptions(values url.Values) (sfu.RoomOptions, error) {
	f := &form{Values: values}
	for _, name := range notServed {
		if v := f.Get(name); v != "" && v != "false" {
			f.fail(signaling.Errorf(signaling.CodeRoomParametersIncompatible, "this server does not serve %s", name))
		}
	}
	o := sfu.RoomOptions{Name: f.Get("UniqueName"), AudioOnly: f.flag("AudioOnly"), Large: f.flag("LargeRoom")}
	o.DisableTURN = !f.flag("EnableTurn") && f.Get("EnableTurn") != "" // on, unless it is off
	h.callback(f, &o)
	h.size(f, &o)
	o.VideoCodecs = f.codecs()
	o.MediaRegion = h.region(f)
	o.EmptyTimeout = time.Minute * time.Duration(
		f.number("EmptyRoomTimeout", minRoomTimeout, maxRoomTimeout, signaling.CodeTimeoutOutOfRange))
	o.UnusedTimeout = time.Minute * time.Duration(
		f.number("UnusedRoomTimeout", minRoomTimeout, maxRoomTimeout, signaling.CodeTimeoutOutOfRange))
	o.MaxParticipantDuration = time.Second * time.Duration(
		f.number("MaxParticipantDuration", minStay, maxStay, signaling.CodeTimeoutOutOfRange))
	if f.flag("RecordParticipantsOnConnect") {
		o.Recording = []signaling.Rule{{All: true}}
	}
	if text := f.Get("RecordingRules"); text != "" {
		var err error
		if o.Recording, err = recordingGrammar.read(text); err != nil {
			f.fail(err)
		}
	}
	if o.Recording != nil && !h.cfg.Recorded {
		f.fail(errNotRecorded)
	}
	return o, f.err
}

var errNotRecorded = signaling.Errorf(signaling.CodeRoomParametersIncompatible, "this server does not record")

// size reads the type and how many participants a room of it may have.
func (h *Handler) size(f *form, o *sfu.RoomOptions) {
	o.Type = f.Get("Type")
	most, usual := h.cfg.MaxParticipants, min(ordinaryRoom, h.cfg.MaxParticipants)
	switch o.Type {
	case "", "group":
	case "group-small":
		most, usual = min(smallRoom, most), min(smallRoom, most)
	case sfu.PeerToPeer:
		most, usual = min(meshRoom, most), min(meshRoom, most)
	case "go":
		most, usual = min(goRoom, most), min(goRoom, most)
	default:
		f.fail(signaling.NewError(signaling.CodeRoomTypeInvalid))
	}
	if o.MaxParticipants = f.number("MaxParticipants", 1, most, signaling.CodeMaxParticipantsOutOfRange); o.MaxParticipants == 0 {
		o.MaxParticipants = usual
	}
	if o.MaxParticipants > ordinaryRoom {
		o.Large = true
	}
	if o.Large {
		o.MaxTracks = largeTracks
	}
}

// codecs reads the allowed video codecs; nil: all.
func (f *form) codecs() (list []media.Codec) {
	if !f.Has("VideoCodecs") {
		return nil
	}
	// A list with commas, or the parameter several times: clients do either.
	for name := range strings.SplitSeq(strings.Join(f.Values["VideoCodecs"], ","), ",") {
		c, ok := media.ParseCodec(strings.TrimSpace(name))
		if !ok || c.Kind() != media.Video || strings.Contains(name, "/") {
			f.fail(invalidf("VideoCodecs has to be a list of VP8 and H264"))
			return nil
		}
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// region reads where the room is to be: there is one place only.
func (h *Handler) region(f *form) string {
	name := f.Get("MediaRegion")
	switch {
	case name == "", name == "gll", name == h.cfg.Region:
		return h.cfg.Region
	case region.MatchString(name):
		f.fail(signaling.NewError(signaling.CodeMediaRegionUnavailable))
	default:
		f.fail(signaling.NewError(signaling.CodeMediaRegionInvalid))
	}
	return ""
}

// callback reads where the application wants to hear of the room.
func (h *Handler) callback(f *form, o *sfu.RoomOptions) {
	o.StatusCallback, o.StatusCallbackMethod = f.Get("StatusCallback"), f.Get("StatusCallbackMethod")
	if m := o.StatusCallbackMethod; m != "" && m != http.MethodPost && m != http.MethodGet {
		f.fail(signaling.NewError(signaling.CodeStatusCallbackMethodInvalid))
	}
	switch {
	case o.StatusCallback == "":
	case h.cfg.CheckCallback == nil:
		f.fail(signaling.Errorf(signaling.CodeRoomParametersIncompatible, "this server makes no status callbacks"))
	default:
		if err := h.cfg.CheckCallback(o.StatusCallback); err != nil {
			f.fail(err)
		}
	}
}
