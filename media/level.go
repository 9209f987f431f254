package media

import "math"

// Level returns how loud the sound is: its effective value over the piece and
// all channels, in dB of a square wave as loud as can be (dBov, RFC 6464), from
// -127, which is silence, to -1. That of a full sine wave is -3. It is zero for
// a piece without samples. [Sample] takes it.
func (f *AudioFrame) Level() int {
	if len(f.Samples) == 0 {
		return 0
	}
	sum := 0.0
	for _, s := range f.Samples {
		sum += float64(s) * float64(s)
	}
	return toLevel(sum / float64(len(f.Samples)))
}

// toLevel turns a mean square into a level.
func toLevel(square float64) int {
	if square == 0 {
		return -127
	}
	db := 10 * math.Log10(square/(math.MaxInt16*math.MaxInt16))
	return int(math.Round(min(max(db, -127), -1)))
}
