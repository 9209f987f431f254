package rsp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling/rsp"
)

// scripted is a server that does what a test says, right or wrong: the script
// runs for each socket.
func scripted(t *testing.T, script func(s *rawSocket)) rsp.Options {
	t.Helper()
	ln := newPipeListener()
	upgrader := websocket.Upgrader{}
	var wg sync.WaitGroup
	number := 0
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		number++
		script(&rawSocket{t: t, ws: ws, number: number})
	})}
	wg.Go(func() { _ = srv.Serve(ln) })
	t.Cleanup(func() {
		_ = srv.Close()
		wg.Wait()
	})
	return rsp.Options{URL: "ws://scripted/signaling", NetDialContext: ln.dial}
}

// rawSocket is one end of a WebSocket in the hands of a test.
type rawSocket struct {
	t      *testing.T
	ws     *websocket.Conn
	number int // of the socket, from 1
}

type rawFrame struct {
	Type    string  `json:"type"`
	ID      string  `json:"id"`
	Version int     `json:"version"`
	Timeout float64 `json:"timeout"`
	Cookie  string  `json:"cookie"`

	NegotiatedTimeout float64 `json:"negotiatedTimeout"`

	Body map[string]any `json:"body"`
	raw  string
}

// read returns the next frame, or false at the end of the socket.
func (s *rawSocket) read() (rawFrame, bool) {
	_, data, err := s.ws.ReadMessage()
	if err != nil {
		return rawFrame{}, false
	}
	f := rawFrame{raw: string(data)}
	if err := json.Unmarshal(data, &f); err != nil {
		s.t.Errorf("frame %q: %v", data, err)
	}
	return f, true
}

// readType skips frames until one of the type.
func (s *rawSocket) readType(kind string) rawFrame {
	s.t.Helper()
	for {
		f, ok := s.read()
		if !ok {
			s.t.Errorf("socket ended before a %s", kind)
			return rawFrame{}
		}
		if f.Type == kind {
			return f
		}
	}
}

// send writes frames, ignoring that the other side may have gone.
func (s *rawSocket) send(frames ...string) {
	for _, f := range frames {
		_ = s.ws.WriteMessage(websocket.TextMessage, []byte(f))
	}
}

// drain reads to the end and returns the close code, 0 when there was none.
func (s *rawSocket) drain() int {
	for {
		_, _, err := s.ws.ReadMessage()
		if err == nil {
			continue
		}
		var e *websocket.CloseError
		if errors.As(err, &e) && e.Code != websocket.CloseAbnormalClosure {
			return e.Code
		}
		return 0
	}
}

const (
	welcome   = `{"type":"welcome","negotiatedTimeout":5000}`
	heartbeat = `{"type":"heartbeat"}`
	connected = `{"type":"msg","body":{"type":"connected","version":2,"sid":"RM1","name":"lobby","session":"s1",` +
		`"participant":{"sid":"PA1","identity":"alice"},"participants":[],"options":{"session_timeout":30}}}`
	hello   = `{"type":"hello","id":"1","version":2,"timeout":5000}`
	connect = `{"type":"connect","version":2,"token":"token","participant":{"revision":1,"tracks":[]}}`
)

func helloWith(body string) string {
	return `{"type":"hello","id":"1","version":2,"timeout":5000,"body":` + body + `}`
}

func msg(body string) string { return `{"type":"msg","body":` + body + `}` }

// client opens a socket to the server under test.
func (s *testServer) client(t *testing.T) *rawSocket {
	t.Helper()
	dialer := websocket.Dialer{NetDialContext: s.dial}
	ws, _, err := dialer.DialContext(t.Context(), s.url, nil)
	require.NoError(t, err)
	t.Cleanup(func() { ws.Close() })
	return &rawSocket{t: t, ws: ws, number: 1}
}

// slowNet delays every byte one way by half a round trip.
func slowNet(dial func(context.Context, string, string) (net.Conn, error), oneWay time.Duration) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		far, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		near, middle := net.Pipe()
		go carry(far, middle, oneWay)
		go carry(middle, far, oneWay)
		return near, nil
	}
}

// carry copies with a delay until either side ends.
func carry(to, from net.Conn, delay time.Duration) {
	type chunk struct {
		due  time.Time
		data []byte
	}
	chunks := make(chan chunk, 1024)
	go func() {
		defer close(chunks)
		for {
			buf := make([]byte, 4096)
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			chunks <- chunk{time.Now().Add(delay), buf[:n]}
		}
	}()
	for c := range chunks {
		timer := time.NewTimer(time.Until(c.due))
		<-timer.C
		if _, err := to.Write(c.data); err != nil {
			break
		}
	}
	to.Close()
	from.Close()
	for range chunks { // lets the reader end
	}
}
