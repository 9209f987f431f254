package parley_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/stretchr/testify/require"
)

// call is a lab with two members: alice publishes a picture and a data track,
// bob watches and listens.
type call struct {
	*lab
	alice, bob *member
	view       *viewer
	talk       *talk
}

func inCall(t *testing.T, seed uint64, f func(c *call), change ...func(*sfu.Config)) {
	t.Helper()
	inLab(t, seed, func(l *lab) {
		data := dataTrack(l.t, "data")
		c := &call{lab: l}
		c.alice = l.join("alice", picture(l.t), data)
		c.bob = l.join("bob")
		c.view = c.bob.watch("alice", "picture")
		c.talk = l.talk(data, c.bob, 10*time.Millisecond)
		c.view.after(l.t, time.Now())
		time.Sleep(3 * time.Second)
		f(c)
	}, change...)
}

func TestR06LinkDown6s(t *testing.T) {
	for _, who := range []string{"subscriber", "publisher"} {
		for _, what := range []string{"media", "media and signaling"} {
			t.Run(who+", "+what, func(t *testing.T) {
				inCall(t, 6, func(c *call) {
					m, other := c.bob, c.alice
					if who == "publisher" {
						m, other = c.alice, c.bob
					}
					down := m.host.SetBlackhole
					if what == "media" {
						down = m.host.BlockUDP
					}
					mine, others := m.log.mark(), other.log.mark()
					start := time.Now()
					down(true)
					time.Sleep(6 * time.Second)
					down(false)
					up := time.Now()
					back := c.view.after(c.t, up).Sub(up)
					_, reconnecting := await[parley.Reconnecting](m, mine)
					_, reconnected := await[parley.Reconnected](m, mine)
					time.Sleep(5 * time.Second)
					sent, lost := c.talk.end()
					c.t.Logf("R6 %s, %s down 6 s: noticed after %v, media %v after up, Reconnected %v after up, messages %d, lost %d",
						who, what, reconnecting.Sub(start), back, reconnected.Sub(up), sent, lost)
					require.LessOrEqual(c.t, back, time.Second)
					require.Equal(c.t, []string{"Reconnecting", "Reconnected"}, m.log.since(mine), m.log)
					require.Zero(c.t, lost)
					if news := other.log.since(others); len(news) > 0 {
						require.Equal(c.t, []string{"ParticipantReconnecting " + m.name, "ParticipantReconnected " + m.name}, news, other.log)
					}
				})
			})
		}
	}
}

func TestR07LinkDown40s(t *testing.T) {
	for _, what := range []string{"media", "media and signaling"} {
		t.Run(what, func(t *testing.T) {
			inCall(t, 7, func(c *call) {
				down := c.bob.host.SetBlackhole
				if what == "media" {
					down = c.bob.host.BlockUDP
				}
				mark, others := c.bob.log.mark(), c.alice.log.mark()
				start := time.Now()
				down(true)
				time.Sleep(40 * time.Second)
				down(false)
				<-c.bob.room.Done()
				<-c.bob.log.closed
				end, at := await[parley.Disconnected](c.bob, mark)
				c.t.Logf("R7 %s down 40 s: Disconnected after %v: %v", what, at.Sub(start), end.Err)
				require.InDelta(c.t, 30, at.Sub(start).Seconds(), 3)
				require.Equal(c.t, []string{
					"Reconnecting", "TrackUnsubscribed alice/picture", "TrackUnsubscribed alice/data", "Disconnected",
				}, c.bob.log.since(mark), c.bob.log)
				requireDiagnosis(c.t, end.Err)
				if what == "media" {
					require.ErrorIs(c.t, end.Err, parley.ErrMediaConnection)
				}
				gone, at := await[parley.ParticipantDisconnected](c.alice, others)
				c.t.Logf("R7 %s down 40 s: the others hear of it after %v, reason %q", what, at.Sub(start), gone.Reason)
				// The room is still there for who comes again.
				again := c.join("bob")
				again.watch("alice", "picture").after(c.t, time.Now())
			})
		})
	}
}

// requireDiagnosis checks that the error with which a room ended tells what is
// needed to find out why (R36).
func requireDiagnosis(t *testing.T, err error) {
	t.Helper()
	var lost *parley.LostError
	require.ErrorAs(t, err, &lost)
	require.Positive(t, lost.Attempts)
	require.NotEmpty(t, lost.CandidatePair)
	require.Positive(t, lost.Elapsed)
	require.True(t, errors.Is(err, parley.ErrSignalingDisconnected) || errors.Is(err, parley.ErrMediaConnection))
	var coded *parley.Error
	require.ErrorAs(t, err, &coded)
	require.NotZero(t, coded.Code)
}

func TestR08NetworkSwitchJump(t *testing.T) {
	for _, who := range []string{"subscriber", "publisher"} {
		for _, told := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, told %v", who, told), func(t *testing.T) {
				inCall(t, 8, func(c *call) {
					m, limit := c.bob, 3*time.Second
					if who == "publisher" {
						m = c.alice
					}
					if told {
						limit = time.Second
					}
					mark, start := m.log.mark(), time.Now()
					m.host.SwitchAddress("9.9.9.9")
					if told {
						m.room.NetworkChanged()
					}
					await[parley.Reconnected](m, mark)
					time.Sleep(15 * time.Second)
					gap := c.view.gap(start)
					sent, lost := c.talk.end()
					c.t.Logf("R8 jump of the %s, told %v: gap %v, messages %d, lost %d", who, told, gap, sent, lost)
					require.LessOrEqual(c.t, gap, limit)
					require.Equal(c.t, []string{"Reconnecting", "Reconnected"}, m.log.since(mark), m.log)
					require.Zero(c.t, lost)
				})
			})
		}
	}
}

func TestR09NetworkSwitchStep(t *testing.T) {
	for _, told := range []bool{false, true} {
		t.Run(fmt.Sprintf("told %v", told), func(t *testing.T) {
			inCall(t, 9, func(c *call) {
				old := c.bob.host.Addresses()[0].String()
				mark, start, limit := c.bob.log.mark(), time.Now(), 3*time.Second
				if told {
					limit = time.Second
				}
				change := func(f func(string), ip string) {
					f(ip)
					if told {
						c.bob.room.NetworkChanged()
					}
				}
				change(c.bob.host.AddAddress, "9.9.9.9")
				time.Sleep(2 * time.Second)
				change(c.bob.host.RemoveAddress, old)
				time.Sleep(20 * time.Second)
				gap := c.view.gap(start)
				sent, lost := c.talk.end()
				c.t.Logf("R9 step, told %v: gap %v, messages %d, lost %d, events %v", told, gap, sent, lost, c.bob.log.since(mark))
				require.LessOrEqual(c.t, gap, limit)
				require.Zero(c.t, lost)
				require.Equal(c.t, parley.StateConnected, c.bob.room.State())
			})
		})
	}
}

func TestR10TwentyNetworkSwitches(t *testing.T) {
	for _, told := range []bool{false, true} {
		t.Run(fmt.Sprintf("told %v", told), func(t *testing.T) {
			inCall(t, 10, func(c *call) {
				mark, start := c.bob.log.mark(), time.Now()
				for i := range 20 {
					c.bob.host.SwitchAddress(fmt.Sprintf("9.9.%d.9", i%2+1))
					if told {
						c.bob.room.NetworkChanged()
					}
					time.Sleep(3 * time.Second)
				}
				last := time.Now()
				back := c.view.after(c.t, last).Sub(last)
				time.Sleep(20 * time.Second)
				sent, lost := c.talk.end()
				c.t.Logf("R10 20 switches, told %v: media %v after the last, longest gap %v, messages %d, lost %d, events %d",
					told, back, c.view.gap(start), sent, lost, c.bob.log.mark()-mark)
				require.Equal(c.t, parley.StateConnected, c.bob.room.State())
				require.LessOrEqual(c.t, c.view.gap(last), 3*time.Second)
				require.Zero(c.t, lost)
			})
		})
	}
}
