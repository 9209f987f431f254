package roomtest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

type starter = func(...func(*roomtest.Options)) *roomtest.Server

// steady waits until the media connection has carried something, so that what
// happens afterwards is the fault's doing.
func steady(t *testing.T, room *parley.Room) {
	t.Helper()
	roomtest.Next[parley.TrackStarted](t, room.Events())
}

func TestDropSignaling(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		alice := join(t, srv, "alice")
		srv.DropSignaling("alice")
		lost := roomtest.Next[parley.Reconnecting](t, alice.Events())
		require.ErrorIs(t, lost.Err, parley.ErrSignalingDisconnected)
		roomtest.Next[parley.Reconnected](t, alice.Events())
		require.Equal(t, []string{"alice"}, srv.Identities("lab"))
	})
}

func TestDropSignalingOfWhoeverHasTheIdentity(t *testing.T) {
	srv := roomtest.NewServer(t)
	room, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	srv.DropSignaling("alice")
	roomtest.Expect(t, room.Events(), roomtest.Is[parley.Reconnecting](), roomtest.Is[parley.Reconnected]())
	require.NoError(t, room.Disconnect())
	roomtest.Rest(t, room.Events())
}

func TestCutAndRestore(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		alice := join(t, srv, "alice", video(t))
		bob := join(t, srv, "bob")
		steady(t, bob)
		srv.Cut("bob")
		roomtest.Next[parley.Reconnecting](t, bob.Events())
		require.Equal(t, parley.StateConnected, alice.State(), "only bob's network is cut")
		srv.Restore("bob")
		roomtest.Next[parley.Reconnected](t, bob.Events())
		require.Equal(t, parley.StateConnected, bob.State())
	})
}

func TestCutForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t, func(o *roomtest.Options) { o.SessionTimeout = 20 * time.Second })
		alice := join(t, srv, "alice", video(t))
		bob := join(t, srv, "bob")
		steady(t, bob)
		srv.Cut("bob")
		began := time.Now()
		end := roomtest.Next[parley.Disconnected](t, bob.Events())
		require.Equal(t, parley.ReasonTimeout, end.Reason)
		require.Error(t, bob.Err())
		require.InDelta(t, 20, time.Since(began).Seconds(), 5, "the session timeout, after noticing")
		gone := roomtest.Next[parley.ParticipantDisconnected](t, alice.Events())
		require.Equal(t, "bob", gone.Participant.Identity())
		require.Equal(t, []string{"alice"}, srv.Identities("lab"))
	})
}

func TestLossHitsMediaOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		join(t, srv, "alice", video(t))
		bob := join(t, srv, "bob")
		steady(t, bob)
		srv.Loss("bob", 1000)
		down := roomtest.Next[parley.Reconnecting](t, bob.Events())
		require.ErrorIs(t, down.Err, parley.ErrMediaConnection)
		srv.Loss("bob", 0)
		roomtest.Next[parley.Reconnected](t, bob.Events())
	})
}

func TestRefusePublish(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		alice := join(t, srv, "alice")
		events := alice.Events() // what has failed is told once
		publish := func(name string) error {
			track, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: name})
			require.NoError(t, err)
			_, err = alice.LocalParticipant().PublishTrack(t.Context(), track, nil)
			return err
		}
		srv.RefusePublish(func(identity, trackName string) error {
			switch {
			case identity != "alice":
				return errors.New("nobody else is here")
			case trackName == "full":
				return parley.ErrTrackCapacityReached
			case trackName == "odd":
				return errors.New("we do not like it")
			}
			return nil
		})
		require.ErrorIs(t, publish("full"), parley.ErrTrackCapacityReached)
		failed := roomtest.Next[parley.LocalTrackPublicationFailed](t, events)
		require.ErrorIs(t, failed.Err, parley.ErrTrackCapacityReached)
		err := publish("odd")
		require.ErrorContains(t, err, "we do not like it")
		var coded *parley.Error
		require.ErrorAs(t, err, &coded)
		require.EqualValues(t, 53300, coded.Code)
		require.NoError(t, publish("even"))
		srv.RefusePublish(nil)
		require.NoError(t, publish("full"))
	})
}

func TestRefusePublishAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		srv.RefusePublish(func(string, string) error { return parley.ErrTrackCapacityReached })
		srv.Restart()
		track, err := parley.NewLocalDataTrack(nil)
		require.NoError(t, err)
		alice := join(t, srv, "alice", track)
		require.Empty(t, alice.LocalParticipant().Tracks())
	})
}

func TestRemove(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		alice, bob := join(t, srv, "alice"), join(t, srv, "bob")
		events := alice.Events()
		srv.Remove("lab", "bob")
		end := roomtest.Next[parley.Disconnected](t, bob.Events())
		require.ErrorIs(t, end.Err, parley.ErrParticipantNotFound)
		roomtest.Next[parley.ParticipantDisconnected](t, events)
	})
}

func TestComplete(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		alice := join(t, srv, "alice")
		srv.Complete("lab")
		end := roomtest.Next[parley.Disconnected](t, alice.Events())
		require.ErrorIs(t, end.Err, parley.ErrRoomCompleted)
	})
}

func TestRestartLosesSessions(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		url := srv.URL()
		join(t, srv, "alice", video(t))
		bob := join(t, srv, "bob")
		steady(t, bob)
		before := bob.SID()
		srv.Restart()
		lost := roomtest.Next[parley.Reconnecting](t, bob.Events())
		require.ErrorIs(t, lost.Err, parley.ErrSignalingDisconnected)
		roomtest.Next[parley.Reconnected](t, bob.Events())
		require.Equal(t, url, srv.URL())
		require.NotEqual(t, before, bob.SID(), "it is another room of the same name")
	})
}

func TestKillIsForGoodWithoutRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		alice := join(t, srv, "alice")
		began := time.Now()
		srv.Kill()
		require.Empty(t, srv.Identities("lab"))
		end := roomtest.Next[parley.Disconnected](t, alice.Events())
		require.ErrorIs(t, end.Err, parley.ErrSignalingDisconnected)
		require.Equal(t, 30*time.Second, time.Since(began), "the session timeout")
		srv.Kill() // a second time does nothing
		srv.Restart()
		join(t, srv, "bob")
	})
}

func TestShutdownTellsWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		alice := join(t, srv, "alice")
		srv.Shutdown(5 * time.Second)
		began := time.Now()
		roomtest.Next[parley.Reconnecting](t, alice.Events())
		srv.Restart()
		roomtest.Next[parley.Reconnected](t, alice.Events())
		require.GreaterOrEqual(t, time.Since(began), 5*time.Second)
	})
}

func TestSwitchNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		join(t, srv, "alice", video(t))
		bob := join(t, srv, "bob")
		steady(t, bob)
		srv.SwitchNetwork("bob")
		bob.NetworkChanged()
		roomtest.Expect(t, bob.Events(), roomtest.Is[parley.Reconnecting](), roomtest.Is[parley.Reconnected]())
	})
}

func TestFaultsNameWhomTheyDoNotKnow(t *testing.T) {
	for fault, act := range map[string]func(*roomtest.Server){
		"Cut":           func(s *roomtest.Server) { s.Cut("bob") },
		"Restore":       func(s *roomtest.Server) { s.Restore("bob") },
		"Loss":          func(s *roomtest.Server) { s.Loss("bob", 10) },
		"DropSignaling": func(s *roomtest.Server) { s.DropSignaling("bob") },
		"SwitchNetwork": func(s *roomtest.Server) { s.SwitchNetwork("bob") },
		"Remove":        func(s *roomtest.Server) { s.Remove("lab", "bob") },
		"Complete":      func(s *roomtest.Server) { s.Complete("bob") },
	} {
		t.Run(fault, func(t *testing.T) {
			said := fails(t, func(tb testing.TB) { act(roomtest.NewServer(tb)) })
			require.Contains(t, said, "roomtest: "+fault+"(")
			require.Contains(t, said, `"bob"`)
			require.NotContains(t, said, "\n", "one failure")
		})
	}
}
