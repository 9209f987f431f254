package synth_test

import (
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
)

// rising counts how often the wave goes from below zero to above: the sign is
// a code's highest bit in both laws.
func rising(data []byte) (n int) {
	for i := 1; i < len(data); i++ {
		if data[i-1]&0x80 == 0 && data[i]&0x80 != 0 {
			n++
		}
	}
	return n
}

func TestComputedTones(t *testing.T) {
	for _, c := range []struct {
		codec media.Codec
		make  func(float64) media.Source
		freq  float64
		want  float64
	}{
		{media.PCMU, synth.PCMU, 440, 440},
		{media.PCMA, synth.PCMA, 440, 440},
		{media.PCMU, synth.PCMU, 1000.5, 1000.5},
		{media.PCMA, synth.PCMA, 0, 440},
		{media.PCMA, synth.PCMA, 1e6, 440},
		{media.PCMU, synth.PCMU, math.NaN(), 440},
	} {
		synctest.Test(t, func(t *testing.T) {
			src := c.make(c.freq)
			require.Equal(t, c.codec, src.Codec())
			start := time.Now()
			var all []byte
			for range 500 {
				s, err := src.Next(t.Context())
				require.NoError(t, err)
				require.Len(t, s.Data, 160)
				require.Equal(t, s.Timestamp, time.Since(start))
				require.Equal(t, 20*time.Millisecond, s.Duration)
				require.True(t, s.Keyframe)
				all = append(all, s.Data...)
			}
			require.InDelta(t, c.want*10, rising(all), 2, "the phase goes on from packet to packet")
			require.NoError(t, src.Close())
			_, err := src.Next(t.Context())
			require.Equal(t, io.EOF, err)
		})
	}
}
