package rsp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/rsp"
)

func requireCode(t *testing.T, err error, code signaling.Code) *signaling.Error {
	t.Helper()
	var e *signaling.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "of %v", err)
	return e
}

func TestJoinTakesOneRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		s.dial = slowNet(s.dial, 50*time.Millisecond)
		begin := time.Now()
		session, _ := s.accepted(t, rsp.Options{})
		// One for the upgrade to a WebSocket, one for the join.
		require.Equal(t, 200*time.Millisecond, time.Since(begin))
		require.NotNil(t, session)
	})
}

func TestLeaveIsPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		s.dial = slowNet(s.dial, 50*time.Millisecond)
		session, c := s.accepted(t, rsp.Options{})
		begin := time.Now()
		left := make(chan time.Duration, 1)
		go func() {
			_, err := c.Receive(t.Context())
			if errors.Is(err, io.EOF) {
				left <- time.Since(begin)
			}
			c.Close()
		}()
		require.NoError(t, session.Close(t.Context(), signaling.ReasonLeave))
		require.Equal(t, 50*time.Millisecond, <-left)
		require.LessOrEqual(t, time.Since(begin), 150*time.Millisecond)
	})
}

func TestHeartbeatsKeepAnIdleSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, c := virtual(t, rsp.ServerOptions{}).accepted(t, rsp.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := c.Receive(ctx)
			ended <- err
		}()
		_, err := session.Receive(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		stats := c.Stats()
		// Every 4.8 s, in both directions.
		require.InDelta(t, 125, float64(stats.MessagesIn), 3)
		require.InDelta(t, 125, float64(stats.MessagesOut), 4)
	})
}

func TestServerDecidesHeartbeat(t *testing.T) {
	for asked, agreed := range map[string]float64{"0": 5000, "1": 1000, "3000": 3000, "60000": 5000, "1e300": 5000, "-7": 5000} {
		synctest.Test(t, func(t *testing.T) {
			c := virtual(t, rsp.ServerOptions{}).client(t)
			c.send(`{"type":"hello","id":"1","version":2,"timeout":` + asked + `}`)
			require.Equal(t, agreed, c.readType("welcome").NegotiatedTimeout, "asked %s", asked)
		})
	}
}

func TestSilentServerIsLost(t *testing.T) {
	for name, noise := range map[string]func(s *rawSocket){
		"silence": func(*rawSocket) {},
		"pings":   func(s *rawSocket) { _ = s.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) },
		"unknown": func(s *rawSocket) { s.send(`{"type":"novelty"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				code := make(chan int, 1)
				opts := scripted(t, func(s *rawSocket) {
					s.readType("hello")
					s.send(welcome, connected)
					stop := make(chan struct{})
					go func() {
						code <- s.drain()
						close(stop)
					}()
					for {
						select {
						case <-time.After(3 * time.Second):
							noise(s)
						case <-stop:
							return
						}
					}
				})
				session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
				require.NoError(t, err)
				begin := time.Now()
				_, err = session.Receive(t.Context())
				requireCode(t, err, signaling.CodeSignalingDisconnected)
				require.Equal(t, 15*time.Second, time.Since(begin))
				require.Equal(t, 3001, <-code)
				require.NoError(t, session.Close(t.Context(), signaling.ReasonReplaced))
			})
		})
	}
}

func TestSilentClientIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		raw := s.client(t)
		raw.send(helloWith(connect))
		go raw.drain()
		c := <-s.conns
		_, err := c.ReadJoin(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, c.Accept(testState()))
		begin := time.Now()
		_, err = c.Receive(t.Context())
		requireCode(t, err, signaling.CodeSignalingDisconnected)
		require.Equal(t, 15*time.Second, time.Since(begin))
		c.Close()
	})
}

func TestNoWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		var at []time.Duration
		begin := time.Now()
		code := make(chan int, 1)
		opts := scripted(t, func(s *rawSocket) {
			for range 3 {
				f := s.readType("hello")
				ids, at = append(ids, f.ID), append(at, time.Since(begin))
				assert.Equal(t, "connect", f.Body["type"])
			}
			code <- s.drain()
		})
		_, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		requireCode(t, err, signaling.CodeSignalingConnection)
		require.Equal(t, 15*time.Second, time.Since(begin))
		require.Equal(t, 3000, <-code)
		require.Equal(t, []time.Duration{0, 5 * time.Second, 10 * time.Second}, at)
		require.NotEqual(t, ids[0], ids[1])
	})
}

func TestSocketDoesNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		opts := rsp.Options{URL: "ws://void/", NetDialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go io.Copy(io.Discard, far)
			return near, nil
		}}
		_, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		requireCode(t, err, signaling.CodeSignalingConnection)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "nobody set a deadline")
		require.Equal(t, 15*time.Second, time.Since(begin))
	})
}

func TestNoAnswerToTheJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := scripted(t, func(s *rawSocket) {
			s.send(welcome)
			ended := make(chan struct{})
			go func() {
				s.drain()
				close(ended)
			}()
			for {
				select {
				case <-time.After(4 * time.Second):
					s.send(heartbeat)
				case <-ended:
					return
				}
			}
		})
		begin := time.Now()
		_, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		requireCode(t, err, signaling.CodeSignalingConnection)
		require.Equal(t, 30*time.Second, time.Since(begin))
	})
}

func TestBusyKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := scripted(t, func(s *rawSocket) {
			first := s.readType("hello")
			assert.Empty(t, first.Cookie)
			s.send(`{"type":"busy","retryAfter":2000,"keepAlive":true,"cookie":"c1"}`)
			second := s.readType("hello")
			assert.Equal(t, "c1", second.Cookie)
			assert.NotEqual(t, first.ID, second.ID)
			assert.Equal(t, first.Body, second.Body)
			s.send(`{"type":"busy","retryAfter":3000,"keepAlive":true,"cookie":null}`)
			assert.Equal(t, "c1", s.readType("hello").Cookie)
			s.send(welcome, connected)
			s.drain()
		})
		begin := time.Now()
		session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, time.Since(begin))
		require.NoError(t, session.Close(t.Context(), signaling.ReasonReplaced))
	})
}

func TestBusyRedials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		code := make(chan int, 1)
		opts := scripted(t, func(s *rawSocket) {
			f := s.readType("hello")
			if s.number == 1 {
				s.send(`{"type":"busy","retryAfter":1500,"keepAlive":false,"cookie":"c9"}`)
				code <- s.drain()
				return
			}
			assert.Equal(t, "c9", f.Cookie)
			s.send(welcome, connected)
			s.drain()
		})
		begin := time.Now()
		session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		require.NoError(t, err)
		require.Equal(t, 3005, <-code)
		require.Equal(t, 1500*time.Millisecond, time.Since(begin))
		require.NoError(t, session.Close(t.Context(), signaling.ReasonReplaced))
	})
}

func TestWelcomeEndsBusyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := scripted(t, func(s *rawSocket) {
			s.readType("hello")
			s.send(`{"type":"busy","retryAfter":60000,"keepAlive":true}`)
			<-time.After(time.Second)
			s.send(welcome, connected)
			s.drain()
		})
		begin := time.Now()
		session, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(begin))
		require.NoError(t, session.Close(t.Context(), signaling.ReasonReplaced))
	})
}

func TestBusyIsFinal(t *testing.T) {
	for name, c := range map[string]struct {
		busy    string
		timeout time.Duration
		retry   time.Duration
	}{
		"never":          {`{"type":"busy","retryAfter":-1}`, 0, -1},
		"unsaid":         {`{"type":"busy"}`, 0, -1},
		"beyond context": {`{"type":"busy","retryAfter":60000,"keepAlive":true}`, 10 * time.Second, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				code := make(chan int, 1)
				opts := scripted(t, func(s *rawSocket) {
					s.readType("hello")
					s.send(c.busy)
					code <- s.drain()
				})
				ctx := t.Context()
				if c.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.timeout)
					defer cancel()
				}
				begin := time.Now()
				_, err := rsp.NewTransport(opts).Dial(ctx, signaling.Join{})
				require.Equal(t, c.retry, requireCode(t, err, signaling.CodeServerBusy).RetryAfter)
				require.Equal(t, 3006, <-code)
				require.Zero(t, time.Since(begin))
			})
		})
	}
}

func TestEndlessBusyEnds(t *testing.T) {
	for _, keep := range []string{"true", "false"} {
		synctest.Test(t, func(t *testing.T) {
			opts := scripted(t, func(s *rawSocket) {
				for {
					if _, ok := s.read(); !ok {
						return
					}
					s.send(`{"type":"busy","retryAfter":0,"keepAlive":` + keep + `}`)
				}
			})
			begin := time.Now()
			_, err := rsp.NewTransport(opts).Dial(t.Context(), signaling.Join{})
			requireCode(t, err, signaling.CodeServerBusy)
			require.Less(t, time.Since(begin), 5*time.Second)
		})
	}
}

// TestDialCanceledInEachPhase: Dial returns within 100 ms of its context's end
// and the bubble shows that it leaves nothing behind.
func TestDialCanceledInEachPhase(t *testing.T) {
	void := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	deaf := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			_, _ = far.Read(make([]byte, 1)) // and never again
		}()
		return near, nil
	}
	script := func(f func(s *rawSocket)) func(t *testing.T) rsp.Options {
		return func(t *testing.T) rsp.Options { return scripted(t, f) }
	}
	for name, start := range map[string]func(t *testing.T) rsp.Options{
		"connecting":       func(*testing.T) rsp.Options { return rsp.Options{URL: "ws://x", NetDialContext: void} },
		"upgrading":        func(*testing.T) rsp.Options { return rsp.Options{URL: "ws://x", NetDialContext: deaf} },
		"TLS handshake":    func(*testing.T) rsp.Options { return rsp.Options{URL: "wss://x", NetDialContext: deaf} },
		"hello unread":     script(func(s *rawSocket) { <-s.t.Context().Done() }),
		"hello unanswered": script(func(s *rawSocket) { s.drain() }),
		"busy, same socket": script(func(s *rawSocket) {
			s.send(`{"type":"busy","retryAfter":60000,"keepAlive":true}`)
			s.drain()
		}),
		"busy, other socket": script(func(s *rawSocket) {
			s.send(`{"type":"busy","retryAfter":60000,"keepAlive":false}`)
			s.drain()
		}),
		"join unanswered": script(func(s *rawSocket) {
			s.send(welcome)
			s.drain()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := start(t)
				ctx, cancel := context.WithCancel(t.Context())
				var ended time.Time
				time.AfterFunc(3*time.Second, func() {
					ended = time.Now()
					cancel()
				})
				_, err := rsp.NewTransport(opts).Dial(ctx, signaling.Join{Token: "token"})
				require.ErrorIs(t, err, context.Canceled)
				require.False(t, ended.IsZero(), "Dial ended before its context")
				require.LessOrEqual(t, time.Since(ended), 100*time.Millisecond)
			})
		})
	}
}

// A dial that is given up takes its join back, so that nobody sees a
// participant that never was.
func TestCanceledDialSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() {
			defer close(served)
			c := <-s.conns
			_, _ = c.ReadJoin(t.Context(), nil)
			cancel()
			_, err := c.Receive(t.Context())
			assert.ErrorIs(t, err, io.EOF)
		}()
		_, err := s.transport(rsp.Options{}).Dial(ctx, signaling.Join{Token: "token"})
		require.ErrorIs(t, err, context.Canceled)
		<-served
	})
}

func TestServerCutsLateClients(t *testing.T) {
	for name, c := range map[string]struct {
		frames []string
		after  time.Duration
	}{
		"nothing said":      {nil, 5 * time.Second},
		"no hello":          {[]string{heartbeat, msg(connect)}, 5 * time.Second},
		"hello and silence": {[]string{hello}, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := virtual(t, rsp.ServerOptions{})
				raw := s.client(t)
				begin := time.Now()
				raw.send(c.frames...)
				go raw.drain()
				conn := <-s.conns
				_, err := conn.ReadJoin(t.Context(), nil)
				requireCode(t, err, signaling.CodeSignalingTimeout)
				require.Equal(t, c.after, time.Since(begin))
				conn.Close()
			})
		})
	}
}

func TestServerCutsClientsThatNeverJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := virtual(t, rsp.ServerOptions{})
		raw := s.client(t)
		begin := time.Now()
		raw.send(hello)
		gone := make(chan struct{})
		go func() {
			raw.drain()
			close(gone)
		}()
		go func() {
			for {
				select {
				case <-time.After(time.Second):
					raw.send(heartbeat)
				case <-gone:
					return
				}
			}
		}()
		conn := <-s.conns
		_, err := conn.ReadJoin(t.Context(), nil)
		requireCode(t, err, signaling.CodeSignalingTimeout)
		require.Equal(t, 30*time.Second, time.Since(begin))
		conn.Close()
		<-gone
	})
}
