package parley_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// joins measures how long it takes from the call of Connect to the first
// picture, so many times, with packets lost both ways.
func joins(t *testing.T, seed uint64, n, permille int) (media, connect []time.Duration) {
	t.Helper()
	inLab(t, seed, func(l *lab) {
		l.join("alice", picture(l.t))
		time.Sleep(time.Second)
		for i := range n {
			who := fmt.Sprintf("bob%d", i)
			host := l.world.Host(who)
			host.SetLoss(permille)
			start := time.Now()
			bob, err := l.dialFrom(l.t.Context(), host, who)
			require.NoError(l.t, err)
			connect = append(connect, time.Since(start))
			media = append(media, bob.watch("alice", "picture").after(l.t, start).Sub(start))
			bob.leave()
			time.Sleep(time.Duration(i) * 7 * time.Millisecond) // not in step with the key frames
		}
	})
	return media, connect
}

func report(t *testing.T, figure string, media, connect []time.Duration) {
	t.Helper()
	t.Logf("%s: %d joins, first picture p50 %v, p90 %v, p99 %v, max %v; Connect p50 %v, max %v", figure, len(media),
		quantile(media, .5), quantile(media, .9), quantile(media, .99), quantile(media, 1),
		quantile(connect, .5), quantile(connect, 1))
}

func TestR01JoinAt0PercentLoss(t *testing.T) {
	media, connect := joins(t, 1, 40, 0)
	report(t, "R1, 0 % loss", media, connect)
	require.Len(t, media, 40)
	require.LessOrEqual(t, quantile(media, .5), 500*time.Millisecond)
	require.LessOrEqual(t, quantile(media, .99), time.Second)
}

func TestR02JoinAt20PercentLoss(t *testing.T) {
	media, connect := joins(t, 2, 40, 200)
	report(t, "R2, 20 % loss both ways", media, connect)
	require.Len(t, media, 40)
	require.LessOrEqual(t, quantile(media, .9), 3*time.Second)
}

func TestR03JoinAt30PercentLoss(t *testing.T) {
	media, connect := joins(t, 3, 40, 300)
	report(t, "R3, 30 % loss both ways", media, connect)
	require.Len(t, media, 40)
	require.LessOrEqual(t, quantile(media, 1), 8*time.Second)
}
