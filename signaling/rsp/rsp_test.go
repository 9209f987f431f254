package rsp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/rsp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server on loopback whose accepted sockets come out of the
// channel.
func serve(t *testing.T, opts rsp.ServerOptions) (url string, conns <-chan *rsp.ServerConn) {
	t.Helper()
	ch := make(chan *rsp.ServerConn, 16)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := rsp.Upgrade(w, r, opts)
		if err != nil {
			return
		}
		t.Cleanup(c.Close)
		ch <- c
	}))
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http") + "/signaling", ch
}

func TestJoinAndLeave(t *testing.T) {
	url, conns := serve(t, rsp.ServerOptions{})
	served := make(chan error, 1)
	go func() {
		served <- func() error {
			c := <-conns
			join, err := c.ReadJoin(t.Context(), nil)
			if err != nil {
				return err
			}
			err = c.Accept(signaling.State{
				Session:     "s1",
				Room:        signaling.Room{SID: "RM1", Name: join.Room, SessionTimeout: 20 * time.Second},
				Participant: signaling.Identity{SID: "PA1", Identity: "alice"},
			})
			if err != nil {
				return err
			}
			u, err := c.Receive(t.Context())
			if err != nil {
				return err
			}
			if err := c.Send(signaling.Update{Published: &signaling.Published{Revision: u.Participant.Revision}}); err != nil {
				return err
			}
			_, err = c.Receive(t.Context())
			return err
		}()
	}()
	tr := rsp.NewTransport(rsp.Options{URL: url})
	s, err := tr.Dial(t.Context(), signaling.Join{Token: "tok", Room: "lobby"})
	require.NoError(t, err)
	require.Equal(t, "lobby", s.Initial().Room.Name)
	require.Equal(t, 20*time.Second, s.Initial().Room.SessionTimeout)
	require.NoError(t, s.Send(signaling.Update{Participant: &signaling.LocalParticipant{Revision: 7}}))
	u, err := s.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, 7, u.Published.Revision)
	begin := time.Now()
	require.NoError(t, s.Close(context.Background(), signaling.ReasonLeave))
	require.Less(t, time.Since(begin), 150*time.Millisecond)
	require.ErrorIs(t, <-served, io.EOF)
}
