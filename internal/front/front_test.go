package front_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/front"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/stretchr/testify/require"
	"github.com/twilio/twilio-go/client"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, cfg front.Config) (*front.Server, accesstoken.Key) {
	t.Helper()
	key := accesstoken.NewKey()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.SFU.Keys == nil {
		cfg.SFU.AccountSID, cfg.SFU.Keys = key.AccountSID, map[string]accesstoken.Secret{key.SID: key.Secret}
	}
	cfg.SFU.Media = sfu.Media{Loopback: true}
	srv, err := front.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background(), 0)) })
	return srv, key
}

func sign(t *testing.T, key accesstoken.Key) string {
	t.Helper()
	token, err := accesstoken.Token{Identity: "alice", Room: "lab"}.Sign(key)
	require.NoError(t, err)
	return token
}

// What goes over the wire at the end: a typed reason and when to come back, in
// the first second.
func TestShutdownTellsReasonAndRetryAfter(t *testing.T) {
	srv, key := start(t, front.Config{})
	session, err := rsp.NewTransport(rsp.Options{URL: srv.SignalingURL()}).Dial(t.Context(), signaling.Join{
		Token: sign(t, key), Slots: true, Participant: signaling.LocalParticipant{Revision: 1},
		Subscribe: signaling.Subscribe{Revision: 1, Rules: []signaling.Rule{{All: true}}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = session.Close(context.Background(), signaling.ReasonLeave) }) // ended already
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := session.Receive(context.Background()); err != nil {
				ended <- err
				return
			}
		}
	}()
	began := time.Now()
	require.NoError(t, srv.Shutdown(t.Context(), 3*time.Second))
	var typed *signaling.Error
	require.ErrorAs(t, <-ended, &typed)
	require.Less(t, time.Since(began), time.Second)
	require.Equal(t, signaling.DisconnectShutdown, typed.Reason)
	require.Equal(t, 3*time.Second, typed.RetryAfter)
}

// A server that ends closes its media connections too. Clients take neither for
// the end, and come back to the next server at the address.
func TestClientsComeBackAfterRestart(t *testing.T) {
	for range 3 {
		srv, key := start(t, front.Config{})
		src := synth.Video()
		t.Cleanup(func() { _ = src.Close() }) // nothing was written
		video, err := parley.NewLocalVideoTrack(src, nil)
		require.NoError(t, err)
		room, err := parley.Connect(sign(t, key), &parley.ConnectOptions{URL: srv.SignalingURL(), Tracks: []parley.LocalTrack{video}})
		require.NoError(t, err)
		events := room.Events()
		await[parley.LocalTrackStarted](t, events)
		require.NoError(t, srv.Shutdown(t.Context(), 100*time.Millisecond))
		start(t, front.Config{Listen: srv.Addr(), SFU: sfu.Config{
			AccountSID: key.AccountSID, Keys: map[string]accesstoken.Secret{key.SID: key.Secret},
		}})
		await[parley.Reconnecting](t, events)
		await[parley.Reconnected](t, events)
		require.NoError(t, room.Disconnect())
		for range events { // to the end
		}
		require.NoError(t, room.Err())
	}
}

func await[T parley.Event](t *testing.T, events <-chan parley.Event) {
	t.Helper()
	patience := time.After(10 * time.Second)
	for {
		select {
		case ev, ok := <-events:
			require.True(t, ok, "the room has ended")
			if _, ok := ev.(T); ok {
				return
			}
			end, ok := ev.(parley.Disconnected)
			require.False(t, ok, "disconnected: %v", end.Err)
		case <-patience:
			require.Fail(t, "no event", "%T", *new(T))
		}
	}
}

func TestStrangersAreBounded(t *testing.T) {
	srv, _ := start(t, front.Config{})
	t.Run("headers", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL("/healthz"), nil)
		require.NoError(t, err)
		req.Header.Set("X-Much", strings.Repeat("x", 64<<10))
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
	})
	t.Run("silence", func(t *testing.T) {
		conn, err := net.Dial("tcp", srv.Addr())
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("GET /healthz HTTP/1.1\r\n"))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		_, err = conn.Read(make([]byte, 1))
		var timeout net.Error
		require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the server waits for ever")
	})
}

func TestPages(t *testing.T) {
	get := func(url string) int {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	srv, _ := start(t, front.Config{})
	require.Equal(t, http.StatusOK, get(srv.URL("/healthz")))
	require.Equal(t, http.StatusOK, get(srv.URL("/metrics")))
	require.Equal(t, http.StatusOK, get(srv.WatchURL("x")))
	bare, _ := start(t, front.Config{NoPages: true})
	require.Equal(t, http.StatusNotFound, get(bare.WatchURL("x")))
}

func TestStartLeavesNothingOpenWhenItFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	_, err = front.Start(front.Config{Listen: addr}) // no keys
	require.Error(t, err)
	ln, err = net.Listen("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	_, err = front.Start(front.Config{Listen: addr, CertFile: "cert.pem"})
	require.ErrorContains(t, err, "both a certificate and its key")
}

// The API for rooms is there, and open to the server's keys alone.
func TestRoomsCanBeMadeOverHTTP(t *testing.T) {
	srv, key := start(t, front.Config{SFU: sfu.Config{Region: "xy1"}})
	post := func(secret string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL("/v1/Rooms"), strings.NewReader("UniqueName=lab"))
		require.NoError(t, err)
		r.SetBasicAuth(key.SID, secret)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	status, body := post("wrong")
	require.Equal(t, http.StatusUnauthorized, status, body)
	status, body = post(string(key.Secret))
	require.Equal(t, http.StatusCreated, status, body)
	require.Contains(t, body, `"unique_name":"lab"`)
	require.Contains(t, body, `"media_region":"xy1"`)
	require.Len(t, srv.SFU.Rooms(), 1)
}

// A room that is made over HTTP tells its application, which checks the
// signature with the secret that it makes its calls with.
func TestTR20CallbacksOfARoomMadeOverHTTP(t *testing.T) {
	type told struct {
		event string
		valid bool
	}
	calls := make(chan told, 10)
	secret := make(chan accesstoken.Secret, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a body that is cut has another signature
		form, _ := url.ParseQuery(string(body))
		key := <-secret
		secret <- key
		validator := client.NewRequestValidator(string(key))
		calls <- told{
			form.Get("StatusCallbackEvent"),
			validator.ValidateBody("http://"+r.Host+r.URL.RequestURI(), body, r.Header.Get("X-Twilio-Signature")),
		}
	}))
	t.Cleanup(app.Close)
	create := func(srv *front.Server, key accesstoken.Key) (status int, answer map[string]any) {
		form := url.Values{"UniqueName": {"lab"}, "StatusCallback": {app.URL + "/hook"}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+srv.Addr()+"/v1/Rooms", strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.SetBasicAuth(key.SID, string(key.Secret))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := app.Client().Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
		return res.StatusCode, answer
	}

	srv, key := start(t, front.Config{PrivateCallbacks: true})
	secret <- key.Secret
	status, room := create(srv, key)
	require.Equal(t, http.StatusCreated, status, "%v", room)
	require.Equal(t, app.URL+"/hook", room["status_callback"])
	require.Equal(t, http.MethodPost, room["status_callback_method"])
	require.Equal(t, told{"room-created", true}, <-calls)
	_, err := srv.SFU.CompleteRoom("lab")
	require.NoError(t, err)
	require.Equal(t, told{"room-ended", true}, <-calls)

	srv, key = start(t, front.Config{})
	status, refused := create(srv, key)
	require.Equal(t, http.StatusBadRequest, status)
	require.EqualValues(t, 53111, refused["code"], "the address points inside")
	require.Empty(t, srv.SFU.Rooms())
}
