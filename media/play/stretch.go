package play

import (
	"math"
	"time"
)

const (
	// The shortest and longest piece by which sound is stretched: pitch
	// periods of voices from 400 Hz down to 67 Hz.
	minLag = rate / 400
	maxLag = rate / 67

	coarse  = 4            // every fourth sample is looked at first
	compare = rate / 100   // what is compared
	ahead   = 2*maxLag + 1 // sound needed to stretch
)

// stretcher makes sound longer or shorter without changing its pitch: it finds
// a piece that resembles the one behind it, and leaves one out or repeats one.
// Its memory is used again.
type stretcher struct {
	mono [2*maxLag + compare]float32
	low  [(2*maxLag + compare) / coarse]float32
}

// apply changes the sound in p, of which at least [ahead] is needed, by about
// at most d: shorter if it is negative. The pieces must be at least that
// similar, of 1. It returns what the length changed by, in sample frames.
func (s *stretcher) apply(p *pcm, d time.Duration, similar float32) int {
	x := p.all()
	lag := s.lag(x, min(maxLag, max(minLag, frames(d.Abs()))), similar)
	switch {
	case lag == 0:
		return 0
	case d < 0:
		// The first piece turns into the second, and the second goes.
		fade(x[:lag*channels], x[:lag*channels], x[lag*channels:])
		rest := x[2*lag*channels:]
		p.buf = p.buf[:len(p.buf)-len(rest)-lag*channels+copy(x[lag*channels:], rest)]
		return -lag
	}
	// Behind the first piece, the second turns into the first again.
	p.grow(lag)
	x = p.all()
	copy(x[2*lag*channels:], x[lag*channels:len(x)-lag*channels])
	fade(x[lag*channels:2*lag*channels], x[2*lag*channels:], x)
	return lag
}

// fade puts what turns from a into b into dst, which may be either.
func fade(dst, a, b []int16) {
	n := len(dst) / channels
	for i := range n {
		g := (float32(i) + 0.5) / float32(n)
		for c := i * channels; c < (i+1)*channels; c++ {
			dst[c] = int16(float32(a[c])*(1-g) + float32(b[c])*g)
		}
	}
}

// lag returns the length of the piece at the beginning of x that resembles what
// follows it most, 0 when nothing does.
func (s *stretcher) lag(x []int16, most int, similar float32) int {
	have := min(len(x)/channels, len(s.mono))
	if have < 2*most {
		most = have / 2
	}
	if most < minLag {
		return 0
	}
	var energy float32
	for i := range have {
		s.mono[i] = float32(x[2*i]) + float32(x[2*i+1])
		energy += s.mono[i] * s.mono[i]
	}
	if energy < 64*float32(have) {
		return most // silence
	}
	for i := range have / coarse {
		s.low[i] = (s.mono[coarse*i] + s.mono[coarse*i+1] + s.mono[coarse*i+2] + s.mono[coarse*i+3]) / coarse
	}
	width := min(compare, have-most)
	best, bestLag := float32(-1), 0
	for l := minLag / coarse; l <= most/coarse; l++ {
		if c := likeness(s.low[:], l, width/coarse); c > best {
			best, bestLag = c, l
		}
	}
	around := bestLag * coarse
	best, bestLag = -1, 0
	for l := max(minLag, around-coarse); l <= min(most, around+coarse); l++ {
		if c := likeness(s.mono[:], l, width); c > best {
			best, bestLag = c, l
		}
	}
	if best < similar {
		return 0
	}
	return bestLag
}

// likeness compares what begins at 0 and at lag: 1 is the same.
func likeness(x []float32, lag, width int) float32 {
	var ab, aa, bb float32
	a, b := x[:width], x[lag:lag+width]
	for i, v := range a {
		w := b[i]
		ab += v * w
		aa += v * v
		bb += w * w
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / float32(math.Sqrt(float64(aa)*float64(bb)))
}
