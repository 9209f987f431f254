package codectest

import (
	"math"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/internal/sound"
)

// Voice puts a piece of something like a voice into f: a gliding pitch with
// its harmonics, in syllables. Channels differ. The piece begins at start.
func Voice(f *media.AudioFrame, rate, channels int, start, length time.Duration) {
	n := sound.Samples(length, rate)
	sound.Fit(f, rate, channels, n)
	f.Timestamp = start
	for i := range n {
		t := start.Seconds() + float64(i)/float64(rate)
		phase := 2 * math.Pi * (300*t + 4*math.Sin(2*math.Pi*0.7*t))
		loud := 0.55 + 0.45*math.Sin(2*math.Pi*3*t)
		for ch := range channels {
			v := 0.0
			for h := 1; h <= 12 && float64(h)*400 < float64(rate)/2; h++ {
				v += math.Sin(float64(h)*phase+float64(ch)) / float64(h+ch)
			}
			f.Samples[i*channels+ch] = int16(7000 * loud * v)
		}
	}
}

// SNR compares sound with what it should be, in dB; equal sound gives 99.
func SNR(want, got []int16) float64 {
	var signal, noise float64
	for i := range min(len(want), len(got)) {
		d := float64(want[i]) - float64(got[i])
		signal += float64(want[i]) * float64(want[i])
		noise += d * d
	}
	if noise == 0 {
		return 99
	}
	return 10 * math.Log10(signal/noise)
}

// DelayedSNR is the best [SNR] of sound that comes up to most samples late.
func DelayedSNR(want, got []int16, channels, most int) (snr float64, delay int) {
	snr = math.Inf(-1)
	for d := 0; d <= most; d++ {
		if s := SNR(want[:len(want)-most*channels], got[d*channels:]); s > snr {
			snr, delay = s, d
		}
	}
	return snr, delay
}
