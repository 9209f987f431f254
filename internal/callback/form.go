package callback

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/service/webhook"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

// timestamp is how moments are written, in UTC.
const timestamp = "2006-01-02T15:04:05.000Z"

// form writes a fact.
func (s *Sender) form(f *sfu.Fact) url.Values {
	room, p, t := &f.Room, &f.Participant, &f.Track
	form := url.Values{
		"AccountSid": {s.cfg.AccountSID}, "RoomName": {room.Options.Name}, "RoomSid": {room.SID},
		"RoomStatus": {"in-progress"}, "RoomType": {room.Options.Type}, "StatusCallbackEvent": {string(f.Event)},
		"Timestamp": {f.At.UTC().Format(timestamp)}, "SequenceNumber": {strconv.Itoa(f.Number)},
	}
	if f.Event == sfu.RoomEnded {
		form.Set("RoomStatus", "completed")
		form.Set("RoomDuration", seconds(room.Ended.Sub(room.Created)))
	}
	if p.SID != "" {
		form.Set("ParticipantSid", p.SID)
		form.Set("ParticipantIdentity", p.Identity)
		form.Set("ParticipantStatus", string(p.State))
	}
	if f.Event == sfu.ParticipantDisconnected {
		form.Set("ParticipantDuration", seconds(p.Left.Sub(p.Joined)))
	}
	if t.SID != "" {
		form.Set("TrackSid", t.SID)
		form.Set("TrackKind", string(t.Kind))
		form.Set("TrackName", t.Name)
	}
	return form
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// request makes the message a request, signed.
func (m *message) request(ctx context.Context, token accesstoken.Secret) (*http.Request, error) {
	if m.method == http.MethodGet {
		u, err := url.Parse(m.url)
		if err != nil {
			return nil, err
		}
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += m.form.Encode()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
		if err != nil {
			return nil, err
		}
		r.Header.Set(webhook.SignatureHeader, webhook.Sign(string(token), u.String(), nil))
		return r, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, strings.NewReader(m.form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(string(token), m.url, m.form))
	return r, nil
}
