package webhook

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Event is one status callback: RoomCreated, RoomEnded, ParticipantConnected,
// ParticipantDisconnected, TrackAdded, TrackRemoved, TrackEnabled,
// TrackDisabled, or Other for one that this package does not know.
type Event interface {
	// About tells which room, and when.
	About() Info
}

// Info is what every event tells.
type Info struct {
	Name       string // of the event: "room-created"
	AccountSID string
	RoomSID    string
	RoomName   string
	RoomType   string
	At         time.Time
	// Number counts the events of the room from 0. The hosted service warns that
	// its numbers are not the order in which things happened; those of this
	// module's server are. See Before.
	Number int
}

// About returns the info itself.
func (i Info) About() Info { return i }

// Before reports whether the event happened before another of its room: by the
// time, and of the same time by the number.
func (i Info) Before(other Info) bool {
	if !i.At.Equal(other.At) {
		return i.At.Before(other.At)
	}
	return i.Number < other.Number
}

// Participant is whom an event is about. The SID is another for each stay.
type Participant struct{ SID, Identity string }

// Track is what an event is about.
type Track struct {
	SID  string
	Name string // may be empty: the hosted service does not promise it
	Kind string // "audio", "video" or "data"
}

// The events.
type (
	// RoomCreated says that a room began.
	RoomCreated struct{ Info }
	// RoomEnded says that a room is over, and how long it was, in whole seconds.
	RoomEnded struct {
		Info
		Duration time.Duration
	}
	// ParticipantConnected says that somebody came.
	ParticipantConnected struct {
		Info
		Participant Participant
	}
	// ParticipantDisconnected says that somebody left, after how many seconds.
	ParticipantDisconnected struct {
		Info
		Participant Participant
		Duration    time.Duration
	}
	// TrackAdded says that somebody publishes a track.
	TrackAdded struct {
		Info
		Participant Participant
		Track       Track
	}
	// TrackRemoved says that a track is published no more.
	TrackRemoved struct {
		Info
		Participant Participant
		Track       Track
	}
	// TrackEnabled says that a track goes on.
	TrackEnabled struct {
		Info
		Participant Participant
		Track       Track
	}
	// TrackDisabled says that a track pauses.
	TrackDisabled struct {
		Info
		Participant Participant
		Track       Track
	}
	// Other is an event of a name that this package does not know, with all its
	// fields.
	Other struct {
		Info
		Form url.Values
	}
)

// ErrMalformed is in the errors of Parse.
var ErrMalformed = errors.New("webhook: malformed callback")

// Parse reads the form of a callback. Fields that it does not know are ignored,
// and those that an event needs are required: the error wraps ErrMalformed and
// names the field.
func Parse(form url.Values) (Event, error) {
	p := parser{form: form}
	info := Info{
		Name: p.text("StatusCallbackEvent"), AccountSID: p.text("AccountSid"), RoomSID: p.text("RoomSid"),
		RoomName: form.Get("RoomName"), RoomType: form.Get("RoomType"), At: p.moment("Timestamp"), Number: p.number("SequenceNumber"),
	}
	var who Participant
	var what Track
	switch info.Name {
	case "participant-connected", "participant-disconnected":
		who = p.participant()
	case "track-added", "track-removed", "track-enabled", "track-disabled":
		who = p.participant()
		what = Track{SID: p.text("TrackSid"), Name: form.Get("TrackName"), Kind: p.text("TrackKind")}
	}
	var e Event
	switch info.Name {
	case "room-created":
		e = RoomCreated{info}
	case "room-ended":
		e = RoomEnded{info, p.seconds("RoomDuration")}
	case "participant-connected":
		e = ParticipantConnected{info, who}
	case "participant-disconnected":
		e = ParticipantDisconnected{info, who, p.seconds("ParticipantDuration")}
	case "track-added":
		e = TrackAdded{info, who, what}
	case "track-removed":
		e = TrackRemoved{info, who, what}
	case "track-enabled":
		e = TrackEnabled{info, who, what}
	case "track-disabled":
		e = TrackDisabled{info, who, what}
	default:
		e = Other{info, form}
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

// parser keeps the first error.
type parser struct {
	form url.Values
	err  error
}

func (p *parser) fail(name string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s is %q", ErrMalformed, name, p.form[name])
	}
}

func (p *parser) text(name string) string {
	if len(p.form[name]) != 1 || p.form[name][0] == "" {
		p.fail(name)
		return ""
	}
	return p.form[name][0]
}

func (p *parser) number(name string) int {
	n, err := strconv.Atoi(p.text(name))
	if err != nil || n < 0 {
		p.fail(name)
	}
	return n
}

// maxSeconds is what still is a time.Duration.
const maxSeconds = int(1<<31 - 1)

func (p *parser) seconds(name string) time.Duration {
	n := p.number(name)
	if n > maxSeconds {
		p.fail(name)
	}
	return time.Duration(n) * time.Second
}

func (p *parser) moment(name string) time.Time {
	at, err := time.Parse(time.RFC3339, p.text(name))
	if err != nil {
		p.fail(name)
	}
	return at
}

func (p *parser) participant() Participant {
	return Participant{SID: p.text("ParticipantSid"), Identity: p.text("ParticipantIdentity")}
}
