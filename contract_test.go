package parley_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// The clauses of the event contract, each with the test of its name. They run
// in virtual time against a server that the test plays.

func TestE01OneTimeline(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{})
		events := room.Events()
		var want []string
		for i := range 200 {
			who := "p" + string(rune('a'+i%26)) + string(rune('a'+i/26))
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone(who, "v")}})
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.gone(who, "v")}})
			want = append(want, "ParticipantConnected "+who, "TrackPublished "+who+"/v", "ParticipantDisconnected "+who)
		}
		require.Equal(t, want, names(read(t, events, len(want))))
	})
}

func TestE02StateBeforeEvent(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{})
		events := room.Events()
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("ann", "v")}})
		connected := read(t, events, 1)[0].(parley.ParticipantConnected)
		require.Same(t, connected.Participant, room.Participant("ann"))
		published := read(t, events, 1)[0].(parley.TrackPublished)
		require.Equal(t, []*parley.RemoteTrackPublication{published.Publication}, connected.Participant.Tracks())
		s.send(signaling.Update{Subscribed: s.subscribed("MTannv")})
		subscribed := read(t, events, 1)[0].(parley.TrackSubscribed)
		require.Same(t, subscribed.Track, published.Publication.Track())
		require.True(t, published.Publication.IsSubscribed())
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.gone("ann", "v")}})
		require.IsType(t, parley.TrackUnsubscribed{}, read(t, events, 1)[0])
		require.False(t, published.Publication.IsSubscribed())
		require.IsType(t, parley.ParticipantDisconnected{}, read(t, events, 1)[0])
		require.Nil(t, room.Participant("ann"))
		require.Equal(t, parley.StateDisconnected, connected.Participant.State())
		<-connected.Participant.Done()
	})
}

func TestE03ViewsAreSubsequences(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("ann", "v", "w")}})
		all, ann := room.Events(), room.Participant("ann").Events()
		connected, published, gone := room.ParticipantConnected(), room.TrackPublished(), room.ParticipantDisconnected()
		for _, who := range []string{"bob", "eve", "joe"} {
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone(who, "x")}})
		}
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.gone("ann", "v", "w")}})
		synctest.Wait()
		require.NoError(t, room.Disconnect())
		timeline := names(rest(all))
		var parts []string
		for e := range connected {
			parts = append(parts, name(e))
		}
		require.Equal(t, []string{"ParticipantConnected ann", "ParticipantConnected bob", "ParticipantConnected eve", "ParticipantConnected joe"}, parts)
		requireSubsequence(t, timeline, parts)
		parts = nil
		for e := range published {
			parts = append(parts, name(e))
		}
		require.Len(t, parts, 5)
		requireSubsequence(t, timeline, parts)
		require.Equal(t, "ParticipantDisconnected ann", name(<-gone))
		parts = names(rest(ann))
		require.Equal(t, []string{
			"ParticipantConnected ann", "TrackPublished ann/v", "TrackPublished ann/w", "ParticipantDisconnected ann",
		}, parts)
		requireSubsequence(t, timeline, parts)
	})
}

func requireSubsequence(t *testing.T, all, part []string) {
	t.Helper()
	i := 0
	for _, want := range part {
		j := slices.Index(all[i:], want)
		require.GreaterOrEqual(t, j, 0, "%q is not in order within %q", want, all)
		i += j + 1
	}
}

func TestE04StartsWithThePresent(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{
			Participants: []signaling.RemoteParticipant{s.someone("ann", "v"), s.someone("bob")},
			Subscribed:   s.subscribed("MTannv"),
			Recording:    &signaling.Recording{Revision: 1, Active: true},
		})
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.gone("bob")}})
		synctest.Wait()
		events := room.Events()
		s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("eve")}})
		require.Equal(t, []string{
			"ParticipantConnected ann", "TrackPublished ann/v", "TrackSubscribed ann/v", "RecordingStarted",
			"ParticipantConnected eve",
		}, names(read(t, events, 5)))
		// A view that begins later has its part of the present, no more.
		require.Equal(t, "ann", (<-room.TrackSubscribed()).Participant.Identity())
	})
}

func TestE04PresentIsJoinedWithoutGapOrRepetition(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{})
		const n = 300
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range n {
				s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("p" + string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10)))}})
			}
		}()
		events := room.Events() // somewhere in the middle of it
		<-done
		synctest.Wait()
		seen := map[string]int{}
		for _, e := range read(t, events, n) {
			seen[name(e)]++
		}
		require.Len(t, seen, n)
		count := 0
		late := room.ParticipantConnected()
		for range n {
			<-late
			count++
		}
		require.Equal(t, n, count)
		select {
		case e := <-late:
			t.Fatalf("again: %s", name(e))
		case <-time.After(time.Second):
		}
	})
}

func TestE05SameChannelEachCall(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("ann", "v")}, Subscribed: s.subscribed("MTannv")})
		ann := room.Participant("ann")
		pub := ann.Tracks()[0]
		require.Equal(t, room.Events(), room.Events())
		require.Equal(t, room.TrackSubscribed(), room.TrackSubscribed())
		require.Equal(t, ann.Events(), ann.Events())
		require.Equal(t, pub.Events(), pub.Events())
		require.Equal(t, pub.Track().Events(), pub.Track().Events())
		require.Equal(t, room.LocalParticipant().Events(), room.LocalParticipant().Events())
		require.Equal(t, room.Messages(), room.Messages())
		require.False(t, pub.Events() == pub.Track().Events())
	})
}

// fact translates an event for the order checker.
func fact(e parley.Event) faultnet.Fact {
	of := func(kind faultnet.Kind, p *parley.RemoteParticipant, pub *parley.RemoteTrackPublication) faultnet.Fact {
		f := faultnet.Fact{Kind: kind}
		if p != nil {
			f.Participant = p.Identity()
		}
		if pub != nil {
			f.Publication = pub.TrackName()
		}
		return f
	}
	switch e := e.(type) {
	case parley.ParticipantConnected:
		return of(faultnet.Connected, e.Participant, nil)
	case parley.ParticipantDisconnected:
		return of(faultnet.Gone, e.Participant, nil)
	case parley.ParticipantReconnecting:
		return of(faultnet.ParticipantReconnecting, e.Participant, nil)
	case parley.ParticipantReconnected:
		return of(faultnet.ParticipantReconnected, e.Participant, nil)
	case parley.TrackPublished:
		return of(faultnet.Published, e.Participant, e.Publication)
	case parley.TrackUnpublished:
		return of(faultnet.Unpublished, e.Participant, e.Publication)
	case parley.TrackSubscribed:
		return of(faultnet.Subscribed, e.Participant, e.Publication)
	case parley.TrackUnsubscribed:
		return of(faultnet.Unsubscribed, e.Participant, e.Publication)
	case parley.TrackEnabled:
		return of(faultnet.OfPublication, e.Participant, e.Publication)
	case parley.TrackDisabled:
		return of(faultnet.OfPublication, e.Participant, e.Publication)
	case parley.TrackStarted:
		return of(faultnet.OfSubscription, e.Participant, e.Track.Publication())
	case parley.TrackDimensionsChanged:
		return of(faultnet.OfSubscription, e.Participant, e.Track.Publication())
	case parley.Reconnecting:
		return of(faultnet.Reconnecting, nil, nil)
	case parley.Reconnected:
		return of(faultnet.Reconnected, nil, nil)
	case parley.Disconnected:
		return of(faultnet.Disconnected, nil, nil)
	}
	return of(faultnet.OfRoom, nil, nil)
}

// chaos is a server that does whatever it may, at random.
type chaos struct {
	s      *script
	rnd    *rand.Rand
	tracks map[string][]string
	state  map[string]signaling.ParticipantState
}

func (c *chaos) entry(who string) signaling.RemoteParticipant {
	p := c.s.someone(who, c.tracks[who]...)
	p.State = c.state[who]
	for i := range p.Tracks {
		p.Tracks[i].Enabled = c.rnd.IntN(3) > 0
	}
	return p
}

func (c *chaos) step() signaling.Update {
	var u signaling.Update
	who := string(rune('a' + c.rnd.IntN(6)))
	_, here := c.tracks[who]
	switch {
	case !here:
		c.tracks[who] = nil
		c.state[who] = signaling.StateConnected
		u.Participants = []signaling.RemoteParticipant{c.entry(who)}
	case c.rnd.IntN(5) == 0:
		c.state[who] = signaling.StateDisconnected
		if c.rnd.IntN(2) == 0 {
			c.tracks[who] = nil // not as it should be, and allowed
		}
		u.Participants = []signaling.RemoteParticipant{c.entry(who)}
		delete(c.tracks, who)
	default:
		if c.rnd.IntN(4) == 0 {
			c.state[who] = signaling.StateReconnecting
		} else {
			c.state[who] = signaling.StateConnected
		}
		if n := len(c.tracks[who]); n > 0 && c.rnd.IntN(3) == 0 {
			c.tracks[who] = slices.Delete(slices.Clone(c.tracks[who]), 0, 1)
		} else {
			c.tracks[who] = append(slices.Clone(c.tracks[who]), string(rune('q'+c.rnd.IntN(8)))+strings.Repeat("x", c.rnd.IntN(3)))
			c.tracks[who] = slices.Compact(slices.Sorted(slices.Values(c.tracks[who])))
		}
		u.Participants = []signaling.RemoteParticipant{c.entry(who)}
	}
	if c.rnd.IntN(2) == 0 {
		// Subscriptions are told early, late, and for tracks that are gone.
		var sids []string
		for who, tracks := range c.tracks {
			for _, track := range tracks {
				if c.rnd.IntN(4) > 0 {
					sids = append(sids, "MT"+who+track)
				}
			}
		}
		slices.Sort(sids)
		u.Subscribed = c.s.subscribed(append(sids, "MTnobody")...)
	}
	return u
}

func TestE06Nesting(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Run("", func(t *testing.T) {
			t.Logf("seed %d", seed)
			scripted(t, func(t *testing.T, s *script) {
				c := &chaos{s: s, rnd: rand.New(rand.NewPCG(seed, 1)), tracks: map[string][]string{}, state: map[string]signaling.ParticipantState{}}
				room := s.join(signaling.Update{})
				for range c.rnd.IntN(50) {
					s.send(c.step())
				}
				synctest.Wait()
				events := room.Events()
				for range 300 {
					s.send(c.step())
				}
				synctest.Wait()
				require.NoError(t, room.Disconnect())
				var order faultnet.OrderChecker
				var log []string
				for e := range events {
					log = append(log, name(e))
					order.Observe(fact(e))
				}
				require.NoError(t, order.Err(), "%q", log)
				require.True(t, order.Ended())
			})
		})
	}
}

func TestE07NeverBlocksNeverDrops(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{})
		unread := room.Events()
		read := room.ParticipantConnected()
		const n = 20000
		for i := range n {
			who := string(rune('a' + i%26))
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone(who)}})
			s.send(signaling.Update{Participants: []signaling.RemoteParticipant{s.gone(who)}})
			require.Equal(t, who, (<-read).Participant.Identity())
		}
		synctest.Wait()
		require.NoError(t, room.Disconnect())
		require.Len(t, rest(unread), 2*n+1)
	})
}

func TestE07SlowConsumerEndsTheRoom(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{})
		unread := room.Events()
		for room.State() == parley.StateConnected {
			for range 1000 {
				_ = s.conn.Send(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("ann"), s.gone("ann")}})
			}
			synctest.Wait()
			require.Less(t, s.revision, 200000)
		}
		<-room.Done()
		require.ErrorIs(t, room.Err(), parley.ErrSlowConsumer)
		events := rest(unread)
		require.GreaterOrEqual(t, len(events), 65536)
		require.ErrorIs(t, events[len(events)-1].(parley.Disconnected).Err, parley.ErrSlowConsumer)
	})
}

func TestE08EndsOnce(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{
			Participants: []signaling.RemoteParticipant{s.someone("ann", "v"), s.someone("bob")},
			Subscribed:   s.subscribed("MTannv"),
		})
		events, never := room.Events(), room.TrackSubscribed()
		read(t, events, 4)
		done := make(chan struct{})
		for range 8 {
			go func() {
				_ = room.Disconnect()
				done <- struct{}{}
			}()
		}
		for range 8 {
			<-done
		}
		<-room.Done()
		require.Equal(t, []string{"TrackUnsubscribed ann/v", "Disconnected"}, names(rest(events)))
		require.NoError(t, room.Err())
		require.Len(t, room.Participants(), 2, "they stay readable")
		// Nothing waits for the reader that never was: its events are gone
		// after a second, and its channel is closed.
		time.Sleep(time.Second + time.Millisecond)
		_, open := <-never
		require.False(t, open)
		// A channel that is opened after the end tells the present and closes.
		require.Equal(t, "Disconnected", name(<-room.Disconnected()))
	})
}

func TestE08OwnDisconnectWaitsForNobodysReading(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{Participants: []signaling.RemoteParticipant{s.someone("ann")}})
		_ = room.Events()
		_ = room.ParticipantConnected()
		start := time.Now()
		require.NoError(t, room.Disconnect())
		<-room.Done()
		require.Less(t, time.Since(start), time.Second)
	})
}

func TestE10ResumingTellsTheDifference(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{
			Participants: []signaling.RemoteParticipant{s.someone("ann", "v"), s.someone("bob", "w"), s.someone("eve")},
			Subscribed:   s.subscribed("MTannv", "MTbobw"),
		})
		events := room.Events()
		read(t, events, 7)
		ann := room.Participant("ann")
		track := ann.Tracks()[0].Track()
		s.conn.Drop()
		require.Equal(t, "Reconnecting", name(read(t, events, 1)[0]))
		require.Equal(t, parley.StateReconnecting, room.State())
		join := s.accept(signaling.Update{
			// ann is as she was, bob lost his track, eve left, joe is new.
			Participants: []signaling.RemoteParticipant{s.someone("ann", "v"), s.someone("bob"), s.someone("joe", "x")},
			Subscribed:   s.subscribed("MTannv", "MTjoex"),
		})
		require.Equal(t, "session", join.Resume)
		require.Equal(t, []string{
			"ParticipantDisconnected eve", "TrackUnsubscribed bob/w", "TrackUnpublished bob/w", "ParticipantConnected joe", "TrackPublished joe/x", "TrackSubscribed joe/x", "Reconnected",
		}, names(read(t, events, 7)))
		require.Same(t, ann, room.Participant("ann"))
		require.Same(t, track, ann.Tracks()[0].Track())
	})
}

func TestE10RejoiningKeepsIdentities(t *testing.T) {
	scripted(t, func(t *testing.T, s *script) {
		room := s.join(signaling.Update{
			Participants: []signaling.RemoteParticipant{s.someone("ann", "v")}, Subscribed: s.subscribed("MTannv"),
		})
		events := room.Events()
		read(t, events, 3)
		ann, pub := room.Participant("ann"), room.Participant("ann").Tracks()[0]
		track := pub.Track()
		s.conn.Drop()
		read(t, events, 1)
		// The server does not know the session any more: it was restarted.
		conn, err := s.transport.Next(t.Context())
		require.NoError(t, err)
		require.NoError(t, conn.Reject(signaling.NewError(signaling.CodeSignalingDisconnected)))
		s.revision = 0
		again := s.someone("ann", "v")
		again.SID, again.Tracks[0].SID = "PAother", "MTother"
		join := s.accept(signaling.Update{
			Participants: []signaling.RemoteParticipant{again}, Subscribed: s.subscribed("MTother"),
		})
		require.Empty(t, join.Resume)
		require.Equal(t, "Reconnected", name(read(t, events, 1)[0]), "nothing else differs")
		require.Same(t, ann, room.Participant("ann"))
		require.Equal(t, "PAother", ann.SID())
		require.Same(t, pub, ann.Tracks()[0])
		require.Same(t, track, pub.Track())
		require.Equal(t, "MTother", pub.TrackSID())
	})
}
