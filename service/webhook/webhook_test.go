package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/callback"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/service/webhook"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const authToken = "0123456789abcdef0123456789abcdef"

func TestTR23Signatures(t *testing.T) {
	form := url.Values{
		"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+12349013030"}, "Digits": {"1234"},
		"From": {"+12349013030"}, "To": {"+18005551212"},
	}
	const address = "https://mycompany.com/myapp.php?foo=1&bar=2"
	require.Equal(t, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=", webhook.Sign("12345", address, form))
	form.Set("Caller", "+14158675309")
	form.Set("From", "+14158675309")
	require.Equal(t, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", webhook.Sign("12345", address, form))
	require.True(t, webhook.Verify("12345", address, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8="))
	require.False(t, webhook.Verify("12345", address, form, "0/KCTR6DLpKmkAf8muzZqo1nDgQ="))
	require.False(t, webhook.Verify("12346", address, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8="))
}

// A server's room is followed by the callbacks that it sends.
func TestReceiverFollowsARoom(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		t.Run(method, func(t *testing.T) {
			events := make(chan webhook.Event, 20)
			var presence webhook.Presence
			var tries atomic.Int32
			app := httptest.NewServer(&webhook.Receiver{AuthToken: authToken, Handle: func(_ context.Context, e webhook.Event) error {
				if tries.Add(1) == 1 { // the server says it again
					return errors.New("not now")
				}
				events <- e
				return presence.Apply(e)
			}})
			defer app.Close()
			key := accesstoken.NewKey()
			told := callback.New(callback.Config{AccountSID: key.AccountSID, AuthToken: authToken, AllowLoopback: true})
			srv, err := sfu.New(sfu.Config{
				AccountSID: key.AccountSID, Keys: map[string]accesstoken.Secret{key.SID: key.Secret},
				Media: sfu.Media{Loopback: true}, Tell: told.Tell,
			})
			require.NoError(t, err)
			web := httptest.NewServer(srv)
			defer web.Close()
			defer srv.Close()

			room, err := srv.OpenRoom(sfu.RoomOptions{Name: "demo & more", StatusCallback: app.URL + "/hook?a=b", StatusCallbackMethod: method})
			require.NoError(t, err)
			token, err := accesstoken.Token{Identity: "alice"}.Sign(key)
			require.NoError(t, err)
			transport := rsp.NewTransport(rsp.Options{URL: "ws" + strings.TrimPrefix(web.URL, "http") + "/signaling"})
			chat := signaling.LocalTrack{ID: "1", Kind: signaling.KindData, Name: "chat", Enabled: true}
			session, err := transport.Dial(t.Context(), signaling.Join{
				Token: token, Room: room.SID, Participant: signaling.LocalParticipant{Revision: 1, Tracks: []signaling.LocalTrack{chat}},
			})
			require.NoError(t, err)
			alice := webhook.Participant{SID: session.Initial().Participant.SID, Identity: "alice"}

			about := func(e webhook.Event, number int) {
				t.Helper()
				i := e.About()
				require.Equal(t, []any{key.AccountSID, room.SID, "demo & more", "group", number},
					[]any{i.AccountSID, i.RoomSID, i.RoomName, i.RoomType, i.Number})
				require.WithinDuration(t, time.Now(), i.At, time.Minute)
			}
			created := expect[webhook.RoomCreated](t, events)
			about(created, 0)
			came := expect[webhook.ParticipantConnected](t, events)
			about(came, 1)
			require.Equal(t, alice, came.Participant)
			require.True(t, created.Before(came.Info))
			added := expect[webhook.TrackAdded](t, events)
			require.Equal(t, alice, added.Participant)
			require.Equal(t, []string{"chat", "data"}, []string{added.Track.Name, added.Track.Kind})

			chat.Enabled = false
			require.NoError(t, session.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: 2, Tracks: []signaling.LocalTrack{chat}}}))
			require.Equal(t, added.Track, expect[webhook.TrackDisabled](t, events).Track)
			here := []webhook.ParticipantPresence{{Participant: alice, Tracks: []webhook.TrackPresence{{Track: added.Track}}}}
			require.Eventually(t, func() bool { // the handler applies what it has just told us
				now, ok := presence.Room("demo & more")
				return ok && len(now.Participants) == 1 && !now.Participants[0].Tracks[0].Enabled
			}, 10*time.Second, time.Millisecond)
			require.Equal(t, []webhook.RoomPresence{{SID: room.SID, Name: "demo & more", Type: "group", Participants: here}}, presence.Rooms())

			require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
			expect[webhook.TrackRemoved](t, events)
			require.Equal(t, alice, expect[webhook.ParticipantDisconnected](t, events).Participant)
			_, err = srv.CompleteRoom(room.SID)
			require.NoError(t, err)
			require.Less(t, expect[webhook.RoomEnded](t, events).Duration, time.Minute)
			require.NoError(t, told.Close(t.Context()))
			require.Empty(t, events)
			require.Empty(t, presence.Rooms())
		})
	}
}

func expect[T webhook.Event](t *testing.T, events <-chan webhook.Event) T {
	t.Helper()
	select {
	case e := <-events:
		require.IsType(t, *new(T), e)
		return e.(T)
	case <-time.After(30 * time.Second):
		require.Fail(t, "nothing came")
	}
	panic("unreachable")
}

func good() url.Values {
	return url.Values{
		"StatusCallbackEvent": {"track-added"}, "AccountSid": {"AC1"}, "RoomSid": {"RM1"}, "RoomName": {"lab"}, "RoomType": {"group"},
		"Timestamp": {"2026-11-23T04:05:06.789Z"}, "SequenceNumber": {"7"}, "ParticipantSid": {"PA1"}, "ParticipantIdentity": {"alice"},
		"TrackSid": {"MT1"}, "TrackKind": {"audio"},
	}
}

func post(address string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(authToken, address, form))
	return r
}

func TestReceiverRefuses(t *testing.T) {
	const address = "http://app.example/hook?a=b"
	change := func(name string, values ...string) *http.Request {
		form := good()
		form[name] = values
		return post(address, form)
	}
	ended := func(duration string) *http.Request {
		form := good()
		form.Set("StatusCallbackEvent", "room-ended")
		form.Set("RoomDuration", duration)
		return post(address, form)
	}
	with := func(r *http.Request, f func(*http.Request)) *http.Request {
		f(r)
		return r
	}
	for name, c := range map[string]struct {
		request *http.Request
		status  int
	}{
		"good":                 {post(address, good()), 204},
		"unknown event":        {change("StatusCallbackEvent", "recording-started"), 204},
		"unknown field":        {change("Extra", "x"), 204},
		"no signature":         {with(post(address, good()), func(r *http.Request) { r.Header.Del(webhook.SignatureHeader) }), 403},
		"wrong signature":      {with(post(address, good()), func(r *http.Request) { r.Header.Set(webhook.SignatureHeader, "AAAA") }), 403},
		"of another address":   {with(post(address, good()), func(r *http.Request) { r.URL.RawQuery = "a=c" }), 403},
		"a form besides":       {with(post(address, good()), func(r *http.Request) { r.URL.RawQuery = "a=b&RoomSid=RM2" }), 403},
		"POST as GET":          {with(post(address, good()), func(r *http.Request) { r.Method = http.MethodGet }), 403},
		"PUT":                  {with(post(address, good()), func(r *http.Request) { r.Method = http.MethodPut }), 405},
		"JSON":                 {with(post(address, good()), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }), 400},
		"no type":              {with(post(address, good()), func(r *http.Request) { r.Header.Del("Content-Type") }), 400},
		"broken query":         {with(post(address, good()), func(r *http.Request) { r.URL.RawQuery = "%zz" }), 400},
		"large":                {change("Extra", strings.Repeat("x", 65<<10)), 413},
		"no event":             {change("StatusCallbackEvent"), 400},
		"no room":              {change("RoomSid", ""), 400},
		"two rooms":            {change("RoomSid", "RM1", "RM2"), 400},
		"no time":              {change("Timestamp", "yesterday"), 400},
		"negative number":      {change("SequenceNumber", "-1"), 400},
		"no participant":       {change("ParticipantSid"), 400},
		"no track":             {change("TrackSid"), 400},
		"duration of years":    {ended("99999999999"), 400},
		"duration that is not": {ended("long"), 400},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			rc := &webhook.Receiver{AuthToken: authToken, URL: "http://app.example/hook", Handle: func(context.Context, webhook.Event) error {
				calls++
				return nil
			}}
			w := httptest.NewRecorder()
			rc.ServeHTTP(w, c.request)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.status == 204, calls == 1)
			require.NotContains(t, w.Body.String(), "RM1", "nothing is echoed")
		})
	}
	w := httptest.NewRecorder()
	(&webhook.Receiver{}).ServeHTTP(w, with(post(address, good()), func(r *http.Request) {
		r.Header.Set(webhook.SignatureHeader, webhook.Sign("", address, good()))
	}))
	require.Equal(t, 403, w.Code, "without a secret anybody could sign")
}

func FuzzParse(f *testing.F) {
	f.Add(good().Encode())
	f.Add("StatusCallbackEvent=room-ended&RoomDuration=1&AccountSid=A&RoomSid=R&Timestamp=2026-11-23T04:05:06Z&SequenceNumber=0")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		e, err := webhook.Parse(form)
		if err != nil {
			require.ErrorIs(t, err, webhook.ErrMalformed)
			return
		}
		require.NotEmpty(t, e.About().RoomSID)
		var p webhook.Presence
		require.NoError(t, p.Apply(e))
		require.NoError(t, p.Apply(e))
	})
}
