//go:build e2e

package interop_test

import (
	"embed"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

//go:embed page.html spy.js page.js
var files embed.FS

const bundle = "node_modules/twilio-video/dist/twilio-video.min.js"

// world is a server on the loopback interface, and the page that joins it.
type world struct {
	t    *testing.T
	key  accesstoken.Key
	srv  *sfu.Server
	addr string
}

// newWorld starts a server. Its configuration may be changed.
func newWorld(t *testing.T, change ...func(*sfu.Config)) *world {
	t.Helper()
	w := &world{t: t, key: accesstoken.NewKey()}
	cfg := sfu.Config{
		AccountSID: w.key.AccountSID,
		Keys:       map[string]accesstoken.Secret{w.key.SID: w.key.Secret},
		Limits:     sfu.Limits{JoinRate: -1, Sockets: -1},
		Media:      sfu.Media{Loopback: true},
		Region:     "lab1",
	}
	if os.Getenv("INTEROP_LOG") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	w.srv, err = sfu.New(cfg)
	require.NoError(t, err)
	w.srv.Handle("/interop/", http.StripPrefix("/interop", http.FileServerFS(files)))
	w.srv.Handle("/interop/twilio-video.js", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.ServeFile(rw, r, bundle)
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.addr = listener.Addr().String()
	web := &http.Server{Handler: w.srv, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }() // until it is closed
	t.Cleanup(func() {
		require.NoError(t, w.srv.Close())
		require.NoError(t, web.Close())
	})
	return w
}

// token is one for the room "lab".
func (w *world) token(identity string) string {
	w.t.Helper()
	token, err := accesstoken.Token{Identity: identity, Room: "lab"}.Sign(w.key)
	require.NoError(w.t, err)
	return token
}

// clip is a local track that plays the codec's clip for as long as the test
// runs.
func clip(t *testing.T, codec media.Codec, name string) parley.LocalTrack {
	t.Helper()
	if codec.Kind() == media.Video {
		track, err := parley.NewLocalVideoTrack(testclips.Open(codec), &parley.TrackOptions{Name: name})
		require.NoError(t, err)
		t.Cleanup(track.Stop)
		return track
	}
	track, err := parley.NewLocalAudioTrack(testclips.Open(codec), &parley.TrackOptions{Name: name})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	return track
}

// dataTrack is a local data track.
func dataTrack(t *testing.T, o parley.DataTrackOptions) *parley.LocalDataTrack {
	t.Helper()
	track, err := parley.NewLocalDataTrack(&o)
	require.NoError(t, err)
	return track
}
