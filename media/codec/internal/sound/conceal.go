package sound

import (
	"math"
	"time"
)

// Concealer makes up for lost sound without help of a codec: it repeats the
// last period of the voice, fading out, and fades over to what comes next.
// The zero value is not usable: set Rate and Channels.
type Concealer struct {
	Rate, Channels int

	past   []int16 // what was heard last, the channels interleaved
	period int     // samples of a channel that are repeated, zero while nothing is lost
	at     int     // where the repetition is
	gone   int     // samples of a channel made up so far
}

const (
	memory   = 40 * time.Millisecond // of past sound
	shortest = 2500 * time.Microsecond
	longest  = 15 * time.Millisecond // period of a voice
	steady   = 10 * time.Millisecond // before it fades
	fade     = 60 * time.Millisecond
	overlap  = 2500 * time.Microsecond // with what comes next
)

// Heard takes note of good sound, whose beginning it blends with what was made
// up before.
func (c *Concealer) Heard(samples []int16) {
	if c.period > 0 {
		n := min(Samples(overlap, c.Rate), len(samples)/c.Channels)
		for i := range n {
			for ch := range c.Channels {
				s := &samples[i*c.Channels+ch]
				*s = int16((c.next(ch)*float64(n-i) + float64(*s)*float64(i)) / float64(n))
			}
			c.step()
		}
		c.period = 0
	}
	c.past = append(c.past, samples...)
	if size := Samples(memory, c.Rate) * c.Channels; len(c.past) > size {
		c.past = c.past[:copy(c.past, c.past[len(c.past)-size:])]
	}
}

// Conceal fills samples with what may have been there.
func (c *Concealer) Conceal(samples []int16) {
	if len(c.past) < Samples(memory, c.Rate)*c.Channels {
		clear(samples)
		return
	}
	if c.period == 0 {
		c.period, c.at, c.gone = c.findPeriod(), 0, 0
	}
	for i := 0; i < len(samples); i += c.Channels {
		for ch := range c.Channels {
			samples[i+ch] = int16(c.next(ch))
		}
		c.step()
	}
}

// next returns the sample of a channel that is made up next.
func (c *Concealer) next(channel int) float64 {
	late := float64(c.gone-Samples(steady, c.Rate)) / float64(Samples(fade, c.Rate))
	gain := min(max(1-late, 0), 1)
	last := len(c.past)/c.Channels - c.period
	return gain * float64(c.past[(last+c.at)*c.Channels+channel])
}

func (c *Concealer) step() {
	c.gone++
	if c.at++; c.at == c.period {
		c.at = 0
	}
}

// findPeriod looks for the distance at which the end of the past is most like
// what was before it.
func (c *Concealer) findPeriod() int {
	frames := len(c.past) / c.Channels
	low, high := Samples(shortest, c.Rate), Samples(longest, c.Rate)
	window := frames - high
	best, period := math.Inf(-1), high
	for lag := low; lag <= high; lag++ {
		var product, energy float64
		for i := frames - window; i < frames; i += 2 {
			a, b := float64(c.past[i*c.Channels]), float64(c.past[(i-lag)*c.Channels])
			product += a * b
			energy += b * b
		}
		if score := product / math.Sqrt(energy+1); score > best {
			best, period = score, lag
		}
	}
	return period
}
