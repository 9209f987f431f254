package callback_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/internal/callback"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sid"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/stretchr/testify/require"
	"github.com/twilio/twilio-go/client"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const authToken = "0123456789abcdef0123456789abcdef"

// call is a request that a receiver got.
type call struct {
	form  url.Values
	valid bool // its signature
}

// receiver keeps what it is told, and checks it with the hosted service's own
// library.
func receiver(calls chan<- call) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		address := "http://" + r.Host + r.URL.RequestURI()
		validator := client.NewRequestValidator(authToken)
		c := call{form: r.URL.Query()}
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body) // a body that is cut fails below
			c.form, _ = url.ParseQuery(string(body))
			c.valid = validator.ValidateBody(address, body, r.Header.Get("X-Twilio-Signature"))
		} else {
			c.valid = validator.Validate(address, nil, r.Header.Get("X-Twilio-Signature"))
		}
		calls <- c
	}
}

// The whole story of a room, as its application hears it.
func TestTR20EverythingIsToldInOrder(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		t.Run(method, func(t *testing.T) {
			calls := make(chan call, 20)
			app := httptest.NewServer(receiver(calls))
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

			began := time.Now()
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
			alice := session.Initial().Participant.SID
			change := func(revision int, enabled bool, tracks ...signaling.LocalTrack) {
				for i := range tracks {
					tracks[i].Enabled = enabled
				}
				require.NoError(t, session.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: revision, Tracks: tracks}}))
				_, err := session.Receive(t.Context()) // sections that wait are replaced by newer ones
				require.NoError(t, err)
			}
			change(2, false, chat)
			change(3, true, chat)
			change(4, true)
			require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
			expect := func(event string, number int) url.Values {
				t.Helper()
				c := <-calls
				require.True(t, c.valid, "the signature of %v", c.form)
				require.Equal(t, event, c.form.Get("StatusCallbackEvent"))
				require.Equal(t, strconv.Itoa(number), c.form.Get("SequenceNumber"))
				require.Equal(t, key.AccountSID, c.form.Get("AccountSid"))
				require.Equal(t, room.SID, c.form.Get("RoomSid"))
				require.Equal(t, "demo & more", c.form.Get("RoomName"))
				require.Equal(t, "group", c.form.Get("RoomType"))
				at, err := time.Parse(time.RFC3339, c.form.Get("Timestamp"))
				require.NoError(t, err)
				require.WithinDuration(t, began, at, time.Hour)
				return c.form
			}
			require.Equal(t, "in-progress", expect("room-created", 0).Get("RoomStatus"))
			joined := expect("participant-connected", 1)
			require.Equal(t, alice, joined.Get("ParticipantSid"))
			require.Equal(t, "alice", joined.Get("ParticipantIdentity"))
			require.Equal(t, "connected", joined.Get("ParticipantStatus"))
			for i, event := range []string{"track-added", "track-disabled", "track-enabled", "track-removed"} {
				track := expect(event, 2+i)
				require.Equal(t, "chat", track.Get("TrackName"))
				require.Equal(t, "data", track.Get("TrackKind"))
				require.True(t, sid.Valid(track.Get("TrackSid"), sid.Track))
				require.Equal(t, "alice", track.Get("ParticipantIdentity"))
			}
			left := expect("participant-disconnected", 6)
			require.Equal(t, "disconnected", left.Get("ParticipantStatus"))
			require.NotEmpty(t, left.Get("ParticipantDuration"))
			_, err = srv.CompleteRoom(room.SID)
			require.NoError(t, err)
			ended := expect("room-ended", 7)
			require.Equal(t, "completed", ended.Get("RoomStatus"))
			require.NotEmpty(t, ended.Get("RoomDuration"))
			require.NoError(t, told.Close(t.Context()))
			require.Empty(t, calls)
		})
	}
}

// carrier takes requests to a handler without a network, for virtual time.
type carrier struct{ http.Handler }

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result(), nil
}

func fact(room string, number int) sfu.Fact {
	return sfu.Fact{
		Event: sfu.RoomCreated, At: time.Now(), Number: number,
		Room: sfu.RoomStatus{SID: room, Options: sfu.RoomOptions{StatusCallback: "http://app.example/hook", StatusCallbackMethod: http.MethodPost}},
	}
}

// What is not taken is sent again, later and later; what comes after it in the
// room waits, and other rooms do not.
func TestTR20RetriesKeepTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		type arrival struct {
			room, number string
			after        time.Duration
		}
		var got []arrival
		done := make(chan struct{})
		answers := map[string][]int{"RM1/0": {500, 503, 429}, "RM1/1": {404}, "RM2/0": {302}, "RM1/2": {500, 500, 500, 500, 500, 500}}
		one := make(chan struct{}, 1)
		s := callback.New(callback.Config{AuthToken: authToken, Transport: carrier{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			one <- struct{}{}
			defer func() { <-one }()
			_ = r.ParseForm() // what is missing shows
			room, number := r.PostForm.Get("RoomSid"), r.PostForm.Get("SequenceNumber")
			got = append(got, arrival{room, number, time.Since(began)})
			key := room + "/" + number
			if list := answers[key]; len(list) > 0 {
				answers[key] = list[1:]
				w.Header().Set("Location", "http://elsewhere.example/")
				w.WriteHeader(list[0])
			}
			if key == "RM1/3" {
				close(done)
			}
		})}})
		for i := range 4 {
			s.Tell(fact("RM1", i))
		}
		time.Sleep(500 * time.Millisecond)
		s.Tell(fact("RM2", 0))
		<-done
		require.NoError(t, s.Close(t.Context()))
		second := time.Second
		require.Equal(t, []arrival{
			{"RM1", "0", 0},
			{"RM2", "0", second / 2},
			{"RM1", "0", second},
			{"RM1", "0", 3 * second},
			{"RM1", "0", 7 * second},
			{"RM1", "1", 7 * second}, // no repetition changes that nothing is there
			{"RM1", "2", 7 * second},
			{"RM1", "2", 8 * second},
			{"RM1", "2", 10 * second},
			{"RM1", "2", 14 * second},
			{"RM1", "2", 22 * second},
			{"RM1", "2", 38 * second}, // given up
			{"RM1", "3", 38 * second},
		}, got)
	})
}

// A receiver that does not answer costs a bounded queue, and the end of the
// server waits for it no longer than it was told to.
func TestTR20TheQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := callback.New(callback.Config{
			AuthToken: authToken, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Transport: carrier{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })},
		})
		for i := range 600 {
			s.Tell(fact("RM1", i))
			if i == 0 {
				synctest.Wait() // the first is under way
			}
		}
		require.Equal(t, 99, strings.Count(log.String(), "too many wait"))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		require.NoError(t, s.Close(ctx))
		require.Equal(t, 2*time.Second, time.Since(began))
		require.Contains(t, log.String(), "callbacks=501")
		s.Tell(fact("RM1", 600))
		require.Equal(t, 100, strings.Count(log.String(), "too many wait"), "nothing is taken after the end")
	})
}

func TestCallbacksGoToPublicAddressesOnly(t *testing.T) {
	s := callback.New(callback.Config{AuthToken: authToken})
	defer s.Close(t.Context())
	for _, address := range []string{"https://app.example/hook", "http://app.example:8080/hook?a=b", "https://93.184.216.34/", "https://[2606:2800:220:1::1]/"} {
		require.NoError(t, s.Check(address), address)
	}
	for _, address := range []string{
		"", "app.example", "/hook", "ftp://app.example/", "file:///etc/passwd", "https://", "https://user:pass@app.example/", "https://app.example/#x",
		"http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://127.0.0.1/", "http://127.1.2.3:8080/", "http://[::1]/",
		"http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://169.254.169.254/latest", "http://100.64.0.1/",
		"http://0.0.0.0/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1]/", "http://[fd00::1]/", "http://[64:ff9b::7f00:1]/",
		"http://224.0.0.1/", "https://app.example/" + strings.Repeat("x", 2000), "http://a b/", "http://[::1%25lo]/",
	} {
		require.ErrorIs(t, s.Check(address), signaling.NewError(signaling.CodeStatusCallbackInvalid), address)
	}
}

// lines is a log that can be waited for.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// A name that leads inside is refused when it is called, and only once.
func TestCallbacksJudgeWhatANameLeadsTo(t *testing.T) {
	calls := make(chan call, 1)
	app := httptest.NewServer(receiver(calls))
	defer app.Close()
	log := make(lines, 10)
	s := callback.New(callback.Config{AuthToken: authToken, Logger: slog.New(slog.NewTextHandler(log, nil))})
	f := fact("RM1", 0)
	f.Room.Options.StatusCallback = strings.Replace(app.URL, "127.0.0.1", "localhost", 1)
	s.Tell(f)
	require.Contains(t, <-log, "not a public one")
	require.NoError(t, s.Close(t.Context()))
	require.Empty(t, calls)
}
