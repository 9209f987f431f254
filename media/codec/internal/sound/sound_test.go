package sound_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/internal/sound"
)

const ms = time.Millisecond

// heard returns a concealer after a second of a voice.
func heard(rate, channels int) *sound.Concealer {
	c := &sound.Concealer{Rate: rate, Channels: channels}
	var f media.AudioFrame
	for at := time.Duration(0); at < time.Second; at += 10 * ms {
		codectest.Voice(&f, rate, channels, at, 10*ms)
		c.Heard(f.Samples)
	}
	return c
}

func TestConcealedVoiceGoesOn(t *testing.T) {
	for _, rate := range []int{8000, 48000} {
		for _, channels := range []int{1, 2} {
			c := heard(rate, channels)
			var want media.AudioFrame
			codectest.Voice(&want, rate, channels, time.Second, 10*ms)
			got := make([]int16, len(want.Samples))
			c.Conceal(got)
			snr := codectest.SNR(want.Samples, got)
			t.Logf("%d Hz, %d channels: %.1f dB", rate, channels, snr)
			require.Greater(t, snr, 6.0)
		}
	}
}

// Neither into the gap nor out of it there is a click: no step between samples
// is much larger than those of the voice.
func TestConcealmentDoesNotClick(t *testing.T) {
	const rate = 48000
	for _, gap := range []time.Duration{5 * ms, 20 * ms, 60 * ms} {
		c := heard(rate, 1)
		var before, after media.AudioFrame
		codectest.Voice(&before, rate, 1, time.Second-10*ms, 10*ms)
		codectest.Voice(&after, rate, 1, time.Second+gap, 100*ms)
		made := make([]int16, sound.Samples(gap, rate))
		c.Conceal(made)
		usual := largestStep(after.Samples)
		c.Heard(after.Samples)
		all := append(append(before.Samples, made...), after.Samples...)
		require.Less(t, largestStep(all), 2*usual, "%v", gap)
	}
}

func largestStep(samples []int16) (step int) {
	for i := range samples[1:] {
		d := int(samples[i+1]) - int(samples[i])
		step = max(step, d, -d)
	}
	return step
}

func TestNothingHeardIsSilence(t *testing.T) {
	c := &sound.Concealer{Rate: 8000, Channels: 2}
	samples := []int16{1, 2, 3, 4}
	c.Conceal(samples)
	require.Equal(t, make([]int16, 4), samples)
	c.Heard([]int16{5, 6})
	c.Conceal(samples)
	require.Equal(t, make([]int16, 4), samples)
}
