package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
)

// printer prints what happens in a room, a line for each fact.
type printer struct {
	w    io.Writer
	json bool

	mu sync.Mutex // a line at a time
}

// line is one fact. Empty fields are left out.
type line struct {
	Time        string `json:"time"`
	Event       string `json:"event"`
	Room        string `json:"room,omitempty"`
	Participant string `json:"participant,omitempty"`
	Kind        string `json:"kind,omitempty"`
	Track       string `json:"track,omitempty"`
	SID         string `json:"sid,omitempty"`
	Codec       string `json:"codec,omitempty"`
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
	Text        string `json:"text,omitempty"`
	Bytes       int    `json:"bytes,omitempty"`
	Dropped     int    `json:"dropped,omitempty"`
	Level       *int   `json:"level,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Path        string `json:"path,omitempty"`
	Error       string `json:"error,omitempty"`
}

func (p *printer) print(l line) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		l.Time = now.UTC().Format(time.RFC3339Nano)
		data, err := json.Marshal(l)
		if err != nil {
			return // texts and numbers always can be
		}
		fmt.Fprintf(p.w, "%s\n", data)
		return
	}
	fmt.Fprintf(p.w, "%s %s\n", now.Format("15:04:05.000"), l)
}

// String is the fact for a person. Names and texts come from strangers: what
// would move the cursor is quoted.
func (l line) String() string {
	var b strings.Builder
	b.WriteString(l.Event)
	for _, part := range []struct{ label, text string }{
		{"", l.Room}, {"", l.Participant}, {"", l.Kind}, {"", l.Track}, {"", l.SID}, {"", l.Codec},
	} {
		if part.text != "" {
			b.WriteString(" " + plain(part.text))
		}
	}
	if l.Width != 0 {
		fmt.Fprintf(&b, " %dx%d", l.Width, l.Height)
	}
	if l.Bytes != 0 {
		fmt.Fprintf(&b, " %d bytes", l.Bytes)
	}
	if l.Level != nil {
		fmt.Fprintf(&b, " level %d", *l.Level)
	}
	if l.Reason != "" {
		fmt.Fprintf(&b, " (%s)", plain(l.Reason))
	}
	if l.Text != "" {
		fmt.Fprintf(&b, ": %s", plain(l.Text))
	}
	if l.Path != "" {
		b.WriteString(" " + l.Path)
	}
	if l.Error != "" {
		fmt.Fprintf(&b, ": %s", plain(l.Error))
	}
	if l.Dropped != 0 {
		fmt.Fprintf(&b, " (%d before it were not read in time)", l.Dropped)
	}
	return b.String()
}

func plain(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Sprintf("%q", text)
	}
	return text
}

func (p *printer) joined(r *parley.Room) {
	p.print(line{Event: "Connected", Room: r.Name(), SID: r.SID(), Participant: r.LocalParticipant().Identity()})
}

func (p *printer) recorded(path string) { p.print(line{Event: "Recorded", Path: path}) }

// messages prints the messages until the room ends.
func (p *printer) messages(ch <-chan parley.TrackMessage) {
	for m := range ch {
		l := line{Event: "Message", Participant: m.Participant.Identity(), Track: m.Track.Name(), Dropped: m.Dropped}
		if m.Text {
			l.Text = string(m.Data)
		} else {
			l.Bytes = len(m.Data)
		}
		p.print(l)
	}
}

// event prints an event: its name, and what its fields say.
func (p *printer) event(ev parley.Event) {
	v := reflect.ValueOf(ev)
	l := line{Event: v.Type().Name()}
	for i := range v.NumField() {
		l.field(v.Type().Field(i).Name, v.Field(i).Interface())
	}
	p.print(l)
}

func (l *line) field(name string, value any) {
	switch v := value.(type) {
	case *parley.RemoteParticipant:
		if v != nil { // nobody speaks
			l.Participant = v.Identity()
		}
	case *parley.RemoteTrackPublication:
		l.Kind, l.Track, l.SID = string(v.Kind()), v.TrackName(), v.TrackSID()
	case *parley.LocalTrackPublication:
		l.Kind, l.Track, l.SID = string(v.Kind()), v.TrackName(), v.TrackSID()
	case parley.RemoteTrack:
		l.field("", v.Publication())
		if c, ok := v.(interface{ Codec() media.Codec }); ok {
			l.Codec = string(c.Codec())
		}
	case parley.LocalTrack:
		l.Kind, l.Track = string(v.Kind()), v.Name()
	case parley.DisconnectReason:
		l.Reason = string(v)
	case parley.Priority:
		l.Reason = string(v)
	case error:
		l.Error = oneLine(v)
	case int:
		switch name {
		case "Width":
			l.Width = v
		case "Height":
			l.Height = v
		case "Level":
			l.Level = &v
		case "Messages":
			l.Dropped = v
		}
	case string:
		switch name {
		case "Name":
			l.Reason = v
		case "Text":
			l.Text = v
		case "SID", "Participant":
			l.SID = v
		}
	}
}
