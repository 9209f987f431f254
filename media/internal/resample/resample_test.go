package resample_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/internal/resample"
)

// tone returns a second of a tone that differs in each channel.
func tone(rate, channels int, hz, amplitude float64) []int16 {
	s := make([]int16, 0, rate*channels)
	for i := range rate {
		for c := range channels {
			s = append(s, int16(math.Round(amplitude*math.Sin(2*math.Pi*hz*float64(c+1)*float64(i)/float64(rate)))))
		}
	}
	return s
}

var rates = []int{8000, 11025, 16000, 22050, 24000, 32000, 44100, 44099, 48000, 96000, 192000}

// A tone comes out as the same tone at the same time, in pieces of any length.
func TestToneStaysWhatItIs(t *testing.T) {
	for _, in := range rates {
		for _, out := range []int{8000, 16000, 44100, 48000} {
			for _, channels := range []int{1, 2} {
				t.Run(fmt.Sprintf("%d to %d, %d channels", in, out, channels), func(t *testing.T) {
					r := resample.New(in, out, channels)
					src := tone(in, channels, 500, 20000)
					var got []int16
					for n := 1; len(src) > 0; n = n*7%1000 + 1 {
						piece := src[:min(n*channels, len(src))]
						got, src = r.Append(got, piece), src[len(piece):]
					}
					held := r.Held() * channels
					require.InDelta(t, out*channels, len(got)+held, float64(channels))
					got = r.Flush(got)
					want := tone(out, channels, 500, 20000)
					require.InDelta(t, len(want), len(got), float64(2*channels))
					var noise, signal float64
					for i := out * channels / 10; i < len(want)*9/10; i++ {
						d := float64(got[i]) - float64(want[i])
						noise, signal = noise+d*d, signal+float64(want[i])*float64(want[i])
					}
					require.Greater(t, 10*math.Log10(signal/noise), 70., "dB between tone and noise")
				})
			}
		}
	}
}

func TestWhatTheLowerRateCannotCarryIsGone(t *testing.T) {
	for _, tc := range []struct {
		in, out int
		hz      float64
	}{{48000, 16000, 9000}, {48000, 8000, 5000}, {48000, 44100, 23500}, {44100, 16000, 12000}, {96000, 48000, 30000}} {
		r := resample.New(tc.in, tc.out, 1)
		got := r.Append(nil, tone(tc.in, 1, tc.hz, 30000))
		peak := 0
		for _, s := range got[len(got)/10:] {
			peak = max(peak, int(s), -int(s))
		}
		require.Less(t, peak, 30, "%+v", tc) // 60 dB down
	}
}

func TestLoudSoundIsClipped(t *testing.T) {
	src := make([]int16, 4410)
	for i := range src {
		src[i] = math.MaxInt16
		if i/30%2 == 0 {
			src[i] = math.MinInt16
		}
	}
	got := resample.New(44100, 48000, 1).Append(nil, src)
	for i := 1; i < len(got); i++ { // no wrap within a plateau
		require.False(t, got[i-1] > 30000 && got[i] < -30000, i)
	}
}

func TestResetForgets(t *testing.T) {
	r := resample.New(44100, 48000, 1)
	want := r.Append(nil, tone(44100, 1, 500, 20000))
	r.Reset()
	require.Equal(t, want, r.Append(nil, tone(44100, 1, 500, 20000)))
	r.Flush(nil)
	require.Equal(t, want, r.Append(nil, tone(44100, 1, 500, 20000)))
}

func TestNoGarbage(t *testing.T) {
	r := resample.New(44100, 48000, 2)
	src := tone(44100, 2, 500, 20000)[:2*441]
	dst := make([]int16, 0, 2*1024)
	r.Append(dst, src)
	require.Zero(t, testing.AllocsPerRun(100, func() { r.Append(dst, src) }))
}

// The pause between two far outputs of a steep reduction may be longer than a
// piece.
func TestPiecesShorterThanAStep(t *testing.T) {
	r := resample.New(192000, 8000, 1)
	src := tone(192000, 1, 500, 20000)
	var whole, pieces []int16
	whole = resample.New(192000, 8000, 1).Append(nil, src)
	for _, s := range src {
		pieces = r.Append(pieces, []int16{s})
	}
	require.Equal(t, whole, pieces)
}

func BenchmarkSecondOf44100To48000(b *testing.B) {
	r := resample.New(44100, 48000, 1)
	src := tone(44100, 1, 500, 20000)
	dst := make([]int16, 0, 50000)
	b.ReportAllocs()
	for b.Loop() {
		r.Append(dst, src)
	}
}
