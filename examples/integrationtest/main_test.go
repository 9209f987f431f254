package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/roomtest"
)

// start runs the bot as the test's server knows it, and returns the result of
// its end.
func start(ctx context.Context, token string, opts *parley.ConnectOptions) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- answer(ctx, token, opts) }()
	return ended
}

// visit joins the room with a data track.
func visit(t *testing.T, token string, opts *parley.ConnectOptions) (*parley.Room, *parley.LocalDataTrack) {
	t.Helper()
	out, err := parley.NewLocalDataTrack(nil)
	if err != nil {
		t.Fatal(err)
	}
	opts.Tracks = append(opts.Tracks, out)
	room, err := parley.Connect(token, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { room.Disconnect() })
	return room, out
}

// ask sends a text until it is answered: a message reaches those who have
// subscribed when it is sent.
func ask(t *testing.T, out *parley.LocalDataTrack, answers <-chan parley.TrackMessage, text string) parley.TrackMessage {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range 10 {
		if err := out.SendText(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		select {
		case answer := <-answers:
			return answer
		case <-tick.C:
		}
	}
	t.Fatalf("%q is not answered", text)
	return parley.TrackMessage{}
}

// The bot and a visitor, on real sockets.
func TestBotAnswers(t *testing.T) {
	srv := roomtest.NewServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := start(ctx, srv.Token("bot", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	room, out := visit(t, srv.Token("visitor", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	messages := room.Messages()

	roomtest.Expect(t, room.Events(),
		roomtest.Is(func(e parley.ParticipantConnected) bool { return e.Participant.Identity() == "bot" }),
		roomtest.Is(func(e parley.TrackSubscribed) bool { return e.Track.Name() == "answers" }),
	)
	answer := ask(t, out, messages, "hello")
	if got := string(answer.Data); got != "HELLO" || answer.Participant.Identity() != "bot" {
		t.Fatalf("%s answers %q", answer.Participant.Identity(), got)
	}

	cancel() // as Ctrl-C does
	left := roomtest.Next[parley.ParticipantDisconnected](t, room.Events())
	if left.Reason != parley.ReasonLeft {
		t.Errorf("the bot left because %q", left.Reason)
	}
	if err := <-ended; err != nil {
		t.Errorf("leaving in good order is no error: %v", err)
	}
}

// Half a minute without a network takes no time where time is virtual.
func TestBotComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewVirtual(t)
		opts := func(who string) *parley.ConnectOptions {
			return &parley.ConnectOptions{Transport: srv.Transport(who), ConfigureWebRTC: srv.WebRTC(who)}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := start(ctx, srv.Token("bot", "lab"), opts("bot"))
		room, out := visit(t, srv.Token("visitor", "lab"), opts("visitor"))
		messages := room.Messages()
		roomtest.Next[parley.TrackSubscribed](t, room.Events())

		srv.Cut("bot")
		roomtest.Next[parley.ParticipantReconnecting](t, room.Events())
		time.Sleep(5 * time.Second)
		srv.Restore("bot")
		roomtest.Next[parley.ParticipantReconnected](t, room.Events())

		if got := string(ask(t, out, messages, "still there?").Data); got != "STILL THERE?" {
			t.Errorf("the answer is %q", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What a server may do to the bot at any time.
func TestBotTellsWhyItEnded(t *testing.T) {
	t.Run("the room is over", func(t *testing.T) {
		srv := roomtest.NewServer(t)
		ended := start(t.Context(), srv.Token("bot", "lab"), &parley.ConnectOptions{URL: srv.URL()})
		room, _ := visit(t, srv.Token("visitor", "lab"), &parley.ConnectOptions{URL: srv.URL()})
		roomtest.Next[parley.ParticipantConnected](t, room.Events())
		srv.Complete("lab")
		if err := <-ended; !errors.Is(err, parley.ErrRoomCompleted) {
			t.Error(err)
		}
	})
	t.Run("its track is refused", func(t *testing.T) {
		srv := roomtest.NewServer(t)
		srv.RefusePublish(func(_, name string) error {
			if name == "answers" {
				return parley.ErrTrackCapacityReached
			}
			return nil
		})
		ended := start(t.Context(), srv.Token("bot", "lab"), &parley.ConnectOptions{URL: srv.URL()})
		if err := <-ended; !errors.Is(err, parley.ErrTrackCapacityReached) {
			t.Errorf("a bot that cannot answer says so: %v", err)
		}
	})
}
