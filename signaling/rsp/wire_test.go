package rsp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/rsp"
)

// bubble runs the test against a virtual server with a raw client.
func bubble(t *testing.T, opts rsp.ServerOptions, f func(t *testing.T, s *testServer, raw *rawSocket, c *rsp.ServerConn)) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, opts)
		raw := s.client(t)
		f(t, s, raw, <-s.conns)
	})
}

func TestAcceptOnTheWire(t *testing.T) {
	bubble(t, rsp.ServerOptions{}, func(t *testing.T, _ *testServer, raw *rawSocket, c *rsp.ServerConn) {
		raw.send(helloWith(`{"type":"connect","version":2,"name":null,"token":"token","format":"unified","ice_servers":"overrode",
			"publisher":{"name":"twilio-video.js","sdk_version":"2.36.0","user_agent":"Mozilla/5.0 (X11)"},
			"participant":{"revision":4,"tracks":[{"id":"x","kind":"audio","name":"x","enabled":true,"priority":"standard","audio_processor":"krisp"}]},
			"peer_connections":[{"id":"pc","description":{"type":"offer","revision":1,"sdp":"v=0"}}],
			"media_signaling":{"network_quality":{"transports":[{"type":"data-channel"}]},"active_speaker":{"transports":[{"type":"data-channel"}]}},
			"subscribe":{"revision":1,"rules":[{"type":"exclude","all":true}]},
			"bandwidth_profile":{"video":{"mode":"grid"}}}`))
		join, err := c.ReadJoin(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, signaling.Join{
			Token: "token",
			Participant: signaling.LocalParticipant{Revision: 4, Tracks: []signaling.LocalTrack{
				{ID: "x", Kind: signaling.KindAudio, Name: "x", Enabled: true, Priority: signaling.PriorityStandard},
			}},
			PeerConnections: []signaling.PeerConnection{{ID: "pc", Description: &signaling.Description{
				Type: signaling.DescriptionOffer, Revision: 1, SDP: "v=0",
			}}},
			Subscribe:        signaling.Subscribe{Revision: 1, Rules: []signaling.Rule{{Exclude: true, All: true}}},
			BandwidthProfile: &signaling.BandwidthProfile{Mode: signaling.BandwidthGrid},
			Channels:         []string{"active_speaker", "network_quality"},
			OwnICEServers:    true,
			Agent:            "twilio-video.js/2.36.0 (Mozilla/5.0 (X11))",
		}, join)
		require.Equal(t, join.Agent, c.Agent())
		require.False(t, c.Extended())

		state := testState()
		state.ICEServers = []signaling.ICEServer{{URLs: []string{"stun:x"}}}
		state.Update.Participants = []signaling.RemoteParticipant{{SID: "PA2", Identity: "bob", Revision: 1, State: signaling.StateConnected}}
		state.Update.Channels = []signaling.Channel{
			{Name: "active_speaker", Label: "l1"},
			{Name: "render_hints", Payload: []byte(`{}`)}, // not for a stranger to the extensions
		}
		go func() { assert.NoError(t, c.Accept(state)) }()
		first, ok := raw.read()
		require.True(t, ok)
		require.Equal(t, "welcome", first.Type, "nothing is read before it")
		require.JSONEq(t, `{"type":"msg","body":{"type":"connected","version":2,"sid":"RM1","name":"lobby","session":"session-1",
			"participant":{"sid":"PA1","identity":"alice"},
			"participants":[{"sid":"PA2","identity":"bob","revision":1,"state":"connected","tracks":[]}],
			"peer_connections":[],"media_signaling":{"active_speaker":{"transport":{"type":"data-channel","label":"l1"}}},
			"options":{"session_timeout":30,"audio_processors":["krisp","rnnoise"]}}}`, raw.readType("msg").raw)
		go func() {
			assert.NoError(t, c.Send(signaling.Update{Channels: []signaling.Channel{{Name: "x", Payload: []byte(`1`)}}}))
			assert.NoError(t, c.Send(signaling.Update{Warnings: &signaling.Warnings{Revision: 1}}))
			assert.NoError(t, c.Send(signaling.Update{Recording: &signaling.Recording{Revision: 1}}))
		}()
		require.JSONEq(t, `{"type":"msg","body":{"type":"update","version":2,"recording":{"revision":1,"is_recording":false}}}`,
			raw.readType("msg").raw, "neither channel messages nor warnings were asked for")
	})
}

func TestSyncedOnTheWire(t *testing.T) {
	bubble(t, rsp.ServerOptions{}, func(t *testing.T, _ *testServer, raw *rawSocket, c *rsp.ServerConn) {
		raw.send(helloWith(`{"type":"sync","version":2,"name":"lobby","session":"s9","token":"t","participant":{"revision":4,"tracks":[]},"peer_connections":[]}`))
		join, err := c.ReadJoin(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, "s9", join.Resume)
		go func() { assert.NoError(t, c.Accept(testState())) }()
		body := raw.readType("msg").Body
		require.Equal(t, "synced", body["type"])
		require.NotContains(t, body, "peer_connections", "an empty list would close them")
		require.Contains(t, body, "options")
		require.Equal(t, []any{}, body["participants"])
	})
}

func TestRepeatedHello(t *testing.T) {
	bubble(t, rsp.ServerOptions{}, func(t *testing.T, _ *testServer, raw *rawSocket, c *rsp.ServerConn) {
		raw.send(helloWith(connect), helloWith(connect))
		require.Equal(t, "welcome", raw.readType("welcome").Type, "an impatient client is welcomed before the decision")
		_, err := c.ReadJoin(t.Context(), nil)
		require.NoError(t, err)
		go func() { assert.NoError(t, c.Accept(testState())) }()
		raw.readType("msg")
		go raw.send(helloWith(connect), msg(connect), msg(`{"type":"sync","session":"s","participant":{"revision":1,"tracks":[]}}`),
			msg(`{"type":"update","participant":{"revision":2,"tracks":[]}}`))
		go raw.drain()
		u, err := c.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, u.Participant.Revision, "the second joins are nothing")
		_, err = c.ReadJoin(canceled(t), nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Error(t, c.Accept(testState()))
		require.Error(t, c.Reject(signaling.NewError(signaling.CodeRoomNotFound)))
	})
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestICEThenConnect(t *testing.T) {
	bubble(t, rsp.ServerOptions{}, func(t *testing.T, _ *testServer, raw *rawSocket, c *rsp.ServerConn) {
		joined := make(chan signaling.Join, 1)
		go func() {
			join, err := c.ReadJoin(t.Context(), func(token string) ([]signaling.ICEServer, *signaling.Error) {
				assert.Equal(t, "jwt", token)
				return nil, nil
			})
			assert.NoError(t, err)
			joined <- join
		}()
		raw.send(helloWith(`{"type":"ice","version":1,"edge":"roaming","token":"jwt"}`))
		raw.readType("welcome")
		require.JSONEq(t, `{"type":"msg","body":{"type":"iced","version":1,"ice_servers":[]}}`, raw.readType("msg").raw)
		raw.send(msg(connect))
		require.Equal(t, "token", (<-joined).Token)
		// Welcome was said: busy would not be understood any more.
		busy := signaling.NewError(signaling.CodeServerBusy)
		busy.RetryAfter = 2 * time.Second
		go func() { assert.NoError(t, c.Reject(busy)) }()
		body := raw.readType("msg").Body
		require.EqualValues(t, 53006, body["code"])
		require.EqualValues(t, 2000, body["retry_after"])
		require.Equal(t, 1008, raw.drain())
	})
}

func TestICERefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		served := make(chan struct{})
		go func() {
			defer close(served)
			c := <-s.conns
			_, err := c.ReadJoin(t.Context(), func(string) ([]signaling.ICEServer, *signaling.Error) {
				return nil, signaling.NewError(signaling.CodeTokenExpired)
			})
			assert.ErrorIs(t, err, signaling.NewError(signaling.CodeTokenExpired))
		}()
		_, err := s.transport(rsp.Options{AcquireICE: true}).Prepare(t.Context(), "jwt")
		requireCode(t, err, signaling.CodeTokenExpired)
		<-served
	})
}

func TestPrepareAcquiresICE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		want := []signaling.ICEServer{
			{URLs: []string{"stun:a"}}, {URLs: []string{"turn:b", "turns:c"}, Username: "u", Credential: "p"},
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			c := <-s.conns
			_, err := c.ReadJoin(t.Context(), func(string) ([]signaling.ICEServer, *signaling.Error) { return want, nil })
			assert.ErrorIs(t, err, io.EOF)
			c.Close()
		}()
		begin := time.Now()
		got, err := s.transport(rsp.Options{AcquireICE: true}).Prepare(t.Context(), "jwt")
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Zero(t, time.Since(begin))
		<-served

		got, err = s.transport(rsp.Options{}).Prepare(t.Context(), "jwt")
		require.NoError(t, err)
		require.Nil(t, got, "they come with the join")
	})
}

func TestBadVersion(t *testing.T) {
	bubble(t, rsp.ServerOptions{}, func(t *testing.T, _ *testServer, raw *rawSocket, c *rsp.ServerConn) {
		raw.send(`{"type":"hello","id":"1","version":3,"body":` + connect + `}`)
		raw.readType("bad")
		require.Equal(t, 1008, raw.drain())
		_, err := c.ReadJoin(t.Context(), nil)
		requireCode(t, err, signaling.CodeSignalingOutgoingInvalid)
	})
}

func TestBusyOnTheWire(t *testing.T) {
	bubble(t, rsp.ServerOptions{}, func(t *testing.T, _ *testServer, raw *rawSocket, c *rsp.ServerConn) {
		raw.send(helloWith(connect))
		_, err := c.ReadJoin(t.Context(), nil)
		require.NoError(t, err)
		busy := signaling.NewError(signaling.CodeServerBusy)
		busy.RetryAfter = 1500 * time.Millisecond
		go func() { assert.NoError(t, c.Reject(busy)) }()
		f, ok := raw.read()
		require.True(t, ok)
		require.JSONEq(t, `{"type":"busy","retryAfter":1500,"keepAlive":false,"cookie":null}`, f.raw)
		require.Equal(t, 1013, raw.drain())
	})
}

// A busy server and our client: the client comes back by itself.
func TestBusyThenAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		done := make(chan error, 1)
		begin := time.Now()
		go func() {
			session, err := s.transport(rsp.Options{}).Dial(t.Context(), signaling.Join{Token: "token"})
			if err == nil {
				err = session.Close(t.Context(), signaling.ReasonReplaced)
			}
			done <- err
		}()
		c := <-s.conns
		_, err := c.ReadJoin(t.Context(), nil)
		require.NoError(t, err)
		busy := signaling.NewError(signaling.CodeServerBusy)
		busy.RetryAfter = 3 * time.Second
		require.NoError(t, c.Reject(busy))
		c = <-s.conns
		require.Equal(t, 3*time.Second, time.Since(begin))
		_, err = c.ReadJoin(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, c.Accept(testState()))
		require.NoError(t, <-done)
	})
}

// Every code arrives as it was sent, as a refusal and as an end.
func TestEveryCode(t *testing.T) {
	var codes []signaling.Code
	for code := signaling.Code(20000); code < 54000; code++ {
		if !strings.HasPrefix(code.Text(), "error ") && code != signaling.CodeServerBusy {
			codes = append(codes, code)
		}
	}
	require.Greater(t, len(codes), 50)
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		for _, code := range codes {
			refusal := signaling.NewError(code)
			refusal.RetryAfter = 1500 * time.Millisecond
			refusal.Reason = signaling.DisconnectProtocol
			served := make(chan struct{})
			go func() {
				defer close(served)
				c := <-s.conns
				_, err := c.ReadJoin(t.Context(), nil)
				assert.NoError(t, err)
				assert.NoError(t, c.Reject(refusal))
				assert.Error(t, c.Accept(testState()), "exactly one answer")
			}()
			_, err := s.transport(rsp.Options{}).Dial(t.Context(), signaling.Join{})
			require.Equal(t, refusal, requireCode(t, err, code))
			<-served

			session, c := s.accepted(t, rsp.Options{})
			go c.End(refusal, "", 0)
			_, err = session.Receive(t.Context())
			e := requireCode(t, err, code)
			require.Equal(t, refusal.RetryAfter, e.RetryAfter)
			require.Equal(t, refusal.Message, e.Message)
		}
	})
}

func TestEndOnTheWire(t *testing.T) {
	for _, c := range []struct {
		err    *signaling.Error
		reason signaling.DisconnectReason
		retry  time.Duration
		body   string
		code   int
	}{
		{nil, signaling.DisconnectCompleted, 0, `{"type":"disconnected","version":2,"status":"completed","reason":"completed"}`, 1000},
		{signaling.NewError(signaling.CodeRoomCompleted), "", 0, `{"type":"disconnected","version":2,"status":"completed"}`, 1000},
		{nil, signaling.DisconnectRemoved, 0, `{"type":"disconnected","version":2,"status":"disconnected","reason":"removed"}`, 1000},
		{nil, signaling.DisconnectShutdown, time.Second, `{"type":"disconnected","version":2,"status":"disconnected","reason":"shutdown","retry_after":1000}`, 1012},
		{&signaling.Error{Code: 53205, Message: "again"}, "duplicate", -time.Second, `{"type":"error","version":2,"code":53205,"message":"again","reason":"duplicate","retry_after":-1}`, 1000},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := virtual(t, rsp.ServerOptions{})
			raw, conn := s.joined(t)
			ended := make(chan struct{})
			go func() {
				conn.End(c.err, c.reason, c.retry)
				conn.End(nil, signaling.DisconnectLeft, 0) // the first counts
				close(ended)
			}()
			body, err := json.Marshal(raw.readType("msg").Body)
			require.NoError(t, err)
			require.JSONEq(t, c.body, string(body))
			require.Equal(t, c.code, raw.drain())
			begin := time.Now()
			<-ended
			require.Zero(t, time.Since(begin), "End waits for a client that hangs up no longer than that")
			_, err = conn.Receive(t.Context())
			var e *signaling.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, err, conn.Send(signaling.Update{}))
		})
	}
}

func TestExtensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		state := signaling.State{
			Session:     "s1",
			Room:        signaling.Room{SID: "RM1", Name: "lobby", SessionTimeout: 90 * time.Second, SignalingRegion: "eu", MediaRegion: "us", MaxParticipants: 40},
			Participant: signaling.Identity{SID: "PA1", Identity: "alice"},
			Capabilities: signaling.Capabilities{
				Resume: true, Slots: true, Subscribe: true, Channels: []string{"active_speaker", "render_hints"},
			},
			Permissions: &signaling.Permissions{Publish: true, Moderate: true},
			ICEServers:  []signaling.ICEServer{{URLs: []string{"turn:x"}, Username: "u", Credential: "c"}},
			Update: signaling.Update{
				Full: true,
				Participants: []signaling.RemoteParticipant{
					{SID: "PA2", Identity: "bob", Revision: 3, State: signaling.StateDisconnected, Reason: signaling.DisconnectTimeout},
				},
				Published:       &signaling.Published{Revision: 1},
				Subscribed:      &signaling.Subscribed{Revision: 1, Tracks: []signaling.Subscription{{SID: "MT1", ID: "3", From: 65535}}},
				Recording:       &signaling.Recording{Revision: 1, Active: true},
				PeerConnections: []signaling.PeerConnection{{ID: "pc", Description: &signaling.Description{Type: signaling.DescriptionAnswer, Revision: 1, SDP: "v=0\r\na=<b>&\r\n"}}},
				Channels:        []signaling.Channel{{Name: "render_hints", Label: "rh"}, {Name: "active_speaker", Payload: []byte(`{"a":1}`)}},
			},
		}
		type dialed struct {
			s   signaling.Session
			err error
		}
		ch := make(chan dialed, 1)
		sent := signaling.Join{Token: "t", Slots: true, Channels: []string{"render_hints"}, Agent: "bot/2.0 (linux; arm64)"}
		go func() {
			session, err := s.transport(rsp.Options{}).Dial(t.Context(), sent)
			ch <- dialed{session, err}
		}()
		c := <-s.conns
		join, err := c.ReadJoin(t.Context(), nil)
		require.NoError(t, err)
		require.True(t, join.Slots)
		require.Equal(t, sent.Channels, join.Channels)
		require.Equal(t, sent.Agent, c.Agent())
		require.True(t, c.Extended())
		require.NoError(t, c.Accept(state))
		d := <-ch
		require.NoError(t, d.err)
		require.Equal(t, state, d.s.Initial())

		rules := signaling.Subscribe{Revision: 2, Rules: []signaling.Rule{
			{Kind: signaling.KindAudio}, {Exclude: true, Publisher: "PA2", Track: "camera"},
		}}
		require.NoError(t, d.s.Send(signaling.Update{Subscribe: &rules, Channels: []signaling.Channel{
			{Name: "render_hints", Payload: []byte(`{"id":1}`)}, {Name: "render_hints", Payload: []byte(`{"id":2}`)},
		}}))
		u, err := c.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, &rules, u.Subscribe)
		require.Len(t, u.Channels, 2)
		require.JSONEq(t, `{"id":2}`, string(u.Channels[1].Payload))
		require.Error(t, d.s.Send(signaling.Update{Channels: []signaling.Channel{{Name: "x", Payload: []byte(`{`)}}}))

		require.NoError(t, c.Send(signaling.Update{
			Warnings:  &signaling.Warnings{Revision: 2, NoMedia: map[string]bool{"MT1": true, "MT2": false}},
			Recording: &signaling.Recording{Revision: 2},
		}))
		u, err = d.s.Receive(t.Context())
		require.NoError(t, err)
		require.False(t, u.Recording.Active)
		u, err = d.s.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]bool{"MT1": true, "MT2": false}, u.Warnings.NoMedia)
		require.NoError(t, d.s.Close(t.Context(), signaling.ReasonReplaced))
	})
}

// A server without the extensions sees nothing of them but what it ignores.
func TestForeignServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		updates := make(chan rawFrame, 8)
		opts := scripted(t, func(s *rawSocket) {
			body := s.readType("hello").Body
			assert.Nil(t, body["name"])
			assert.Contains(t, body, "name")
			assert.Equal(t, "acquire", body["ice_servers"])
			assert.Equal(t, "unified", body["format"])
			assert.NotContains(t, body, "session")
			s.send(welcome, connected)
			for {
				f, ok := s.read()
				if !ok {
					return
				}
				updates <- f
			}
		})
		session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{
			Token: "t", Participant: signaling.LocalParticipant{Revision: 3},
		})
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, session.Initial().Room.SessionTimeout)
		require.Equal(t, signaling.Capabilities{Resume: true}, session.Initial().Capabilities)
		require.NoError(t, session.Send(signaling.Update{
			Subscribe: &signaling.Subscribe{Revision: 2},
			Channels:  []signaling.Channel{{Name: "x", Payload: []byte(`1`)}},
		}))
		require.NoError(t, session.Send(signaling.Update{PeerConnections: []signaling.PeerConnection{{ID: "pc", ICE: &signaling.ICE{Ufrag: "u", Revision: 1}}}}))
		require.JSONEq(t, `{"type":"msg","body":{"type":"update","version":2,"session":"s1","participant":{"revision":3,"tracks":[]},
			"peer_connections":[{"id":"pc","ice":{"ufrag":"u","revision":1,"candidates":[]}}]}}`, (<-updates).raw)
		require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
		require.JSONEq(t, `{"type":"msg","body":{"type":"disconnect","version":2,"session":"s1"}}`, (<-updates).raw)
		require.Equal(t, "bye", (<-updates).Type)
	})
}

// brokenConn is a connection whose other end has gone after its last words:
// writing fails, what has arrived can still be read.
type brokenConn struct {
	net.Conn
	broken atomic.Bool
}

func (c *brokenConn) Write(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

func TestLastWordsBeatABrokenPipe(t *testing.T) {
	for words, want := range map[string]signaling.Code{
		msg(`{"type":"error","code":53205}`): signaling.CodeDuplicateIdentity,
		heartbeat:                            signaling.CodeSignalingDisconnected,
	} {
		synctest.Test(t, func(t *testing.T) {
			var conn *brokenConn
			opts := scripted(t, func(s *rawSocket) {
				s.readType("hello")
				s.send(welcome, connected)
				<-time.After(time.Second)
				s.send(words)
				<-s.t.Context().Done()
			})
			dial := opts.NetDialContext
			opts.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := dial(ctx, network, addr)
				conn = &brokenConn{Conn: c}
				return conn, err
			}
			session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
			require.NoError(t, err)
			<-time.After(900 * time.Millisecond)
			conn.broken.Store(true)
			require.NoError(t, session.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: 1}}))
			begin := time.Now()
			_, err = session.Receive(t.Context())
			requireCode(t, err, want)
			require.LessOrEqual(t, time.Since(begin), 250*time.Millisecond)
			require.Equal(t, err, session.Send(signaling.Update{}))
			require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
		})
	}
}

// A server that does not read is given up after the write timeout.
func TestStuckServerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := scripted(t, func(s *rawSocket) {
			s.readType("hello")
			s.send(welcome, connected)
			for s.t.Context().Err() == nil { // hears nothing, still talks
				s.send(heartbeat)
				select {
				case <-time.After(time.Second):
				case <-s.t.Context().Done():
				}
			}
		})
		session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		require.NoError(t, err)
		begin := time.Now()
		require.NoError(t, session.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: 1}}))
		_, err = session.Receive(t.Context())
		requireCode(t, err, signaling.CodeSignalingDisconnected)
		require.ErrorContains(t, err, "sending")
		require.Equal(t, 5250*time.Millisecond, time.Since(begin))
		begin = time.Now()
		require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
		require.Zero(t, time.Since(begin))
	})
}

// Leaving takes at most a second, whatever the network does.
func TestLeaveOfAStuckServerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := scripted(t, func(s *rawSocket) {
			s.readType("hello")
			s.send(welcome, connected)
			<-s.t.Context().Done()
		})
		session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		require.NoError(t, err)
		begin := time.Now()
		require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
		require.LessOrEqual(t, time.Since(begin), time.Second)
	})
}

func TestOverTLS(t *testing.T) {
	s := &testServer{conns: make(chan *rsp.ServerConn, 4)}
	srv := httptest.NewUnstartedServer(s.handler(t, rsp.ServerOptions{}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused certificate
	srv.StartTLS()
	t.Cleanup(srv.Close)
	s.url = "wss" + strings.TrimPrefix(srv.URL, "https")
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	session, c := s.accepted(t, rsp.Options{TLSConfig: &tls.Config{RootCAs: pool}})
	require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
	_, err := c.Receive(t.Context())
	require.ErrorIs(t, err, io.EOF)

	_, err = s.transport(rsp.Options{}).Dial(t.Context(), signaling.Join{})
	requireCode(t, err, signaling.CodeSignalingConnection)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown, "certificates are verified by default")
}

func TestUpgradeRefusesPlainHTTP(t *testing.T) {
	rec := httptest.NewRecorder()
	_, err := rsp.Upgrade(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), rsp.ServerOptions{})
	requireCode(t, err, signaling.CodeSignalingConnection)
	require.Equal(t, http.StatusBadRequest, rec.Code)
}

// Close ends a connection in any phase and waits for its goroutines.
func TestServerCloseAnytime(t *testing.T) {
	for name, frames := range map[string][]string{"upgraded": nil, "greeted": {hello}, "joining": {helloWith(connect)}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, rsp.ServerOptions{}, func(t *testing.T, _ *testServer, raw *rawSocket, c *rsp.ServerConn) {
				raw.send(frames...)
				synctest.Wait()
				go raw.drain()
				c.Close()
				c.Close()
				c.End(nil, signaling.DisconnectRemoved, 0)
				_, err := c.Receive(t.Context())
				require.Error(t, err)
				require.Error(t, c.Send(signaling.Update{}))
			})
		})
	}
}
