package parley_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/stretchr/testify/require"
)

func measuring(local, remote int, tracks ...parley.LocalTrack) func(*parley.ConnectOptions) {
	return func(o *parley.ConnectOptions) {
		o.NetworkQuality, o.Tracks = &parley.NetworkQuality{Local: local, Remote: remote}, tracks
	}
}

// quality waits until a member hears of a level of somebody that is fine, and
// returns the event and how long that took.
func (m *member) quality(mark int, sid string, fine func(level int) bool) (parley.NetworkQualityLevelChanged, time.Duration) {
	m.t.Helper()
	start := time.Now()
	e, at := await(m, mark, func(e parley.NetworkQualityLevelChanged) bool { return e.SID == sid && fine(e.Level) })
	return e, at.Sub(start)
}

func best(level int) bool { return level == 5 }

func poor(level int) bool { return level <= 2 }

func TestC87QualityFallsAndRecovers(t *testing.T) {
	for _, trouble := range []string{"loss", "delay"} {
		t.Run(trouble, func(t *testing.T) {
			inLab(t, 87, func(l *lab) {
				alice, err := l.dial(l.t.Context(), "alice", measuring(1, 1, picture(l.t)))
				require.NoError(l.t, err)
				bob, err := l.dial(l.t.Context(), "bob", measuring(3, 3))
				require.NoError(l.t, err)
				bob.watch("alice", "picture").after(l.t, time.Now())
				me := alice.room.LocalParticipant()
				e, _ := alice.quality(0, me.SID(), best)
				require.Nil(l.t, e.Stats, "not asked for")
				e, _ = bob.quality(0, me.SID(), best)
				require.NotNil(l.t, e.Stats)
				require.NotNil(l.t, e.Stats.Video.SendStats)
				time.Sleep(10 * time.Second)
				level, ok := me.NetworkQualityLevel()
				require.True(l.t, ok)
				require.Equal(l.t, 5, level)

				mark, others := alice.log.mark(), bob.log.mark()
				set := func(on bool) {
					delay := time.Duration(0)
					switch {
					case trouble == "loss" && on:
						alice.host.SetLoss(200)
					case trouble == "loss":
						alice.host.SetLoss(0)
					case on:
						delay = 600 * time.Millisecond
						fallthrough
					default:
						alice.host.Impair(func(send, _ *faultnet.Faults) { send.Delay = delay })
					}
				}
				set(true)
				_, fell := alice.quality(mark, me.SID(), poor)
				told, seen := bob.quality(others, me.SID(), poor)
				require.Less(l.t, fell, 10*time.Second)
				require.Less(l.t, seen, 10*time.Second)
				send := told.Stats.Video.SendStats
				l.t.Logf("%s: own level fell after %v, seen after %v: %+v", trouble, fell, seen, *send)
				if trouble == "loss" {
					require.Greater(l.t, send.FractionLost, 0.05)
				} else {
					require.Greater(l.t, send.RoundTrip, 500*time.Millisecond)
				}
				level, _ = bob.room.LocalParticipant().NetworkQualityLevel()
				require.GreaterOrEqual(l.t, level, 3, "bob is hardly to blame")
				set(false)
				mark, others = alice.log.mark(), bob.log.mark()
				_, rose := alice.quality(mark, me.SID(), best)
				_, seen = bob.quality(others, me.SID(), best)
				l.t.Logf("%s: own level rose after %v, seen after %v", trouble, rose, seen)
				require.Less(l.t, rose, 20*time.Second)
				require.Less(l.t, seen, 20*time.Second)
			})
		})
	}
}

func TestC87VerbosityIsHonoured(t *testing.T) {
	for local := range 4 {
		for remote := range 4 {
			t.Run(fmt.Sprintf("%d %d", local, remote), func(t *testing.T) {
				inLab(t, 88, func(l *lab) {
					alice, err := l.dial(l.t.Context(), "alice", measuring(1, 0))
					require.NoError(l.t, err)
					bob, err := l.dial(l.t.Context(), "bob", measuring(local, remote))
					require.NoError(l.t, err)
					check := func(sid string, verbosity int) {
						e, _ := bob.quality(0, sid, best)
						require.Equal(l.t, verbosity < 2, e.Stats == nil)
						if verbosity > 1 {
							require.Equal(l.t, 5, e.Stats.Audio.Recv)
							require.Equal(l.t, verbosity < 3, e.Stats.Video.SendStats == nil)
						}
					}
					check(bob.room.LocalParticipant().SID(), local)
					if remote > 0 {
						check(alice.room.LocalParticipant().SID(), remote)
					}
					time.Sleep(5 * time.Second)
					level, ok := bob.room.Participants()[0].NetworkQualityLevel()
					require.Equal(l.t, remote > 0, ok)
					require.Equal(l.t, ok, level == 5)
				})
			})
		}
	}
}

func TestQualityWithoutAnyWayForMediaIsZero(t *testing.T) {
	inLab(t, 89, func(l *lab) {
		bob, err := l.dial(l.t.Context(), "bob", measuring(1, 0))
		require.NoError(l.t, err)
		me := bob.room.LocalParticipant()
		bob.quality(0, me.SID(), best)
		mark := bob.log.mark()
		bob.host.BlockUDP(true)
		bob.quality(mark, me.SID(), func(level int) bool { return level == 0 })
		bob.host.BlockUDP(false)
		bob.quality(mark, me.SID(), best)
	})
}

func TestBadVerbosityIsRefused(t *testing.T) {
	for _, q := range []parley.NetworkQuality{{Local: 4}, {Local: -1}, {Remote: 4}, {Remote: -1}} {
		_, err := parley.Connect("token", &parley.ConnectOptions{URL: "ws://127.0.0.1:1/signaling", NetworkQuality: &q})
		require.ErrorIs(t, err, parley.ErrOption)
	}
}
