package parley_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// inSkewedLab is a lab whose server has a clock that can be set.
func inSkewedLab(t *testing.T, f func(l *lab, set func(ahead time.Duration))) {
	t.Helper()
	var ahead atomic.Int64
	inLab(t, 34, func(l *lab) { f(l, func(d time.Duration) { ahead.Store(int64(d)) }) },
		func(c *sfu.Config) { c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) } })
}

// The server's clock leaps in the middle of a session, and signaling breaks
// after each leap: nobody is disconnected, and nothing is lost.
func TestR34ClockLeapsInMidSession(t *testing.T) {
	inSkewedLab(t, func(l *lab, set func(time.Duration)) {
		data := dataTrack(l.t, "data")
		alice, bob := l.join("alice", picture(l.t), data), l.join("bob")
		view, talk := bob.watch("alice", "picture"), l.talk(data, bob, 20*time.Millisecond)
		view.after(l.t, time.Now())
		began := time.Now()
		for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute, 0, -time.Hour, 3 * time.Hour} {
			set(ahead)
			time.Sleep(5 * time.Second)
			for _, m := range []*member{alice, bob} {
				mark := m.log.mark()
				m.lines.reset()
				await[parley.Reconnected](m, mark)
				time.Sleep(2 * time.Second)
				require.Equal(l.t, []string{"Reconnecting", "Reconnected"}, m.log.since(mark,
					"ParticipantReconnecting alice", "ParticipantReconnected alice", "ParticipantReconnecting bob", "ParticipantReconnected bob"), "%v", ahead)
			}
		}
		gap := view.gap(began)
		sent, lost := talk.end()
		l.t.Logf("R34 five leaps of the clock: messages %d, lost %d, longest gap between frames %v", sent, lost, gap)
		require.Zero(l.t, lost)
		require.Less(l.t, gap, 200*time.Millisecond)
	})
}

// Who joins is judged by the server's clock, with a minute of leeway both ways.
func TestR34TokensAndTheServersClock(t *testing.T) {
	inSkewedLab(t, func(l *lab, set func(time.Duration)) {
		l.mint = func(identity string) string {
			return l.token(identity, func(t *accesstoken.Token) { t.TTL, t.NotBefore = 10*time.Minute, time.Now() })
		}
		for i, c := range []struct {
			ahead time.Duration
			want  error
		}{
			{-10 * time.Minute, parley.ErrTokenNotYetValid},
			{-62 * time.Second, parley.ErrTokenNotYetValid},
			{-58 * time.Second, nil},
			{0, nil},
			{9 * time.Minute, nil},
			{10*time.Minute + 58*time.Second, nil},
			{10*time.Minute + 62*time.Second, parley.ErrTokenExpired},
			{time.Hour, parley.ErrTokenExpired},
		} {
			set(c.ahead)
			m, err := l.dial(l.t.Context(), fmt.Sprint("guest", i))
			if c.want != nil {
				require.ErrorIs(l.t, err, c.want, "%v", c.ahead)
				continue
			}
			require.NoError(l.t, err, "%v", c.ahead)
			m.leave()
		}
	})
}
