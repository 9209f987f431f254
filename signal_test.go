package parley_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// signals returns what came from a mark on, as "sender type data".
func (m *member) signals(mark int) []string {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	list := []string{}
	for _, e := range m.log.entries[mark:] {
		if s, ok := e.event.(parley.SignalReceived); ok {
			list = append(list, s.Identity+" "+s.Type+" "+s.Data)
		}
	}
	return list
}

func (m *member) signal(kind, data, to string) error {
	return m.room.Signal(m.t.Context(), parley.Signal{Type: kind, Data: data, To: to})
}

// A signal reaches everybody, or the one whom it is for, and tells who sent it.
func TestC15Signals(t *testing.T) {
	for name, change := range map[string]func(*sfu.Config){"group": func(*sfu.Config) {}, "peer-to-peer": peerToPeer} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 15, func(l *lab) {
				alice, bob, carol := l.join("alice"), l.join("bob"), l.join("carol")
				require.NoError(l.t, alice.signal("chat", "to all", ""))
				require.NoError(l.t, alice.signal("chat", "to bob", "bob"))
				require.NoError(l.t, bob.signal("", "", carol.room.LocalParticipant().SID()))
				require.NoError(l.t, bob.signal("a-Z_0~9", strings.Repeat("\x01", 8<<10), "bob"))
				time.Sleep(time.Second)
				require.Equal(l.t, []string{"alice chat to all"}, alice.signals(0))
				require.Equal(l.t, []string{"alice chat to all", "alice chat to bob", "bob a-Z_0~9 " + strings.Repeat("\x01", 8<<10)}, bob.signals(0))
				require.Equal(l.t, []string{"alice chat to all", "bob  "}, carol.signals(0))

				own, _ := await[parley.SignalReceived](alice, 0)
				require.Equal(l.t, parley.Participant(alice.room.LocalParticipant()), own.Participant)
				others, _ := await[parley.SignalReceived](bob, 0)
				require.Equal(l.t, parley.Participant(bob.room.Participant("alice")), others.Participant)

				require.ErrorIs(l.t, alice.signal("chat", "", "dave"), parley.ErrParticipantNotFound)
				require.NoError(l.t, l.srv.Signal("lab", "notice", "soon", ""))
				told, _ := await(alice, 0, func(e parley.SignalReceived) bool { return e.Type == "notice" })
				require.Equal(l.t, parley.SignalReceived{Type: "notice", Data: "soon"}, told)
				require.ErrorIs(l.t, l.srv.Signal("lab", "notice", "soon", "dave"), parley.ErrParticipantNotFound)
				require.ErrorIs(l.t, l.srv.Signal("lobby", "notice", "soon", ""), parley.ErrRoomNotFound)
			}, change)
		})
	}
}

func TestC15WhatIsNoSignal(t *testing.T) {
	inLab(t, 15, func(l *lab) {
		alice := l.join("alice")
		for want, s := range map[error]parley.Signal{
			parley.ErrSignalTooLong: {Data: strings.Repeat("x", 8<<10+1)},
			parley.ErrSignalType:    {Type: "a b"},
			parley.ErrOption:        {Data: "\xff"},
		} {
			require.ErrorIs(l.t, alice.room.Signal(l.t.Context(), s), want)
			require.Error(l.t, l.srv.Signal("lab", s.Type, s.Data, ""))
		}
		require.ErrorIs(l.t, alice.signal(strings.Repeat("x", 129), "", ""), parley.ErrSignalTooLong)
		canceled, cancel := context.WithCancel(l.t.Context())
		cancel()
		require.ErrorIs(l.t, alice.room.Signal(canceled, parley.Signal{}), context.Canceled)
		require.NoError(l.t, alice.room.Disconnect())
		require.ErrorIs(l.t, alice.signal("", "", ""), parley.ErrRoomClosed)
		require.Empty(l.t, alice.signals(0))
	})
}

// Each role against sending and receiving.
func TestOC03WhoMaySignal(t *testing.T) {
	for role, may := range map[accesstoken.Role]struct{ send, receive bool }{
		accesstoken.RolePublisher:     {true, true},
		accesstoken.RoleModerator:     {true, true},
		accesstoken.RoleSubscriber:    {false, true},
		accesstoken.RolePublisherOnly: {false, false},
	} {
		t.Run(string(role), func(t *testing.T) {
			inLab(t, 15, func(l *lab) {
				alice := l.join("alice")
				l.withRole(role)
				bob := l.join("bob")
				switch err := bob.signal("chat", "hi", ""); {
				case may.send:
					require.NoError(l.t, err)
				default:
					require.ErrorIs(l.t, err, parley.ErrTokenGrants)
				}
				switch err := alice.signal("chat", "you", "bob"); {
				case may.receive:
					require.NoError(l.t, err)
				default:
					require.ErrorIs(l.t, err, parley.ErrParticipantNotFound)
				}
				require.NoError(l.t, alice.signal("chat", "all", ""))
				time.Sleep(time.Second)
				require.Equal(l.t, may.send, len(alice.signals(0)) == 2)
				require.Equal(l.t, may.receive, len(bob.signals(0)) > 0)
			})
		})
	}
}

// Signals that are sent while connections break and come back arrive once each,
// in order.
func TestC15SignalsAcrossReconnecting(t *testing.T) {
	inLab(t, 15, func(l *lab) {
		alice, bob := l.join("alice"), l.join("bob")
		want := []string{}
		for i := range 60 {
			switch {
			case i%10 == 3:
				bob.lines.reset()
			case i%10 == 7:
				alice.lines.reset()
			case i == 25:
				bob.lines.now().silent.Store(true)
			case i == 45:
				alice.lines.now().cutRead.Store(true) // the answer, perhaps
			}
			require.NoError(l.t, alice.signal("n", fmt.Sprint(i), ""))
			want = append(want, fmt.Sprint("alice n ", i))
			time.Sleep(37 * time.Millisecond)
		}
		time.Sleep(30 * time.Second)
		require.Equal(l.t, want, alice.signals(0))
		require.Equal(l.t, want, bob.signals(0))
		require.NotContains(l.t, bob.log.since(0), "SignalsMissed")
		require.Contains(l.t, bob.log.since(0), "Reconnected")
		require.Contains(l.t, alice.log.since(0), "Reconnected")
	})
}

// What is not worth waiting for fails with the connection, and what waits is
// sent to a server that knows nothing of the session.
func TestC15SignalsAndANewServer(t *testing.T) {
	inLab(t, 15, func(l *lab) {
		alice, bob := l.join("alice"), l.join("bob")
		marks := []int{alice.log.mark(), bob.log.mark()}
		l.kill()
		await[parley.Reconnecting](alice, marks[0])
		err := alice.room.Signal(l.t.Context(), parley.Signal{Type: "now", NoRetry: true})
		require.ErrorIs(l.t, err, parley.ErrSignalingDisconnected)
		bounded, cancel := context.WithTimeout(l.t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(l.t, alice.room.Signal(bounded, parley.Signal{Type: "soon"}), context.DeadlineExceeded)
		sent := make(chan error, 1)
		go func() { sent <- alice.room.Signal(context.Background(), parley.Signal{Type: "later", To: "bob"}) }()
		time.Sleep(time.Second)
		l.start()
		await[parley.Reconnected](bob, marks[1])
		if err := <-sent; err != nil { // alice may be there before bob is
			require.ErrorIs(l.t, err, parley.ErrParticipantNotFound)
			require.NoError(l.t, alice.signal("later", "", "bob"))
		}
		got, _ := await[parley.SignalReceived](bob, marks[1])
		require.Equal(l.t, "later", got.Type, "what was taken back is not sent")
		require.NoError(l.t, bob.signal("back", "", ""))
		await(alice, marks[0], func(e parley.SignalReceived) bool { return e.Type == "back" })
	})
}

// Who is away for long is told how many signals it has missed, and gets the rest
// in order.
func TestC15SignalsMissed(t *testing.T) {
	inLab(t, 15, func(l *lab) {
		bob := l.join("bob")
		mark := bob.log.mark()
		bob.host.SetBlackhole(true)
		const sent = 350
		for i := range sent {
			require.NoError(l.t, l.srv.Signal("lab", "n", fmt.Sprint(i), ""))
			time.Sleep(50 * time.Millisecond)
		}
		bob.host.SetBlackhole(false)
		await[parley.Reconnected](bob, mark)
		time.Sleep(5 * time.Second)
		missed, _ := await[parley.SignalsMissed](bob, mark)
		got := bob.signals(mark)
		require.Len(l.t, got, sent-missed.Count)
		require.Len(l.t, got, 256)
		for i, s := range got {
			require.True(l.t, strings.HasSuffix(s, fmt.Sprint(" n ", missed.Count+i)), s)
		}
	})
}

// A program that sends too fast is told when to go on, and nobody else is.
func TestC15SignalsAreBounded(t *testing.T) {
	inLab(t, 15, func(l *lab) {
		alice, bob := l.join("alice"), l.join("bob")
		const calls = 200
		results, began := make(chan error, calls), time.Now()
		for range calls {
			go func() { results <- alice.signal("flood", strings.Repeat("\x01", 8<<10), "") }()
		}
		passed := 0
		for range calls {
			var busy *parley.Error
			switch err := <-results; {
			case err == nil:
				passed++
			default:
				require.ErrorIs(l.t, err, parley.ErrServerBusy)
				require.True(l.t, errors.As(err, &busy))
				require.Positive(l.t, busy.RetryAfter)
			}
		}
		require.LessOrEqual(l.t, passed, 31+int(10*time.Since(began).Seconds()))
		require.Less(l.t, passed, calls)
		require.NoError(l.t, bob.signal("calm", "", ""))
		time.Sleep(5 * time.Second)
		require.Len(l.t, bob.signals(0), passed+1)
		require.NotContains(l.t, alice.log.since(0), "Reconnecting")
		require.NoError(l.t, alice.signal("again", "", ""))
	})
}
