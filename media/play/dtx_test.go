//go:build cgo && codecs

package play_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/opus"
	"github.com/stretchr/testify/require"
)

// What DTX leaves out is no loss: its background goes on, and speech behind it
// begins at its time.
func TestSilenceThatIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enc, err := opus.NewEncoder(codec.AudioOptions{Rate: 48000, Channels: 1, Frame: 20 * time.Millisecond, DTX: true, FEC: true, Loss: 0.05})
		require.NoError(t, err)
		p := newPlayer(t)
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		sent := 0
		over := cleanup(t)
		go func() {
			defer close(over)
			began := time.Now()
			for n := range 999 { // speech and silence, two seconds each
				f := media.AudioFrame{Rate: 48000, Channels: 1, Samples: make([]int16, 960)}
				for i := range f.Samples {
					if n%200 < 100 {
						f.Samples[i] = int16(12000 * math.Sin(2*math.Pi*440*float64(n*960+i)/48000))
					}
				}
				s, err := enc.Encode(&f)
				if err == nil && len(s.Data) > 0 {
					s.Data = append([]byte(nil), s.Data...)
					s.Timestamp = time.Duration(n) * 20 * time.Millisecond
					l.send(s)
					sent++
				}
				time.Sleep(time.Until(began.Add(time.Duration(n+1) * 20 * time.Millisecond)))
			}
		}()
		var heard []float64
		listen(p, 20*time.Second, func(pcm []int16) { heard = append(heard, left(pcm)...) })
		s := p.Stats()[0]
		_, loud := purity(heard, 440, 480)
		t.Logf("%d of 999 sent; %+v; silent %.3f", sent, s, below(loud, 0.02))
		require.Less(t, sent, 700)
		require.InDelta(t, 0.5, below(loud, 0.02), 0.03)
		require.Less(t, s.Concealed, 300*time.Millisecond)
		require.Zero(t, s.Late)
		require.NoError(t, enc.Close())
	})
}
