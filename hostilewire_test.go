package parley_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/stretchr/testify/require"
)

// wire is a server that sends whatever bytes a script likes.
type wire struct {
	t       *testing.T
	server  *faultnet.Host
	client  *faultnet.Host
	sockets chan *websocket.Conn
	ws      *websocket.Conn // the one in use

	mu  sync.Mutex
	all []*websocket.Conn
}

// onTheWire gives a siege a server of bytes. handle, if it is not nil, answers
// the HTTP requests.
func (g *siege) onTheWire(handle http.HandlerFunc) *wire {
	g.t.Helper()
	w := &wire{
		t: g.t, server: g.world.Host("signaling", "1.2.5.1"), client: g.world.Host("signaled", "1.2.5.2"),
		sockets: make(chan *websocket.Conn, 64),
	}
	g.wire = w
	ln, err := w.server.Listen("tcp", ":80")
	require.NoError(g.t, err)
	if handle == nil {
		handle = w.upgrade
	}
	srv := &http.Server{Handler: handle, ErrorLog: log.New(io.Discard, "", 0)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(ln) })
	g.t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, ws := range w.all {
			_ = ws.Close()
		}
		_ = srv.Close()
		wg.Wait()
	})
	return w
}

func (w *wire) upgrade(rw http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{}
	if ws, err := up.Upgrade(rw, r, nil); err == nil {
		w.mu.Lock()
		w.all = append(w.all, ws)
		w.mu.Unlock()
		w.sockets <- ws
	}
}

func (w *wire) transport() signaling.Transport {
	return rsp.NewTransport(rsp.Options{URL: "ws://1.2.5.1:80/signaling", NetDialContext: w.client.DialContext})
}

// connect begins to join. The room is the siege's when the error has come.
func (g *siege) connect(ctx context.Context) <-chan error {
	opts := g.options()
	opts.Transport = g.wire.transport()
	got := make(chan error, 1)
	go func() {
		room, err := parley.ConnectContext(ctx, "token", opts)
		g.room = room
		got <- err
	}()
	return got
}

// next takes the client's next socket and reads its hello; what it says after
// that is read and forgotten.
func (w *wire) next() {
	w.t.Helper()
	select {
	case w.ws = <-w.sockets:
	case <-time.After(time.Minute):
		w.t.Fatal("nobody connects")
	}
	_, hello, err := w.ws.ReadMessage()
	require.NoError(w.t, err)
	require.Contains(w.t, string(hello), `"type":"hello"`)
	go func(ws *websocket.Conn) {
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
		}
	}(w.ws)
}

// say sends text frames. That the client may have gone is no error.
func (w *wire) say(frames ...string) {
	for _, f := range frames {
		_ = w.ws.WriteMessage(websocket.TextMessage, []byte(f))
	}
	synctest.Wait()
}

func (w *wire) participant(p signaling.RemoteParticipant) {
	w.say(fmt.Sprintf(`{"type":"msg","body":{"type":"update","version":2,"participants":[`+
		`{"sid":%q,"identity":%q,"revision":%d,"state":%q,"tracks":[]}]}}`, p.SID, p.Identity, p.Revision, p.State))
}

const (
	wireWelcome   = `{"type":"welcome","negotiatedTimeout":5000}`
	wireConnected = `{"type":"msg","body":{"type":"connected","version":2,"sid":"RM1","name":"lab","session":"s1",` +
		`"participant":{"sid":"PAme","identity":"me"},"participants":[],"options":{"session_timeout":30},` +
		`"parley":{"version":1,"slots":true,"subscribe":true}}}`
)

func msg(body string) string { return `{"type":"msg","body":` + body + `}` }

// accepted joins in good order.
func (g *siege) accepted() *wire {
	g.t.Helper()
	w := g.onTheWire(nil)
	got := g.connect(g.t.Context())
	w.next()
	w.say(wireWelcome, wireConnected)
	require.NoError(g.t, <-got)
	g.watch(g.room)
	return w
}

// joining is a script that answers the hello, and what Connect returns then.
func joining(want error, frames ...string) func(*testing.T, *siege) {
	return func(t *testing.T, s *siege) {
		w := s.onTheWire(nil)
		got := s.connect(t.Context())
		w.next()
		w.say(frames...)
		select {
		case err := <-got:
			require.ErrorIs(t, err, want)
		case <-time.After(time.Second):
			t.Fatal("Connect waits")
		}
	}
}

// joined is a script of frames for a client in the room. A nil error says that
// the room does not care.
func joined(want error, frames ...string) func(*testing.T, *siege) {
	return func(t *testing.T, s *siege) {
		s.accepted().say(frames...)
		if want == nil {
			s.unimpressed()
		} else {
			s.fallen(want)
		}
	}
}

func deep(n int) string { return strings.Repeat(`{"a":[`, n) + strings.Repeat(`]}`, n) }

func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"sid":"PA%d","identity":"p","revision":1,"state":"connected","tracks":[]},`, i)
	}
	return `{"type":"update","participants":[` + strings.TrimSuffix(b.String(), ",") + `]}`
}

// TestR24HostileServerOnTheWire is TestR24HostileServer in bytes.
func TestR24HostileServerOnTheWire(t *testing.T) {
	for what, attack := range hostileWire {
		t.Run(what, func(t *testing.T) { besieged(t, attack) })
	}
}

var hostileWire = map[string]func(*testing.T, *siege){
	"connected without participant":   joining(parley.ErrSignalingMessage, wireWelcome, msg(`{"type":"connected","sid":"RM1","name":"lab"}`)),
	"connected without participant 2": joining(parley.ErrSignalingMessage, wireWelcome, msg(`{"type":"connected","participant":{"sid":""}}`)),
	"connected of wrong types":        joining(parley.ErrSignalingMessage, wireWelcome, msg(`{"type":"connected","participant":[1],"participants":5}`)),
	"body of garbage":                 joining(parley.ErrSignalingMessage, wireWelcome, `{"type":"msg","body":garbage}`),
	"body of nothing":                 joining(parley.ErrSignalingMessage, wireWelcome, `{"type":"msg"}`),
	"frame of garbage":                joining(parley.ErrSignalingMessage, "\x00\x01\x02"),
	"frame of nothing":                joining(parley.ErrSignalingMessage, ""),
	"frame without type":              joining(parley.ErrSignalingMessage, `{}`),
	"JSON bomb while joining":         joining(parley.ErrSignalingMessage, wireWelcome, msg(deep(60000))),
	"refused with an unknown code":    joining(&signaling.Error{Code: 98765}, wireWelcome, msg(`{"type":"error","code":98765,"message":"?"}`)),
	"refused with a code of words":    joining(parley.ErrSignalingMessage, wireWelcome, msg(`{"type":"error","code":"full"}`)),
	"refused without a code":          joining(parley.ErrSignalingDisconnected, wireWelcome, msg(`{"type":"error"}`)),
	"disconnected while joining":      joining(parley.ErrRoomCompleted, wireWelcome, msg(`{"type":"disconnected","status":"completed"}`)),
	"bad":                             joining(parley.ErrSignalingConnection, `{"type":"bad","reason":"`+strings.Repeat("no ", 100000)+`"}`),
	"busy for ever":                   joining(parley.ErrServerBusy, `{"type":"busy","retryAfter":-1}`),
	"welcomes of every length": func(t *testing.T, s *siege) {
		w := s.onTheWire(nil)
		got := s.connect(t.Context())
		w.next()
		w.say(`{"type":"welcome","negotiatedTimeout":-1e300}`, `{"type":"welcome","negotiatedTimeout":1e300}`, wireConnected, wireConnected, wireWelcome)
		require.NoError(t, <-got)
		s.watch(s.room)
		s.unimpressed()
	},
	"messages before the welcome": func(t *testing.T, s *siege) {
		w := s.onTheWire(nil)
		got := s.connect(t.Context())
		w.next()
		w.say(wireConnected, `{"type":"heartbeat"}`, `{"type":"bye"}`, `{"type":"levitate","body":{"x":1}}`, msg(`{"type":"error","code":1}`))
		w.say(wireWelcome, wireConnected)
		require.NoError(t, <-got)
		s.watch(s.room)
		s.unimpressed()
	},
	"busy at once, again and again": func(t *testing.T, s *siege) {
		w := s.onTheWire(nil)
		got := s.connect(t.Context())
		n := 0
		for {
			select {
			case w.ws = <-w.sockets:
				n++
				w.say(`{"type":"busy","retryAfter":0,"keepAlive":false,"cookie":"` + strings.Repeat("c", 1000) + `"}`)
				continue
			case err := <-got:
				require.ErrorIs(t, err, parley.ErrServerBusy)
			}
			break
		}
		require.LessOrEqual(t, n, 40)
	},
	"welcome and then nothing": func(t *testing.T, s *siege) {
		w := s.onTheWire(nil)
		got := s.connect(t.Context())
		w.next()
		w.say(wireWelcome)
		began := time.Now()
		require.ErrorIs(t, <-got, parley.ErrSignalingConnection)
		require.LessOrEqual(t, time.Since(began), 31*time.Second)
	},
	"heartbeats instead of an answer": func(t *testing.T, s *siege) {
		w := s.onTheWire(nil)
		got := s.connect(t.Context())
		w.next()
		w.say(wireWelcome)
		began := time.Now()
		for {
			select {
			case <-time.After(time.Second):
				w.say(`{"type":"heartbeat"}`)
				require.Less(t, time.Since(began), time.Minute)
				continue
			case err := <-got:
				require.ErrorIs(t, err, parley.ErrSignalingConnection)
			}
			break
		}
	},
	"no answer and no patience": func(t *testing.T, s *siege) {
		w := s.onTheWire(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		got := s.connect(ctx)
		w.next()
		began := time.Now()
		require.ErrorIs(t, <-got, context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(began), 3100*time.Millisecond)
	},
	"binary": func(t *testing.T, s *siege) {
		w := s.accepted()
		require.NoError(t, w.ws.WriteMessage(websocket.BinaryMessage, []byte(msg(crowd(1)))))
		s.fallen(parley.ErrSignalingMessage)
	},
	"types and fields of the future": joined(nil,
		`{"type":"levitate"}`, `{"type":"msg","body":{"type":"levitate","x":[1,2,{"y":null}]},"z":1}`,
		msg(`{"type":"update","version":99,"future":{"a":[]},"participants":[],"parley":{"more":1}}`),
		msg(`{"type":"update","participants":[{"sid":"PA9","identity":"x","revision":1,"state":"levitating","tracks":[{"sid":"MT9","kind":"hologram","name":"h","depth":3}],"aura":"blue"}]}`),
		msg(`{"type":"connected","participant":{"sid":"PAother","identity":"other"}}`),
		msg(`{"type":"synced","session":"other"}`), msg(`{"type":"iced","ice_servers":[]}`)),
	"nulls": joined(nil,
		msg(`{"type":"update","participants":null,"published":null,"subscribed":null,"recording":null,"peer_connections":null,"media_signaling":null,"channels":null}`)),
	"wrong types of participants":      joined(parley.ErrSignalingMessage, msg(`{"type":"update","participants":{"sid":5}}`)),
	"wrong types of tracks":            joined(parley.ErrSignalingMessage, msg(`{"type":"update","participants":[{"sid":"PA1","revision":1,"tracks":[5]}]}`)),
	"wrong types of subscriptions":     joined(parley.ErrSignalingMessage, msg(`{"type":"update","subscribed":{"revision":"1","tracks":"all"}}`)),
	"participants without SID":         joined(parley.ErrSignalingMessage, msg(`{"type":"update","participants":[{"identity":"x","revision":1}]}`)),
	"revisions beyond numbers":         joined(parley.ErrSignalingMessage, msg(`{"type":"update","recording":{"revision":1e300,"is_recording":true}}`)),
	"revisions below zero":             joined(parley.ErrSignalingMessage, msg(`{"type":"update","recording":{"revision":-1,"is_recording":true}}`)),
	"revisions in halves":              joined(parley.ErrSignalingMessage, msg(`{"type":"update","recording":{"revision":1.5,"is_recording":true}}`)),
	"sequence numbers of 17 bits":      joined(parley.ErrSignalingMessage, msg(`{"type":"update","subscribed":{"revision":1,"tracks":[{"sid":"MT1","id":"c1","from":70000}]}}`)),
	"10 000 participants in a message": joined(parley.ErrSignalingMessage, msg(crowd(10000))),
	"JSON bomb":                        joined(parley.ErrSignalingMessage, msg(deep(60000))),
	"JSON bomb in a channel":           joined(parley.ErrSignalingMessage, msg(`{"type":"update","channels":[{"name":"network_quality","payload":`+deep(60000)+`}]}`)),
	"half of a message":                joined(parley.ErrSignalingMessage, msg(crowd(3))[:100]),
	"error with an unknown code":       joined(&signaling.Error{Code: 54321}, msg(`{"type":"error","code":54321,"message":"surprise"}`)),
	"error without a code":             joined(parley.ErrRemoved, msg(`{"type":"error"}`)),
	"words after the last":             joined(parley.ErrRemoved, msg(`{"type":"disconnected"}`), msg(crowd(3)), "garbage", wireWelcome),
	"error of many words": func(t *testing.T, s *siege) {
		s.accepted().say(msg(`{"type":"error","code":53105,"message":"` + strings.Repeat("blah ", 100000) + `"}`))
		s.fallen(parley.ErrRoomFull)
		require.Less(t, len(s.room.Err().Error()), 2000)
	},
	"names that are no text": joined(nil, msg("{\"type\":\"update\",\"participants\":[{\"sid\":\"PA\xff\xfe\",\"identity\":\"\\u0000\\ud800\",\"revision\":1,\"state\":\"connected\"}]}")),
	"20 000 heartbeats": func(t *testing.T, s *siege) {
		w := s.accepted()
		for range 200 {
			w.say(strings.Split(strings.Repeat(`{"type":"heartbeat"},`, 100), ",")[:100]...)
		}
		s.unimpressed()
	},
	"1 000 pings": func(t *testing.T, s *siege) {
		w := s.accepted()
		for range 1000 {
			require.NoError(t, w.ws.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(time.Second)))
		}
		s.unimpressed()
	},
	"a message in 1 000 pieces": func(t *testing.T, s *siege) {
		w := s.accepted()
		out, err := w.ws.NextWriter(websocket.TextMessage)
		require.NoError(t, err)
		for b := range strings.SplitSeq(msg(crowd(20)), "") {
			_, err := io.WriteString(out, b)
			require.NoError(t, err)
		}
		require.NoError(t, out.Close())
		require.Equal(t, 20, s.count("ParticipantConnected p"))
		s.unimpressed()
	},
	"more than 1 MiB": func(t *testing.T, s *siege) {
		s.accepted().say(msg(`{"type":"update","x":"` + strings.Repeat("x", 1<<20) + `"}`))
		s.fallen(parley.ErrSignalingMessage)
	},
	"1 MiB": joined(nil, msg(`{"type":"update","x":"`+strings.Repeat("x", 1<<20-100)+`"}`)),
	"cut in the middle of a frame": func(t *testing.T, s *siege) {
		w := s.accepted()
		_, err := w.ws.NetConn().Write([]byte{0x81, 126, 1, 0, '{', '"'})
		require.NoError(t, err)
		require.NoError(t, w.ws.Close())
		synctest.Wait()
		require.Equal(t, parley.StateReconnecting, s.room.State())
		w.next()
		w.say(wireWelcome, strings.Replace(wireConnected, "connected", "synced", 1))
		require.Equal(t, 1, s.count("Reconnected"))
		s.unimpressed()
	},
	"silence": func(t *testing.T, s *siege) {
		w := s.accepted()
		time.Sleep(16 * time.Second)
		require.Equal(t, parley.StateReconnecting, s.room.State())
		w.next()
		w.say(wireWelcome, strings.Replace(wireConnected, "connected", "synced", 1))
		require.Equal(t, 1, s.count("Reconnected"))
		s.unimpressed()
	},
	"resumed into another room, on the wire": func(t *testing.T, s *siege) {
		w := s.accepted()
		require.NoError(t, w.ws.Close())
		w.next()
		w.say(wireWelcome, strings.Replace(strings.Replace(wireConnected, "connected", "synced", 1), "RM1", "RM2", 1))
		s.fallen(parley.ErrSignalingMessage)
	},
	"every resume answered with garbage": func(t *testing.T, s *siege) {
		w := s.accepted()
		require.NoError(t, w.ws.Close())
		w.next()
		w.say(wireWelcome, "garbage")
		s.fallen(parley.ErrSignalingMessage)
	},
	"HTTP, and no WebSocket": func(t *testing.T, s *siege) {
		var handler http.HandlerFunc
		for what, h := range map[string]http.HandlerFunc{
			"200": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") },
			"302": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
			},
			"401":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
			"503":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
			"nothing":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"endless":  func(w http.ResponseWriter, _ *http.Request) { endless(w, strings.Repeat("x", 1000)+": y\r\n") },
			"one line": func(w http.ResponseWriter, _ *http.Request) { endless(w, strings.Repeat("x", 1000)) },
		} {
			handler = h
			if s.wire == nil {
				s.onTheWire(func(w http.ResponseWriter, r *http.Request) { handler(w, r) })
			}
			err := <-s.connect(t.Context())
			require.ErrorIs(t, err, parley.ErrSignalingConnection, what)
		}
	},
}

// endless begins an answer whose headers never end.
func endless(w http.ResponseWriter, piece string) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	_, err = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n")
	for err == nil {
		_, err = io.WriteString(c, piece)
	}
}
