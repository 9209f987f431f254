package play_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/stretchr/testify/require"
)

// BenchmarkMix is what 20 ms of sound cost, from the samples of some tracks to
// their mix.
func BenchmarkMix(b *testing.B) {
	opus := make([]media.Sample, 0, 50)
	src := synth.Tone()
	for range cap(opus) {
		s, err := src.Next(b.Context())
		require.NoError(b, err)
		s.Data = append([]byte(nil), s.Data...)
		opus = append(opus, s)
	}
	require.NoError(b, src.Close())
	pcmu := tone(440, 0.3)
	for name, sample := range map[string]func(int) media.Sample{
		"pcmu": pcmu,
		"opus": func(n int) media.Sample { return opus[n%len(opus)] },
	} {
		for _, tracks := range []int{1, 10} {
			b.Run(fmt.Sprintf("%s-%d", name, tracks), func(b *testing.B) {
				p, err := play.New(nil)
				require.NoError(b, err)
				defer func() { require.NoError(b, p.Close()) }()
				var lines []*line
				for i := range tracks {
					lines = append(lines, newLine())
					require.NoError(b, p.Add(fmt.Sprint(i), lines[i]))
				}
				pcm := make([]int16, 2*960)
				at := time.Hour
				step := func(n int) {
					for _, l := range lines {
						s := sample(n)
						s.Timestamp = at
						if err := p.Deliver(l, s, at); err != nil {
							b.Fatal(err)
						}
					}
					p.MixAt(pcm, at)
					at += 20 * time.Millisecond
				}
				for n := range 500 {
					step(n)
				}
				before := p.Stats()[0].Played
				b.ReportAllocs()
				b.ResetTimer()
				n := 0
				for b.Loop() {
					n++
					step(n)
				}
				b.StopTimer()
				s := p.Stats()[0]
				require.InDelta(b, float64(n)*0.02, (s.Played - before).Seconds(), 0.1)
				require.Zero(b, s.Concealed)
			})
		}
	}
}
