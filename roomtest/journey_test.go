package roomtest_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// TestJourneyD3 is the way of somebody who tests a program with a bot that has
// neither screen nor sound card. Each step stands alone; those that can run
// both on real sockets and in virtual time.
//
// In virtual time it has to pass as often as one likes:
//
//	go test -race -shuffle=on -count=200 -run 'TestJourneyD3/.*/virtual' ./roomtest
func TestJourneyD3(t *testing.T) {
	t.Run("01 the server starts at once", serverStartsAtOnce)
	t.Run("02 the bot joins with nothing to send", botJoinsWithNothing)
	t.Run("03 the program joins on its own", programJoins)
	t.Run("05 the program gives the tone back", toneComesBack)
	t.Run("06 the server refuses a track", trackIsRefused)
	t.Run("07 the network is gone for 31 s", networkIsGone)
	t.Run("11 a failure explains itself", failureExplainsItself)
}

func serverStartsAtOnce(t *testing.T) {
	for name, start := range map[string]func(t *testing.T){
		"server": func(t *testing.T) { roomtest.NewServer(t).Close() },
		// The time of a bubble would say nothing; that outside is real.
		"virtual": func(t *testing.T) { synctest.Test(t, func(t *testing.T) { roomtest.NewVirtual(t) }) },
	} {
		t.Run(name, func(t *testing.T) {
			var took []time.Duration
			for range 9 { // others use this machine too
				began := time.Now()
				start(t)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			t.Logf("the server starts and ends in %v (%v to %v)", took[4], took[0], took[8])
			require.Less(t, took[4], 50*time.Millisecond)
		})
	}
}

func botJoinsWithNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		bot := join(t, srv, "bot")
		require.Equal(t, parley.StateConnected, bot.State())
		require.Empty(t, bot.LocalParticipant().Tracks())
		require.Equal(t, []string{"bot"}, srv.Identities("lab"))
		roomtest.Quiet(t, bot.Events(), 0)
	})
}

// launch starts the program under test: on real sockets it gets an URL and a
// token, as in production.
func launch(t *testing.T, srv *roomtest.Server) *echo {
	t.Helper()
	opts := &parley.ConnectOptions{URL: srv.URL()}
	if strings.HasSuffix(t.Name(), "/virtual") {
		opts = &parley.ConnectOptions{Transport: srv.Transport("app"), ConfigureWebRTC: srv.WebRTC("app")}
	}
	app, err := startEcho(srv.Token("app", "lab"), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, app.stop()) })
	return app
}

func programJoins(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		bot := join(t, srv, "bot")
		launch(t, srv)
		roomtest.Expect(t, bot.Events(),
			roomtest.Is(func(e parley.ParticipantConnected) bool { return e.Participant.Identity() == "app" }),
			roomtest.Is(func(e parley.TrackPublished) bool { return e.Publication.TrackName() == "echo" }),
			roomtest.Is(func(e parley.TrackSubscribed) bool { return e.Track.Kind() == parley.KindAudio }),
		)
	})
}

func toneComesBack(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		bot := join(t, srv, "bot")
		app := launch(t, srv)
		heard := roomtest.Next[parley.TrackSubscribed](t, bot.Events()).Track.(*parley.RemoteAudioTrack)

		tone, err := parley.NewLocalAudioTrack(synth.PCMU(440), nil)
		require.NoError(t, err)
		t.Cleanup(tone.Stop)
		_, err = bot.LocalParticipant().PublishTrack(t.Context(), tone, nil)
		require.NoError(t, err)
		_, err = bot.LocalParticipant().PublishTrack(t.Context(), video(t), nil)
		require.NoError(t, err)

		// 0.2 s hold whole periods of both frequencies. The program plays at
		// half the level, so this is the echo and nothing else.
		pcm := listen(t, heard, 1600)
		t.Logf("level at 440 Hz %.0f, at 880 Hz %.0f", level(pcm, 440), level(pcm, 880))
		require.InDelta(t, 4096, level(pcm, 440), 200)
		require.Less(t, level(pcm, 880), 100.0)

		first, second := <-app.pictures, <-app.pictures
		require.Equal(t, []int{320, 240}, []int{first.Width, first.Height})
		require.Greater(t, second.Timestamp, first.Timestamp)
		require.NotEqual(t, first.Data, second.Data, "it moves")
	})
}

func trackIsRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, start starter) {
		srv := start()
		bot := join(t, srv, "bot")
		events := bot.Events() // from here on; a failure is no state that would be told later
		srv.RefusePublish(func(identity, _ string) error {
			require.Equal(t, "bot", identity)
			return parley.ErrTrackCapacityReached
		})
		track := video(t)
		_, err := bot.LocalParticipant().PublishTrack(t.Context(), track, nil)
		require.ErrorIs(t, err, parley.ErrTrackCapacityReached)
		require.ErrorContains(t, err, "53305")
		failed := roomtest.Next[parley.LocalTrackPublicationFailed](t, events)
		require.Same(t, track, failed.Track)
		require.ErrorIs(t, failed.Err, parley.ErrTrackCapacityReached)

		srv.RefusePublish(nil)
		_, err = bot.LocalParticipant().PublishTrack(t.Context(), track, nil)
		require.NoError(t, err, "a refused track may be tried again")
	})
}

func networkIsGone(t *testing.T) {
	t.Run("virtual", func(t *testing.T) {
		began := time.Now() // real time
		synctest.Test(t, func(t *testing.T) {
			srv := roomtest.NewVirtual(t)
			bot := join(t, srv, "bot")
			events := bot.Events()
			cut := time.Now()
			srv.Cut("bot")
			lost := roomtest.Next[parley.Reconnecting](t, events)
			noticed := time.Now()
			end := roomtest.Exactly(t, events, roomtest.Is[parley.Disconnected]())[0].(parley.Disconnected)
			over := time.Now()
			srv.Restore("bot") // too late
			require.ErrorIs(t, lost.Err, parley.ErrSignalingDisconnected)
			require.ErrorIs(t, end.Err, parley.ErrSignalingDisconnected)
			require.Equal(t, end.Err, bot.Err())
			require.Equal(t, parley.StateDisconnected, bot.State())
			// A quiet room notices by three heartbeats that do not come. From
			// there on a session outlives 30 s and not 31.
			require.LessOrEqual(t, noticed.Sub(cut), 15*time.Second)
			require.InDelta(t, 30, over.Sub(noticed).Seconds(), 0.5)
			t.Logf("noticed after %v, over after %v", noticed.Sub(cut), over.Sub(cut))
		})
		t.Logf("all of it took %v", time.Since(began))
		require.Less(t, time.Since(began), 3*time.Second, "waiting must not take real time")
	})
}

func failureExplainsItself(t *testing.T) {
	out := fail(t, "virtual", "all")
	require.Regexp(t, `(?s)ParticipantConnected\{.*TrackSubscribed\{.*roomtest: capture: \S+media\.pcapng`, out)
	files(t, out)
}
