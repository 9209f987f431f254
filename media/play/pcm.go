package play

import (
	"math"
	"time"

	"github.com/parley-rtc/parley/media"
)

const (
	rate     = 48000 // of everything that is mixed
	channels = 2
	block    = rate / 100 // 10 ms, what is mixed at a time
)

// length is how long so many sample frames of a mix last.
func length(frames int) time.Duration { return time.Duration(frames) * time.Second / rate }

// frames is how many sample frames of a mix last so long.
func frames(d time.Duration) int { return int(d * rate / time.Second) }

// pcm is a queue of sound as it is mixed. Its memory is used again.
type pcm struct {
	buf  []int16
	head int
	from resampler
}

func (p *pcm) frames() int { return (len(p.buf) - p.head) / channels }

// all returns what is queued, valid until the next change.
func (p *pcm) all() []int16 { return p.buf[p.head:] }

// grow adds n sample frames of any content and returns them.
func (p *pcm) grow(n int) []int16 {
	n *= channels
	if p.head > 0 {
		p.buf = p.buf[:copy(p.buf, p.buf[p.head:])]
		p.head = 0
	}
	at := len(p.buf)
	if cap(p.buf)-at < n {
		grown := make([]int16, at, 2*(at+n))
		copy(grown, p.buf)
		p.buf = grown
	}
	p.buf = p.buf[:at+n]
	return p.buf[at:]
}

// silence adds n sample frames of it.
func (p *pcm) silence(n int) { clear(p.grow(n)) }

// take moves sound to dst and returns how many sample frames there were.
func (p *pcm) take(dst []int16) int {
	n := copy(dst, p.buf[p.head:])
	p.head += n
	return n / channels
}

// add adds decoded sound and returns the part of the queue that it became. ok
// is false when it is none.
func (p *pcm) add(f *media.AudioFrame) (added []int16, ok bool) {
	if f.Channels < 1 || f.Channels > 8 || f.Rate < 1000 || f.Rate > 384000 || len(f.Samples) < f.Channels {
		return nil, false
	}
	n := len(f.Samples) / f.Channels
	if f.Rate != rate {
		return p.from.add(p, f, n), true
	}
	dst := p.grow(n)
	switch f.Channels {
	case 1:
		for i, v := range f.Samples {
			dst[2*i], dst[2*i+1] = v, v
		}
	case 2:
		copy(dst, f.Samples)
	default:
		for i := range n {
			dst[2*i], dst[2*i+1] = f.Samples[i*f.Channels], f.Samples[i*f.Channels+1]
		}
	}
	return dst, true
}

// ramp changes the loudness of the sound evenly from one gain to another.
func ramp(pcm []int16, from, to float32) {
	n := len(pcm) / channels
	step := (to - from) / float32(max(1, n))
	for i := range n {
		from += step
		pcm[2*i] = int16(float32(pcm[2*i]) * from)
		pcm[2*i+1] = int16(float32(pcm[2*i+1]) * from)
	}
}

const taps = 16 // of a resampler's filter, per phase

// resampler brings sound to the rate of the mix: a bank of windowed sinc
// filters, one for each place between two samples that is needed.
type resampler struct {
	rate  int
	up    int // phases
	down  int
	bank  []float32 // taps a phase
	phase int
	past  [channels][taps]float32 // the newest samples, the oldest first
}

func (r *resampler) tune(in int) {
	a, b := rate, in
	for b != 0 {
		a, b = b, a%b
	}
	*r = resampler{rate: in, up: rate / a, down: in / a}
	r.bank = make([]float32, r.up*taps)
	cut := min(1, float64(rate)/float64(in)) * 0.92
	for ph := range r.up {
		var sum float64
		row := r.bank[ph*taps : (ph+1)*taps]
		for i := range row {
			// The place asked for is phase/up behind the middle sample.
			x := float64(i) - (taps/2 - 1) - float64(ph)/float64(r.up)
			v := cut
			if x != 0 {
				v = math.Sin(math.Pi*x*cut) / (math.Pi * x)
			}
			v *= 0.5 + 0.5*math.Cos(math.Pi*x/(taps/2))
			row[i] = float32(v)
			sum += v
		}
		for i := range row {
			row[i] /= float32(sum)
		}
	}
}

func (r *resampler) add(p *pcm, f *media.AudioFrame, n int) []int16 {
	if r.rate != f.Rate {
		r.tune(f.Rate)
	}
	dst := p.grow((n*r.up-r.phase+r.down-1)/r.down + 1)
	used := min(channels, f.Channels)
	out := 0
	for i := range n {
		for c := range used {
			past := &r.past[c]
			copy(past[:], past[1:])
			past[taps-1] = float32(f.Samples[i*f.Channels+c])
		}
		for ; r.phase < r.up; r.phase += r.down {
			row := (*[taps]float32)(r.bank[r.phase*taps:])
			v := dot(row, &r.past[0])
			dst[2*out], dst[2*out+1] = v, v
			if used > 1 {
				dst[2*out+1] = dot(row, &r.past[1])
			}
			out++
		}
		r.phase -= r.up
	}
	p.buf = p.buf[:len(p.buf)-len(dst)+out*channels]
	return dst[:out*channels]
}

func dot(a, b *[taps]float32) int16 {
	var v [4]float32
	for i := 0; i < taps; i += 4 {
		v[0] += a[i] * b[i]
		v[1] += a[i+1] * b[i+1]
		v[2] += a[i+2] * b[i+2]
		v[3] += a[i+3] * b[i+3]
	}
	return int16(max(math.MinInt16, min(math.MaxInt16, v[0]+v[1]+v[2]+v[3])))
}
