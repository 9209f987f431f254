package parley_test

import (
	"slices"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/stretchr/testify/require"
)

// delays returns how much later than the quickest one each frame came that
// came after the time.
func (v *viewer) delays(since time.Time) (all []time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, f := range v.frames {
		if f.at.After(since) {
			all = append(all, f.at.Sub(since)-f.time)
		}
	}
	quickest := slices.Min(all)
	for i := range all {
		all[i] -= quickest
	}
	return all
}

// throughLoss has a call go on for a minute over what the change makes of the
// network of one side, and tells the share of frames that arrived.
func throughLoss(t *testing.T, row string, seed uint64, change func(send, receive *faultnet.Faults)) {
	for _, who := range []string{"subscriber", "publisher"} {
		t.Run(who, func(t *testing.T) {
			inCall(t, seed, func(c *call) {
				m := c.bob
				if who == "publisher" {
					m = c.alice
				}
				mark, start, before, missed := c.bob.log.mark(), time.Now(), c.view.count(), c.view.missed(framePace)
				m.host.Impair(change)
				time.Sleep(time.Minute)
				frames, gap, delays := c.view.count()-before, c.view.gap(start), c.view.delays(start)
				missed = c.view.missed(framePace) - missed
				m.host.Impair(func(send, receive *faultnet.Faults) {
					*send, *receive = faultnet.Faults{Delay: oneWay}, faultnet.Faults{}
				})
				sent, lost := c.talk.end()
				share := float64(frames) / float64(frames+missed)
				c.t.Logf("%s of the %s: %d frames, %.1f %% of all, delay p50 %v, p95 %v, p99 %v, longest gap %v; messages %d, lost %d", row, who,
					frames, share*100, quantile(delays, .5), quantile(delays, .95), quantile(delays, .99), gap, sent, lost)
				require.Empty(c.t, c.bob.log.since(mark), "the room stays connected")
				require.Zero(c.t, lost)
				require.Greater(c.t, frames, 1300)
				require.GreaterOrEqual(c.t, share, .95)
				require.LessOrEqual(c.t, quantile(delays, .95), 400*time.Millisecond)
			})
		})
	}
}

func TestR04TwentyPercentLoss(t *testing.T) {
	throughLoss(t, "R4, 20 % loss", 4, func(send, receive *faultnet.Faults) { send.Loss, receive.Loss = 200, 200 })
}

// Losses in bursts of five packets in the mean, on one packet of 21.
func TestR05LossInBursts(t *testing.T) {
	bursts := faultnet.Burst{Enter: 10, Leave: 200}
	throughLoss(t, "R5, bursts of loss", 5, func(send, receive *faultnet.Faults) { send.Burst, receive.Burst = bursts, bursts })
}
