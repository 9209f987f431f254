package rsp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/parley-rtc/parley/signaling/signalingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer hands out the sockets that it has upgraded.
type testServer struct {
	url   string
	dial  func(ctx context.Context, network, addr string) (net.Conn, error) // nil: real sockets
	conns chan *rsp.ServerConn
}

func (s *testServer) handler(t *testing.T, opts rsp.ServerOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := rsp.Upgrade(w, r, opts)
		if err != nil {
			return
		}
		t.Cleanup(c.Close)
		s.conns <- c
	})
}

// loopback serves on a real socket.
func loopback(t *testing.T, opts rsp.ServerOptions) *testServer {
	s := &testServer{conns: make(chan *rsp.ServerConn, 64)}
	srv := httptest.NewServer(s.handler(t, opts))
	t.Cleanup(srv.Close)
	s.url = "ws" + strings.TrimPrefix(srv.URL, "http") + "/signaling"
	return s
}

// virtual serves over net.Pipe, which works in a bubble.
func virtual(t *testing.T, opts rsp.ServerOptions) *testServer {
	s := &testServer{url: "ws://virtual/signaling", conns: make(chan *rsp.ServerConn, 64)}
	ln := newPipeListener()
	s.dial = ln.dial
	srv := &http.Server{Handler: s.handler(t, opts)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(ln) // ends with ErrServerClosed
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-served
	})
	return s
}

func (s *testServer) transport(opts rsp.Options) *rsp.Transport {
	opts.URL, opts.NetDialContext = s.url, s.dial
	return rsp.NewTransport(opts)
}

// pipeListener is a net.Listener of in-memory connections.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// peer is a ServerConn as the conformance suite wants it.
type peer struct {
	*rsp.ServerConn
	join signaling.Join
}

func (p *peer) Join() signaling.Join { return p.join }
func (p *peer) Drop()                { p.Close() }

func (s *testServer) next(ctx context.Context) (signalingtest.Peer, error) {
	for {
		select {
		case c := <-s.conns:
			join, err := c.ReadJoin(ctx, nil)
			if errors.Is(err, io.EOF) { // only wanted ICE servers
				c.Close()
				continue
			}
			return &peer{c, join}, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *testServer) fixture(opts rsp.Options) signalingtest.Fixture {
	return signalingtest.Fixture{Transport: s.transport(opts), Next: s.next}
}

// accepted joins with the transport and accepts on the server.
func (s *testServer) accepted(t *testing.T, opts rsp.Options) (signaling.Session, *rsp.ServerConn) {
	t.Helper()
	type result struct {
		s   signaling.Session
		err error
	}
	ch := make(chan result, 1)
	go func() {
		session, err := s.transport(opts).Dial(t.Context(), signaling.Join{Token: "token", Room: "lobby"})
		ch <- result{session, err}
	}()
	c := <-s.conns
	_, err := c.ReadJoin(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, c.Accept(testState()))
	r := <-ch
	require.NoError(t, r.err)
	t.Cleanup(func() { _ = r.s.Close(context.Background(), signaling.ReasonReplaced) })
	return r.s, c
}

func testState() signaling.State {
	return signaling.State{
		Session:      "session-1",
		Room:         signaling.Room{SID: "RM1", Name: "lobby"},
		Participant:  signaling.Identity{SID: "PA1", Identity: "alice"},
		Capabilities: signaling.Capabilities{Subscribe: true, Slots: true},
	}
}
