package play_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
)

// A sender's clock is 200 ppm off for an hour: 720 ms, more than the buffer
// ever holds. Nothing runs dry or over; the sound is stretched where nobody
// hears it.
func TestClocksMayDifferForAnHour(t *testing.T) {
	for _, ppm := range []float64{-200, 200} {
		t.Run(fmt.Sprint(ppm), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const long = hour
				p := newPlayer(t, func(o *play.Options) { o.AudioDecoder = newOrgan })
				l := newLine()
				require.NoError(t, p.Add("ann", l))
				(&stream{
					line: l, each: 20 * time.Millisecond, ppm: ppm, make: part,
					net: uneven(40*time.Millisecond, 30*time.Millisecond, 0, 1),
				}).start(t, long)
				n := 0
				var lowest, highest time.Duration = math.MaxInt64, 0
				var heard []float64
				listen(p, long, func(pcm []int16) {
					if n++; n%100 == 0 && n > 1000 {
						s := p.Stats()[0]
						lowest, highest = min(lowest, s.Offset), max(highest, s.Offset)
					}
					if n > int(long/(10*time.Millisecond))-3000 {
						heard = append(heard, left(pcm)...)
					}
				})
				s := p.Stats()[0]
				db, loud := purity(heard, 440, 2400)
				t.Logf("%+v", s)
				t.Logf("offset %v to %v; under 30 dB: %.4f", lowest, highest, below(db, 30))
				require.Zero(t, s.Lost)
				require.Less(t, s.Concealed, long/10000+100*time.Millisecond)
				require.InDelta(t, 200e-6*long.Seconds(), math.Abs((s.Inserted - s.Removed).Seconds()), 0.05)
				require.Less(t, highest, 100*time.Millisecond)
				require.Greater(t, lowest, 15*time.Millisecond)
				require.Less(t, below(db, 30), 0.02)
				require.Zero(t, below(loud, 0.3))
			})
		})
	}
}
