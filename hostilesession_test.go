package parley_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

var hostileSessions = map[string]func(*testing.T, *siege){
	"a session dropped as soon as it begins": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.conn.Drop()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		joins := 0
		for ; ; joins++ {
			conn, err := s.transport.Next(ctx)
			if err != nil {
				break
			}
			_ = conn.Accept(s.state(signaling.Update{}))
			conn.Drop()
			synctest.Wait()
		}
		require.Less(t, joins, 60, "in 30 seconds")
	},
	"every resume refused": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.conn.Drop()
		ctx, cancel := context.WithTimeout(t.Context(), 29*time.Second)
		defer cancel()
		joins := 0
		for ; ; joins++ {
			conn, err := s.transport.Next(ctx)
			if err != nil {
				break
			}
			_ = conn.Reject(signaling.NewError(signaling.CodeSignalingDisconnected))
		}
		require.Less(t, joins, 60, "in 30 seconds")
		time.Sleep(time.Second)
		s.fallen(parley.ErrSignalingDisconnected)
	},
	"resumed into another room": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.conn.Drop()
		conn, err := s.transport.Next(t.Context())
		require.NoError(t, err)
		state := s.state(signaling.Update{})
		state.Room.SID, state.Room.Name = "RMother", "elsewhere"
		require.NoError(t, conn.Accept(state))
		s.fallen(parley.ErrSignalingMessage)
		require.Equal(t, "lab", s.room.Name())
	},
	"resumed as somebody else": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.conn.Drop()
		conn, err := s.transport.Next(t.Context())
		require.NoError(t, err)
		state := s.state(signaling.Update{})
		state.Participant = signaling.Identity{SID: "PAother", Identity: "mallory"}
		require.NoError(t, conn.Accept(state))
		s.fallen(parley.ErrSignalingMessage)
		require.Equal(t, "me", s.room.LocalParticipant().Identity())
	},
	"errors with unknown codes": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.conn.End(&signaling.Error{Code: 99999, Message: "surprise"}, "", 0)
		s.fallen(&signaling.Error{Code: 99999})
	},
	"errors without codes": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.conn.End(&signaling.Error{}, "", 0)
		s.fallen(parley.ErrRemoved)
	},
	"ended for a reason of its own": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		s.conn.End(nil, "bad weather", 0)
		s.fallen(parley.ErrRemoved)
		require.Equal(t, parley.DisconnectReason("bad weather"), s.last.(parley.Disconnected).Reason)
	},
	"session times that are none": func(t *testing.T, s *siege) {
		state := s.state(signaling.Update{})
		state.Room.SessionTimeout = -time.Hour
		got := make(chan error, 1)
		go func() {
			room, err := parley.ConnectContext(t.Context(), "token", s.options())
			s.room = room
			got <- err
		}()
		conn, err := s.transport.Next(t.Context())
		require.NoError(t, err)
		s.conn = conn
		require.NoError(t, conn.Accept(state))
		require.NoError(t, <-got)
		s.watch(s.room)
		s.unimpressed()
	},
	"a state without anything": func(t *testing.T, s *siege) {
		got := make(chan error, 1)
		go func() {
			room, err := parley.ConnectContext(t.Context(), "token", s.options())
			s.room = room
			got <- err
		}()
		conn, err := s.transport.Next(t.Context())
		require.NoError(t, err)
		require.NoError(t, conn.Accept(signaling.State{}))
		require.ErrorIs(t, <-got, parley.ErrSignalingMessage, "who are we")
	},
	"ICE servers that are none": func(t *testing.T, s *siege) {
		s.transport.SetPrepare([]signaling.ICEServer{{URLs: []string{"http://169.254.169.254/", "stun:", "turn:x?transport=y", "\x00"}}, {}}, nil)
		got := make(chan error, 1)
		go func() {
			room, err := parley.ConnectContext(t.Context(), "token", s.options())
			s.room = room
			got <- err
		}()
		conn, err := s.transport.Next(t.Context())
		require.NoError(t, err, "a server that gives no use is left out")
		s.conn = conn
		require.NoError(t, conn.Accept(s.state(signaling.Update{})))
		require.NoError(t, <-got)
		s.watch(s.room)
		s.unimpressed()
	},
	"refused with unknown codes": func(t *testing.T, s *siege) {
		for _, code := range []signaling.Code{99999, -1, 1, 53001} {
			require.ErrorIs(t, s.refused(func(c refuser) { _ = c.Reject(&signaling.Error{Code: code}) }), &signaling.Error{Code: code})
		}
	},
	"refused without a word": func(t *testing.T, s *siege) {
		require.Error(t, s.refused(func(c refuser) { _ = c.Reject(&signaling.Error{}) }))
	},
	"dropped in the middle of the join": func(t *testing.T, s *siege) {
		require.ErrorIs(t, s.refused(func(c refuser) { c.Drop() }), parley.ErrSignalingDisconnected)
	},
	"disconnected in the middle of the join": func(t *testing.T, s *siege) {
		require.ErrorIs(t, s.refused(func(c refuser) { c.End(nil, signaling.DisconnectCompleted, 0) }), parley.ErrRoomCompleted)
	},
	"no answer to the join": func(t *testing.T, s *siege) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		began := time.Now()
		_, err := parley.ConnectContext(ctx, "token", s.options()) // nobody takes it
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.InDelta(t, 7, time.Since(began).Seconds(), 0.01)
	},
	"taken and never answered": func(t *testing.T, s *siege) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		got := make(chan error, 1)
		began := time.Now()
		go func() {
			_, err := parley.ConnectContext(ctx, "token", s.options())
			got <- err
		}()
		_, err := s.transport.Next(t.Context())
		require.NoError(t, err)
		require.ErrorIs(t, <-got, context.DeadlineExceeded)
		require.InDelta(t, 7, time.Since(began).Seconds(), 0.01)
	},
	"everything at once": func(t *testing.T, s *siege) {
		s.enter(signaling.Update{})
		for i := range 300 {
			s.revision++
			s.send(signaling.Update{
				Full:         i%3 == 0,
				Participants: []signaling.RemoteParticipant{s.someone(fmt.Sprint(i%7), "a", "b"), s.someone("ann", "v"), s.gone(fmt.Sprint(i % 5))},
				Published:    &signaling.Published{Revision: s.revision, Tracks: []signaling.PublishedTrack{{ID: "x", State: "failed"}}},
				Subscribed:   s.subscribed("MT1a", "MT2b", "MTannv"),
				Recording:    &signaling.Recording{Revision: s.revision, Active: i%2 == 0},
				Channels:     []signaling.Channel{{Name: "active_speaker", Payload: fmt.Appendf(nil, `{"participant":"PA%d"}`, i%9)}},
			})
		}
		s.unimpressed()
	},
}

// refuser is what a server that lets nobody in does to a join.
type refuser interface {
	Reject(*signaling.Error) error
	Drop()
	End(*signaling.Error, signaling.DisconnectReason, time.Duration)
}

func (g *siege) refused(refuse func(refuser)) error {
	g.t.Helper()
	got := make(chan error, 1)
	go func() {
		room, err := parley.ConnectContext(g.t.Context(), "token", g.options())
		if room != nil {
			err = errors.Join(err, room.Disconnect(), errors.New("it was let in"))
		}
		got <- err
	}()
	conn, err := g.transport.Next(g.t.Context())
	require.NoError(g.t, err)
	refuse(conn)
	select {
	case err := <-got:
		return err
	case <-time.After(time.Second):
		g.t.Fatal("it waits")
		return nil
	}
}
