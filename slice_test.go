package parley_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

func next[T parley.Event](t *testing.T, ch <-chan parley.Event) T {
	t.Helper()
	timer := time.NewTimer(5 * time.Second)
	for {
		select {
		case e, ok := <-ch:
			if !ok {
				t.Fatal("closed")
			}
			t.Logf("%T", e)
			if v, ok := e.(T); ok {
				return v
			}
		case <-timer.C:
			var z T
			t.Fatalf("no %T", z)
		}
	}
}

func TestSlice(t *testing.T) {
	key := accesstoken.NewKey()
	srv, err := sfu.New(sfu.Config{AccountSID: key.AccountSID, Keys: map[string]accesstoken.Secret{key.SID: key.Secret}, Media: sfu.Media{Loopback: true}})
	require.NoError(t, err)
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Close()
	url := "ws" + strings.TrimPrefix(web.URL, "http") + "/signaling"
	token := func(id string) string {
		s, err := accesstoken.Token{Identity: id, Room: "lab"}.Sign(key)
		require.NoError(t, err)
		return s
	}
	video, err := parley.NewLocalVideoTrack(synth.Video(), nil)
	require.NoError(t, err)
	data, err := parley.NewLocalDataTrack(nil)
	require.NoError(t, err)
	start := time.Now()
	alice, err := parley.Connect(token("alice"), &parley.ConnectOptions{URL: url, Tracks: []parley.LocalTrack{video, data}})
	require.NoError(t, err)
	t.Logf("alice in %v", time.Since(start))
	defer alice.Disconnect()
	start = time.Now()
	bob, err := parley.Connect(token("bob"), &parley.ConnectOptions{URL: url})
	require.NoError(t, err)
	t.Logf("bob in %v", time.Since(start))
	defer bob.Disconnect()
	ev := bob.Events()
	p := next[parley.ParticipantConnected](t, ev)
	require.Equal(t, "alice", p.Participant.Identity())
	st := next[parley.TrackStarted](t, ev)
	t.Logf("started after %v", time.Since(start))
	n := 0
	for s, err := range st.Track.(*parley.RemoteVideoTrack).Samples(t.Context()) {
		require.NoError(t, err)
		n++
		require.Zero(t, s.Lost)
		if n == 10 {
			break
		}
	}
	require.NoError(t, data.SendText(t.Context(), "hello"))
	var d *parley.RemoteDataTrack
	for _, pub := range p.Participant.DataTracks() {
		for d == nil {
			if tr := pub.Track(); tr != nil {
				d = tr.(*parley.RemoteDataTrack)
			}
		}
	}
	m, err := d.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Data))
	alice.Disconnect()
	next[parley.ParticipantDisconnected](t, ev)
	bob.Disconnect()
	next[parley.Disconnected](t, ev)
}
