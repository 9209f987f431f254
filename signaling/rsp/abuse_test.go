package rsp_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/rsp"
)

// joined is a raw client that the server has accepted.
func (s *testServer) joined(t *testing.T) (*rawSocket, *rsp.ServerConn) {
	t.Helper()
	raw := s.client(t)
	raw.send(helloWith(connect))
	c := <-s.conns
	_, err := c.ReadJoin(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, c.Accept(testState()))
	require.Equal(t, "connected", raw.readType("msg").Body["type"])
	return raw, c
}

func TestT08ForeignOrigin(t *testing.T) {
	s := loopback(t, rsp.ServerOptions{})
	host := strings.TrimSuffix(strings.TrimPrefix(s.url, "ws://"), "/signaling")
	for origin, want := range map[string]int{
		"":                         101,
		"http://" + host:           101,
		"https://evil.example":     403,
		"http://evil." + host:      403,
		"null":                     403,
		"http://" + host + ".evil": 403,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), s.url, header)
		require.NotNil(t, resp, "%v", err)
		require.Equal(t, want, resp.StatusCode, "origin %q", origin)
		if ws != nil {
			ws.Close()
		}
	}
	open := loopback(t, rsp.ServerOptions{CheckOrigin: func(r *http.Request) bool {
		return r.Header.Get("Origin") == "https://app.example"
	}})
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), open.url, http.Header{"Origin": {"https://app.example"}})
	require.NoError(t, err)
	ws.Close()
}

func TestT09OversizedMessage(t *testing.T) {
	s := loopback(t, rsp.ServerOptions{})
	raw, c := s.joined(t)
	go raw.send(strings.Repeat("x", 512<<10+1)) // the server does not read it all
	require.Equal(t, 1009, raw.drain())
	_, err := c.Receive(t.Context())
	require.Equal(t, signaling.DisconnectProtocol, requireCode(t, err, signaling.CodeSignalingOutgoingInvalid).Reason)
	c.Close()
}

func TestT09TebibyteHeader(t *testing.T) {
	for name, length := range map[string]uint64{"1 TiB": 1 << 40, "negative": 1 << 63} {
		s := loopback(t, rsp.ServerOptions{})
		raw, c := s.joined(t)
		header := binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, length)
		_, err := raw.ws.NetConn().Write(append(header, 1, 2, 3, 4))
		require.NoError(t, err)
		code := raw.drain()
		if length < 1<<63 {
			require.Equal(t, 1009, code, name)
		}
		_, err = c.Receive(t.Context())
		requireCode(t, err, signaling.CodeSignalingOutgoingInvalid)
		c.Close()
	}
}

func TestT09CompressedFrame(t *testing.T) {
	s := loopback(t, rsp.ServerOptions{})
	raw, c := s.joined(t)
	_, err := raw.ws.NetConn().Write([]byte{0x81 | 0x40, 0x80, 1, 2, 3, 4})
	require.NoError(t, err)
	require.Equal(t, 1002, raw.drain())
	_, err = c.Receive(t.Context())
	requireCode(t, err, signaling.CodeSignalingOutgoingInvalid)
	c.Close()
}

func TestT09SlowHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{HelloTimeout: 2 * time.Second})
		raw := s.client(t)
		begin := time.Now()
		cut := make(chan struct{})
		go func() { // a frame of 100 bytes, one each 100 ms
			defer close(cut)
			conn := raw.ws.NetConn()
			for b := range bytes.SplitSeq(append([]byte{0x81, 0x80 | 100, 0, 0, 0, 0}, make([]byte, 100)...), nil) {
				if _, err := conn.Write(b); err != nil {
					return
				}
				<-time.After(100 * time.Millisecond)
			}
		}()
		c := <-s.conns
		_, err := c.ReadJoin(t.Context(), nil)
		requireCode(t, err, signaling.CodeSignalingTimeout)
		require.Equal(t, 2*time.Second, time.Since(begin))
		<-cut
		c.Close()
	})
}

func TestT10FloodIsCut(t *testing.T) {
	for name, flood := range map[string]func(raw *rawSocket) error{
		"heartbeats": func(raw *rawSocket) error { return raw.ws.WriteMessage(websocket.TextMessage, []byte(heartbeat)) },
		"unknown":    func(raw *rawSocket) error { return raw.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"x"}`)) },
		"pings":      func(raw *rawSocket) error { return raw.ws.WriteControl(websocket.PingMessage, nil, time.Time{}) },
		"pongs":      func(raw *rawSocket) error { return raw.ws.WriteControl(websocket.PongMessage, nil, time.Time{}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := virtual(t, rsp.ServerOptions{})
				raw, c := s.joined(t)
				code := make(chan int, 1)
				go func() { code <- raw.drain() }()
				go func() {
					for flood(raw) == nil {
					}
				}()
				begin := time.Now()
				_, err := c.Receive(t.Context())
				require.Equal(t, signaling.DisconnectProtocol, requireCode(t, err, signaling.CodeSignalingOutgoingInvalid).Reason)
				require.Less(t, time.Since(begin), 3*time.Second)
				require.Equal(t, 1008, <-code)
				c.Close()
			})
		})
	}
}

// What a flood has under way does not reset the socket over the last words to
// its sender.
func TestT10FloodIsToldWhy(t *testing.T) {
	s := loopback(t, rsp.ServerOptions{})
	for range 2 {
		raw, c := s.joined(t)
		for range 2000 {
			require.NoError(t, raw.ws.WriteMessage(websocket.TextMessage, []byte(heartbeat)))
		}
		_, err := c.Receive(t.Context())
		requireCode(t, err, signaling.CodeSignalingOutgoingInvalid)
		c.Close()
		require.Equal(t, 1008, raw.drain())
	}
}

// A client within the rate is never cut, however long it goes on.
func TestT10SteadyRateIsFine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		raw, c := s.joined(t)
		go raw.drain()
		for range 2000 {
			require.NoError(t, raw.ws.WriteMessage(websocket.TextMessage, []byte(heartbeat)))
			<-time.After(20 * time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Receive(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// Our own client merges what it says too fast.
func TestT10ClientStaysWithinTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, c := virtual(t, rsp.ServerOptions{}).accepted(t, rsp.Options{})
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range 5000 {
				if session.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: i + 1}}) != nil {
					return
				}
				<-time.After(time.Millisecond)
			}
		}()
		last := 0
		for last < 5000 {
			u, err := c.Receive(t.Context())
			require.NoError(t, err)
			require.Greater(t, u.Participant.Revision, last)
			last = u.Participant.Revision
		}
		<-sent
		require.Less(t, c.Stats().MessagesIn, uint64(350))
	})
}

func TestT11SlowClientOverflows(t *testing.T) {
	for name, payload := range map[string]int{"messages": 10, "bytes": 100_000} {
		t.Run(name, func(t *testing.T) {
			s := loopback(t, rsp.ServerOptions{})
			raw, c := s.joined(t) // reads no more
			_ = raw
			u := signaling.Update{Published: &signaling.Published{Revision: 1, Tracks: []signaling.PublishedTrack{
				{ID: strings.Repeat("x", payload), State: signaling.PublishCreated},
			}}}
			var err error
			sent := 0
			for err == nil && sent < 1_000_000 {
				err = c.Send(u)
				sent++
			}
			require.Equal(t, signaling.DisconnectSlow, requireCode(t, err, signaling.CodeSignalingDisconnected).Reason)
			_, err = c.Receive(t.Context())
			require.Equal(t, signaling.DisconnectSlow, requireCode(t, err, signaling.CodeSignalingDisconnected).Reason)
			require.LessOrEqual(t, c.Stats().Queued, 256)
			require.LessOrEqual(t, c.Stats().QueuedBytes, 1<<20)
			c.Close()
		})
	}
}

func TestT11StuckWriteIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		_, c := s.joined(t) // reads no more
		begin := time.Now()
		require.NoError(t, c.Send(signaling.Update{Published: &signaling.Published{Revision: 1}}))
		_, err := c.Receive(t.Context())
		require.Equal(t, signaling.DisconnectSlow, requireCode(t, err, signaling.CodeSignalingDisconnected).Reason)
		require.Equal(t, 2*time.Second, time.Since(begin))
		require.Equal(t, err, c.Send(signaling.Update{Published: &signaling.Published{Revision: 2}}))
		c.Close()
	})
}

// End and Reject do not wait for a client that does not read.
func TestT11EndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		_, c := s.joined(t)
		begin := time.Now()
		c.End(nil, signaling.DisconnectRemoved, 0)
		require.LessOrEqual(t, time.Since(begin), 2*time.Second)
	})
}

func TestT09MalformedMessages(t *testing.T) {
	for _, bad := range []string{
		`nonsense`, `[]`, `{}`, `null`, `{"type":7}`, `{"type":"msg"}`, `{"type":"msg","body":[]}`,
		`{"type":"hello","version":"2"}`,
		msg(`{"type":"update","participant":"me"}`),
		msg(`{"type":"update","participant":{"revision":-1,"tracks":[]}}`),
		msg(`{"type":"update","participant":{"revision":1e99,"tracks":[]}}`),
		msg(`{"type":"update","participant":{"revision":1,"tracks":[{"kind":"audio"}]}}`),
		msg(`{"type":"update","peer_connections":[{"description":{"type":"offer","revision":1}}]}`),
		msg(`{"type":"update","peer_connections":[` + strings.Repeat(`{"id":"x"},`, 64) + `{"id":"x"}]}`),
		msg(`{"type":"update","participant":{"revision":1,"tracks":[` + strings.Repeat(`{"id":"x"},`, 256) + `{"id":"x"}]}}`),
		msg(`{"type":"update","channels":[{"name":"x"}]}`),
		msg(`{"type":"update","subscribe":{"revision":1,"rules":[{"type":"maybe"}]}}`),
		msg(`{"type":"` + strings.Repeat("x", 65) + `"}`),
		msg(strings.Repeat(`{"a":`, 20000) + `1` + strings.Repeat(`}`, 20000)),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := virtual(t, rsp.ServerOptions{})
			raw, c := s.joined(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				f := raw.readType("msg")
				assert.Equal(t, "error", f.Body["type"])
				assert.EqualValues(t, 53004, f.Body["code"])
				assert.Equal(t, "protocol", f.Body["reason"])
				assert.Equal(t, 1008, raw.drain())
			}()
			raw.send(bad)
			begin := time.Now()
			_, err := c.Receive(t.Context())
			c.Close() // at once: the client must have been told by now
			e := requireCode(t, err, signaling.CodeSignalingOutgoingInvalid)
			require.Equal(t, signaling.DisconnectProtocol, e.Reason, "%.80s", bad)
			require.Zero(t, time.Since(begin))
			<-done
		})
	}
}

func TestT26HostileServer(t *testing.T) {
	many := func(n int, entry string) string { return strings.Repeat(entry+",", n-1) + entry }
	for name, c := range map[string]struct {
		frames []string
		code   signaling.Code
	}{
		"not JSON":               {[]string{`nonsense`}, 53003},
		"array":                  {[]string{`[]`}, 53003},
		"no type":                {[]string{`{}`}, 53003},
		"msg without body":       {[]string{`{"type":"msg"}`}, 53003},
		"deep":                   {[]string{msg(strings.Repeat(`[`, 200_000))}, 53003},
		"participants no list":   {[]string{msg(`{"type":"update","participants":{}}`)}, 53003},
		"participant no sid":     {[]string{msg(`{"type":"update","participants":[{"revision":1,"tracks":[]}]}`)}, 53003},
		"participant null":       {[]string{msg(`{"type":"update","participants":[null]}`)}, 53003},
		"negative revision":      {[]string{msg(`{"type":"update","published":{"revision":-4}}`)}, 53003},
		"fractional revision":    {[]string{msg(`{"type":"update","published":{"revision":1.5}}`)}, 53003},
		"1001 participants":      {[]string{msg(`{"type":"update","participants":[` + many(1001, `{"sid":"PA1"}`) + `]}`)}, 53003},
		"65 peer connections":    {[]string{msg(`{"type":"update","peer_connections":[` + many(65, `{"id":"x"}`) + `]}`)}, 53003},
		"1025 candidates":        {[]string{msg(`{"type":"update","peer_connections":[{"id":"x","ice":{"candidates":[` + many(1025, `{}`) + `]}}]}`)}, 53003},
		"257 tracks":             {[]string{msg(`{"type":"update","participants":[{"sid":"PA1","tracks":[` + many(257, `{"sid":"MT"}`) + `]}]}`)}, 53003},
		"sequence number":        {[]string{msg(`{"type":"update","subscribed":{"revision":1,"tracks":[{"sid":"MT","id":"1","from":65536}]}}`)}, 53003},
		"ready without sid":      {[]string{msg(`{"type":"update","published":{"revision":1,"tracks":[{"id":"a","state":"ready"}]}}`)}, 53003},
		"long sid":               {[]string{msg(`{"type":"update","participants":[{"sid":"` + strings.Repeat("x", 4097) + `"}]}`)}, 53003},
		"message over 1 MiB":     {[]string{msg(`{"type":"update","x":"` + strings.Repeat("x", 1<<20) + `"}`)}, 53003},
		"error":                  {[]string{msg(`{"type":"error","code":53205,"message":"m"}`)}, 53205},
		"error without code":     {[]string{msg(`{"type":"error"}`)}, 0},
		"unknown error":          {[]string{msg(`{"type":"error","code":99999}`)}, 99999},
		"error code text":        {[]string{msg(`{"type":"error","code":"53205"}`)}, 53003},
		"completed":              {[]string{msg(`{"type":"disconnected","status":"completed"}`)}, 53118},
		"disconnected":           {[]string{msg(`{"type":"disconnected"}`)}, 0},
		"unknown, then the end":  {[]string{`{"type":"x","body":7}`, msg(`{"type":"x","participants":7}`), heartbeat, msg(`{"type":"error","code":53104}`)}, 53104},
		"second welcome, busy":   {[]string{welcome, `{"type":"busy","retryAfter":-1}`, `{"type":"bad"}`, `{"type":"bye"}`, msg(`{"type":"error","code":53104}`)}, 53104},
		"second connected":       {[]string{connected, connected[:0] + msg(`{"type":"error","code":53104}`)}, 53104},
		"tiny heartbeat":         {[]string{`{"type":"welcome","negotiatedTimeout":0.001}`, msg(`{"type":"error","code":53104}`)}, 53104},
		"connected, bad the 2nd": {[]string{msg(`{"type":"connected"}`)}, 53003},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := scripted(t, func(s *rawSocket) {
					s.readType("hello")
					go s.send(append([]string{welcome, connected}, c.frames...)...)
					s.drain()
				})
				session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
				require.NoError(t, err)
				begin := time.Now()
				for err == nil {
					_, err = session.Receive(t.Context())
				}
				requireCode(t, err, c.code)
				require.Zero(t, time.Since(begin))
				require.NotEmpty(t, err.Error())
				require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
			})
		})
	}
}

func TestT26HostileAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		frames []string
		code   signaling.Code
	}{
		"no participant":        {[]string{welcome, msg(`{"type":"connected","session":"s"}`)}, 53003},
		"participant no object": {[]string{welcome, msg(`{"type":"connected","participant":[]}`)}, 53003},
		"bad":                   {[]string{`{"type":"bad","reason":"version"}`}, 53000},
		"refused":               {[]string{welcome, msg(`{"type":"error","code":20104,"message":"expired"}`)}, 20104},
		"completed":             {[]string{welcome, msg(`{"type":"disconnected","status":"completed"}`)}, 53118},
		"disconnected":          {[]string{welcome, msg(`{"type":"disconnected","status":"x"}`)}, 53001},
		"ICE server no urls":    {[]string{welcome, msg(`{"type":"connected","participant":{"sid":"PA"},"parley":{"ice_servers":[{}]}}`)}, 53003},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := scripted(t, func(s *rawSocket) {
					s.readType("hello")
					s.send(c.frames...)
					s.drain()
				})
				_, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
				requireCode(t, err, c.code)
			})
		})
	}
	for name, end := range map[string]func(ws *websocket.Conn){
		"closed 1000": func(ws *websocket.Conn) {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Time{})
		},
		"dropped": func(ws *websocket.Conn) { ws.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := scripted(t, func(s *rawSocket) {
					s.readType("hello")
					end(s.ws)
				})
				_, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
				requireCode(t, err, signaling.CodeSignalingConnection)
			})
		})
	}
}

// A close with 1000 ends a session without an error code, any other loses it.
func TestCloseCodes(t *testing.T) {
	for code, want := range map[int]signaling.Code{1000: 0, 1001: 53001, 1011: 53001, 4321: 53001} {
		synctest.Test(t, func(t *testing.T) {
			opts := scripted(t, func(s *rawSocket) {
				s.readType("hello")
				s.send(welcome, connected)
				_ = s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Time{})
				s.drain()
			})
			session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
			require.NoError(t, err)
			_, err = session.Receive(t.Context())
			requireCode(t, err, want)
			require.NoError(t, session.Close(t.Context(), signaling.ReasonReplaced))
		})
	}
}

// rawHTTP answers each connection's request with what answer makes of its key.
func rawHTTP(answer func(conn net.Conn, accept string)) rsp.Options {
	return rsp.Options{URL: "ws://hostile/", NetDialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			buf := make([]byte, 4096)
			n, _ := far.Read(buf)
			_, rest, _ := strings.Cut(string(buf[:n]), "Sec-WebSocket-Key: ")
			key, _, _ := strings.Cut(rest, "\r\n")
			sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			answer(far, base64.StdEncoding.EncodeToString(sum[:]))
		}()
		return near, nil
	}}
}

// A server that compresses although we did not offer it could send little that
// inflates to very much.
func TestT26DeflateBomb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bomb bytes.Buffer
		z, err := flate.NewWriter(&bomb, flate.BestCompression)
		require.NoError(t, err)
		_, err = z.Write(make([]byte, 4<<20))
		require.NoError(t, err)
		require.NoError(t, z.Flush())
		opts := rawHTTP(func(conn net.Conn, accept string) {
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
				"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n", accept)
			header := binary.BigEndian.AppendUint64([]byte{0x81 | 0x40, 127}, uint64(bomb.Len()))
			_, _ = conn.Write(append(header, bomb.Bytes()...))
		})
		_, err = rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		requireCode(t, err, signaling.CodeSignalingConnection)
		require.ErrorContains(t, err, "extension")
	})
}

func TestT26EndlessHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := make(chan int, 1)
		opts := rawHTTP(func(conn net.Conn, _ string) {
			n, _ := conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n"))
			line := []byte("X-Filler: " + strings.Repeat("x", 1000) + "\r\n")
			for {
				m, err := conn.Write(line)
				n += m
				if err != nil {
					written <- n
					return
				}
			}
		})
		begin := time.Now()
		_, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		requireCode(t, err, signaling.CodeSignalingConnection)
		require.Zero(t, time.Since(begin))
		require.LessOrEqual(t, <-written, 300<<10)
	})
}

func TestRefusedUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := rawHTTP(func(conn net.Conn, _ string) {
			fmt.Fprint(conn, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
		})
		_, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		require.Equal(t, 7*time.Second, requireCode(t, err, signaling.CodeSignalingConnection).RetryAfter)
		require.ErrorContains(t, err, "503")
	})
}

func TestUnusableURL(t *testing.T) {
	for url, want := range map[string]string{
		"":                           "no URL",
		"http://example.com":         `"http" is neither`,
		"example.com/signaling":      "neither ws nor wss",
		"ws://":                      "no host",
		"ws://:80/":                  "no host",
		"ws://user:secret@host/":     "user name",
		"ws://host:port/?key=secret": "malformed",
		"ws://ho st/":                "malformed",
		"://secret":                  "malformed",
	} {
		for _, acquire := range []bool{true, false} {
			tr := rsp.NewTransport(rsp.Options{URL: url, AcquireICE: acquire})
			_, err := tr.Dial(t.Context(), signaling.Join{})
			requireCode(t, err, signaling.CodeSignalingConnection)
			require.ErrorContains(t, err, want, "URL %q", url)
			require.NotContains(t, err.Error(), "secret")
			if acquire {
				_, err = tr.Prepare(t.Context(), "token")
				requireCode(t, err, signaling.CodeSignalingConnection)
			}
		}
	}
	_, err := rsp.NewTransport(rsp.Options{URL: "ws://x", NetDialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route")
	}}).Dial(t.Context(), signaling.Join{})
	requireCode(t, err, signaling.CodeSignalingConnection)
	require.ErrorContains(t, err, "no route")
}

// lockedBuffer collects what several loggers write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestT27TokenIsNeverLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const canary = "CANARY-5f2e"
		var logs lockedBuffer
		logger := slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))
		s := virtual(t, rsp.ServerOptions{Logger: logger})
		serve := func(answer func(c *rsp.ServerConn)) {
			go func() {
				c := <-s.conns
				_, err := c.ReadJoin(t.Context(), func(string) ([]signaling.ICEServer, *signaling.Error) {
					return []signaling.ICEServer{{URLs: []string{"turn:x"}, Username: "u", Credential: canary}}, nil
				})
				if err == nil {
					answer(c)
					_, _ = c.Receive(t.Context())
				}
				c.Close()
			}()
		}
		tr := s.transport(rsp.Options{Logger: logger, AcquireICE: true, Header: http.Header{"X-Key": {canary}}})
		serve(nil)
		_, err := tr.Prepare(t.Context(), canary)
		require.NoError(t, err)
		join := signaling.Join{Token: canary}
		serve(func(c *rsp.ServerConn) { assert.NoError(t, c.Accept(testState())) })
		session, err := tr.Dial(t.Context(), join)
		require.NoError(t, err)
		require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
		serve(func(c *rsp.ServerConn) { assert.NoError(t, c.Reject(signaling.NewError(signaling.CodeTokenInvalid))) })
		_, err = tr.Dial(t.Context(), join)
		requireCode(t, err, signaling.CodeTokenInvalid)
		require.NotContains(t, err.Error(), canary)

		// A join that is malformed right beside its token.
		raw := s.client(t)
		raw.send(helloWith(`{"type":"connect","token":"` + canary + `","name":7}`))
		go raw.drain()
		c := <-s.conns
		_, err = c.ReadJoin(t.Context(), nil)
		require.Error(t, err)
		require.NotContains(t, err.Error(), canary)
		c.Close()

		require.NotEmpty(t, logs.String(), "nothing was logged at all")
		require.NotContains(t, logs.String(), canary)
	})
}
