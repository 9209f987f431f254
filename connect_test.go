package parley_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// A server that does not answer costs as long as the context says, and nothing
// stays: the bubble would tell.
func TestContextBoundsTheJoining(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		room, err := parley.ConnectContext(ctx, "token", s.options())
		require.Nil(t, room)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestContextOfTheJoiningEndsNothingLater(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() {
			var err error
			s.room, err = parley.ConnectContext(ctx, "token", s.options())
			got <- err
		}()
		s.accept(signaling.Update{})
		require.NoError(t, <-got)
		cancel()
		synctest.Wait()
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("ann")}})
		require.Equal(t, []string{"ParticipantConnected ann"}, names(read(t, s.room.Events(), 1)))
		require.Equal(t, parley.StateConnected, s.room.State())
		require.NoError(t, s.room.Err())
	})
}

// The old token has expired when the server has lost the session.
func TestRefreshTokenIsAskedWhenJoiningAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		var asked atomic.Int32
		room, err := parley.Connect(
			srv.Token("alice", "lab", func(t *accesstoken.Token) { t.TTL = time.Minute }),
			&parley.ConnectOptions{
				Transport: srv.Transport("alice"), ConfigureWebRTC: srv.WebRTC("alice"),
				RefreshToken: func(context.Context) (string, error) {
					asked.Add(1)
					return srv.Token("alice", "lab"), nil
				},
			})
		require.NoError(t, err)
		defer room.Disconnect()
		time.Sleep(10 * time.Minute)
		require.Zero(t, asked.Load(), "an expired token does not end a session")
		require.Equal(t, parley.StateConnected, room.State())

		srv.Restart()
		roomtest.Expect(t, room.Events(), roomtest.Is[parley.Reconnecting](), roomtest.Is[parley.Reconnected]())
		require.EqualValues(t, 1, asked.Load())
	})
}

func TestUnconfirmedMessagesAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		data, err := parley.NewLocalDataTrack(nil)
		require.NoError(t, err)
		room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{
			Transport: srv.Transport("alice"), ConfigureWebRTC: srv.WebRTC("alice"),
			Tracks: []parley.LocalTrack{data},
		})
		require.NoError(t, err)
		defer room.Disconnect()
		require.NoError(t, data.SendText(t.Context(), "arrives"))
		time.Sleep(time.Second)

		unconfirmed, reconnected := room.MessagesUnconfirmed(), room.Reconnected()
		srv.Cut("alice")
		for range 3 {
			require.NoError(t, data.SendText(t.Context(), "lost"))
		}
		srv.Restart() // and with it goes what would have confirmed them
		srv.Restore("alice")
		lost := roomtest.Next[parley.MessagesUnconfirmed](t, unconfirmed)
		require.Equal(t, 3, lost.Messages)
		require.Equal(t, room.LocalParticipant().DataTracks(), []*parley.LocalTrackPublication{lost.Publication})
		roomtest.Next[parley.Reconnected](t, reconnected)
		require.NoError(t, data.SendText(t.Context(), "goes on"))
	})
}
