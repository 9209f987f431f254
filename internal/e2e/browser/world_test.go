//go:build e2e

package browser_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/internal/watch"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server on the loopback interface, with the watch page.
type world struct {
	t    *testing.T
	key  accesstoken.Key
	cfg  sfu.Config
	addr string

	srv *sfu.Server
	web *http.Server
	net *breakable

	mu       sync.Mutex
	requests strings.Builder // everything of them but the bodies
}

func newWorld(t *testing.T, change ...func(*sfu.Config)) *world {
	t.Helper()
	w := &world{t: t, key: accesstoken.NewKey(), addr: "127.0.0.1:0"}
	w.cfg = sfu.Config{
		AccountSID: w.key.AccountSID,
		Keys:       map[string]accesstoken.Secret{w.key.SID: w.key.Secret},
		Limits:     sfu.Limits{JoinRate: -1, Sockets: -1},
		Media:      sfu.Media{Loopback: true},
	}
	for _, c := range change {
		c(&w.cfg)
	}
	w.start()
	t.Cleanup(w.stop)
	return w
}

func (w *world) start() {
	w.t.Helper()
	var err error
	w.srv, err = sfu.New(w.cfg)
	require.NoError(w.t, err)
	w.srv.Handle("/watch/", watch.Handler())
	listener, err := net.Listen("tcp", w.addr)
	require.NoError(w.t, err)
	w.addr = listener.Addr().String() // for the next time
	w.net = &breakable{Listener: listener, conns: map[net.Conn]bool{}}
	web := &http.Server{Handler: http.HandlerFunc(w.serve), ReadHeaderTimeout: 10 * time.Second}
	w.web = web
	go func(l net.Listener) { _ = web.Serve(l) }(w.net) // until it is closed
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	fmt.Fprintln(&w.requests, r.Method, r.RequestURI, r.Header)
	w.mu.Unlock()
	w.srv.ServeHTTP(rw, r)
}

// heard is what the server was asked for.
func (w *world) heard() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests.String()
}

func (w *world) stop() {
	require.NoError(w.t, w.srv.Close())
	require.NoError(w.t, w.web.Close())
}

func (w *world) token(identity string) string {
	w.t.Helper()
	token, err := accesstoken.Token{Identity: identity, Room: "lab"}.Sign(w.key)
	require.NoError(w.t, err)
	return token
}

// page is the address of the watch page for a viewer.
func (w *world) page(identity string) string {
	return "http://" + w.addr + "/watch/#token=" + url.QueryEscape(w.token(identity))
}

// publish has a program join and publish tracks.
func (w *world) publish(identity string, tracks ...parley.LocalTrack) *parley.Room {
	w.t.Helper()
	room, err := parley.ConnectContext(w.t.Context(), w.token(identity), &parley.ConnectOptions{
		URL: "ws://" + w.addr + "/signaling", Tracks: tracks,
	})
	require.NoError(w.t, err)
	w.t.Cleanup(func() {
		_ = room.Disconnect() // or it has been told already
		for _, track := range tracks {
			if s, ok := track.(interface{ Stop() }); ok {
				s.Stop()
			}
		}
	})
	return room
}

func video(t *testing.T, codec media.Codec, name string) *parley.LocalVideoTrack {
	t.Helper()
	track, err := parley.NewLocalVideoTrack(testclips.Open(codec), &parley.TrackOptions{Name: name})
	require.NoError(t, err)
	return track
}

func audio(t *testing.T, codec media.Codec, name string) *parley.LocalAudioTrack {
	t.Helper()
	track, err := parley.NewLocalAudioTrack(testclips.Open(codec), &parley.TrackOptions{Name: name})
	require.NoError(t, err)
	return track
}

// breakable is a listener whose connections can be cut.
type breakable struct {
	net.Listener
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (b *breakable) Accept() (net.Conn, error) {
	conn, err := b.Listener.Accept()
	if err == nil {
		b.mu.Lock()
		b.conns[conn] = true
		b.mu.Unlock()
	}
	return conn, err
}

// cut drops all connections, as a network would that has gone.
func (b *breakable) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.conns {
		_ = conn.Close() // or it has ended
		delete(b.conns, conn)
	}
}

// files serves a directory.
func files(t *testing.T, dir string) string {
	t.Helper()
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(web.Close)
	return strings.TrimSuffix(web.URL, "/")
}
