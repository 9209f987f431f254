package device

import "math"

// hann takes one channel out of the samples and fades it in and out.
func hann(samples []int16, channel, channels int) []float64 {
	out := make([]float64, len(samples)/channels)
	for i := range out {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(out)))
		out[i] = w * float64(samples[i*channels+channel]) / 32768
	}
	return out
}

// power is how strong a frequency is, relative to a full sine (Goertzel).
func power(faded []float64, rate int, freq float64) float64 {
	c := 2 * math.Cos(2*math.Pi*freq/float64(rate))
	var s1, s2 float64
	for _, v := range faded {
		s1, s2 = v+c*s1-s2, s1
	}
	return 4 * math.Sqrt(math.Max(0, s1*s1+s2*s2-c*s1*s2)) / float64(len(faded))
}

// pitch returns the strongest frequency from 100 to 1000 Hz, and its level.
func pitch(samples []int16, channel, channels, rate int) (freq, level float64) {
	search := func(samples []int16, from, to, step float64) (best, level float64) {
		faded := hann(samples, channel, channels)
		for f := from; f <= to; f += step {
			if p := power(faded, rate, f); p > level {
				best, level = f, p
			}
		}
		return best, level
	}
	coarse, _ := search(samples[:len(samples)/8/channels*channels], 100, 1000, 5)
	return search(samples, coarse-6, coarse+6, 0.5)
}
