package parley_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/signalingtest"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// script is a room whose server is the test itself: it says what it likes, in
// virtual time, and media goes nowhere.
type script struct {
	t         *testing.T
	transport *signalingtest.Transport
	world     *faultnet.World
	conn      *signalingtest.Conn
	room      *parley.Room
	revision  int
	hosts     int
}

func scripted(t *testing.T, f func(t *testing.T, s *script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, transport: signalingtest.NewTransport(), world: faultnet.NewWorld(t, faultnet.WorldConfig{Seed: 1})}
		f(t, s)
		if s.room != nil {
			require.NoError(t, s.room.Disconnect())
			<-s.room.Done()
			time.Sleep(1100 * time.Millisecond) // for what nobody has read
		}
	})
}

func (s *script) options() *parley.ConnectOptions {
	s.hosts++
	host := s.world.Host(fmt.Sprintf("client%d", s.hosts), fmt.Sprintf("1.2.3.%d", s.hosts+3))
	return &parley.ConnectOptions{
		Transport:       s.transport,
		ConfigureWebRTC: func(se *webrtc.SettingEngine) { se.SetNet(host) },
	}
}

func (s *script) state(u signaling.Update) signaling.State {
	u.Full = true
	return signaling.State{
		Session:      "session",
		Room:         signaling.Room{SID: "RM1", Name: "lab", SessionTimeout: 30 * time.Second},
		Participant:  signaling.Identity{SID: "PAme", Identity: "me"},
		Capabilities: signaling.Capabilities{Resume: true, Slots: true, Subscribe: true},
		Update:       u,
	}
}

// join connects the room; the server's first state is u.
func (s *script) join(u signaling.Update, change ...func(*parley.ConnectOptions)) *parley.Room {
	s.t.Helper()
	opts := s.options()
	for _, c := range change {
		c(opts)
	}
	got := make(chan error, 1)
	go func() {
		room, err := parley.ConnectContext(s.t.Context(), "token", opts)
		s.room = room
		got <- err
	}()
	s.accept(u)
	require.NoError(s.t, <-got)
	return s.room
}

// accept lets the next client in, or back.
func (s *script) accept(u signaling.Update) signaling.Join {
	s.t.Helper()
	conn, err := s.transport.Next(s.t.Context())
	require.NoError(s.t, err)
	s.conn = conn
	require.NoError(s.t, conn.Accept(s.state(u)))
	return conn.Join()
}

func (s *script) send(u signaling.Update) {
	s.t.Helper()
	require.NoError(s.t, s.conn.Send(u))
}

// someone is the entry of a participant with so many data tracks.
func (s *script) someone(name string, tracks ...string) signaling.RemoteParticipant {
	s.revision++
	p := signaling.RemoteParticipant{
		SID: "PA" + name, Identity: name, Revision: s.revision, State: signaling.StateConnected,
	}
	for _, track := range tracks {
		p.Tracks = append(p.Tracks, signaling.RemoteTrack{
			SID: "MT" + name + track, Kind: signaling.KindVideo, Name: track, Enabled: true,
			Priority: signaling.PriorityStandard,
		})
	}
	return p
}

func (s *script) gone(name string, tracks ...string) signaling.RemoteParticipant {
	p := s.someone(name, tracks...)
	p.State = signaling.StateDisconnected
	p.Reason = signaling.DisconnectLeft
	return p
}

func (s *script) subscribed(sids ...string) *signaling.Subscribed {
	s.revision++
	sub := &signaling.Subscribed{Revision: s.revision}
	for _, sid := range sids {
		sub.Tracks = append(sub.Tracks, signaling.Subscription{SID: sid, ID: "slot-" + sid})
	}
	return sub
}

// read takes the next n events.
func read(t *testing.T, ch <-chan parley.Event, n int) []parley.Event {
	t.Helper()
	var events []parley.Event
	for range n {
		select {
		case e, ok := <-ch:
			if !ok {
				t.Fatalf("closed after %v", names(events))
			}
			events = append(events, e)
		case <-time.After(time.Minute):
			t.Fatalf("only %v", names(events))
		}
	}
	return events
}

// rest takes what comes until the channel closes.
func rest(ch <-chan parley.Event) (events []parley.Event) {
	for e := range ch {
		events = append(events, e)
	}
	return events
}

func names(events []parley.Event) []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = name(e)
	}
	return list
}

// name tells an event in a word or two: its type and whom it is about.
func name(e parley.Event) string {
	text := fmt.Sprintf("%T", e)[len("parley."):]
	switch e := e.(type) {
	case parley.ParticipantConnected:
		return text + " " + e.Participant.Identity()
	case parley.ParticipantDisconnected:
		return text + " " + e.Participant.Identity()
	case parley.ParticipantReconnecting:
		return text + " " + e.Participant.Identity()
	case parley.ParticipantReconnected:
		return text + " " + e.Participant.Identity()
	case parley.TrackPublished:
		return text + " " + e.Participant.Identity() + "/" + e.Publication.TrackName()
	case parley.TrackUnpublished:
		return text + " " + e.Participant.Identity() + "/" + e.Publication.TrackName()
	case parley.TrackSubscribed:
		return text + " " + e.Participant.Identity() + "/" + e.Publication.TrackName()
	case parley.TrackUnsubscribed:
		return text + " " + e.Participant.Identity() + "/" + e.Publication.TrackName()
	}
	return text
}
