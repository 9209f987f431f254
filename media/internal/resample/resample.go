// Package resample changes the sample rate of sound.
package resample

import (
	"math"
	"slices"
)

// The filter: a sinc under a Kaiser window. It passes what both rates can carry
// up to about 0.9 of the lower one's limit and keeps what neither should hear
// 80 dB down.
const (
	lobes     = 24 // on each side of the middle, at the lower rate
	cutoff    = 0.94
	beta      = 8.5
	maxPhases = 512 // more are interpolated
)

// Resampler changes the rate of one stream of interleaved samples. Sample n of
// its output is the input at n seconds by the output rate, without delay: the
// last samples of a piece come with the next, or with Flush.
type Resampler struct {
	in, out  int
	channels int
	half     int // input samples used on each side
	phases   int
	filter   []float32 // phases+1 rows of 2*half
	exact    bool      // each output sample lies on a phase

	buf  [][]float32 // for each channel: what is still needed
	frac int         // place of the next output behind buf[half-1], in 1/out
}

// New returns a resampler for so many channels. Rates and channels are greater
// than zero.
func New(in, out, channels int) *Resampler {
	r := &Resampler{in: in, out: out, channels: channels}
	ratio := max(1, float64(in)/float64(out))
	r.half = int(math.Ceil(lobes * ratio))
	r.phases = out / gcd(in, out)
	r.exact = r.phases <= maxPhases
	if !r.exact {
		r.phases = maxPhases
	}
	r.design(ratio)
	r.buf = make([][]float32, channels)
	r.Reset()
	return r
}

func (r *Resampler) design(ratio float64) {
	n := 2 * r.half
	r.filter = make([]float32, (r.phases+1)*n)
	for p := range r.phases + 1 {
		row := r.filter[p*n:][:n]
		sum := float32(0)
		for k := range row {
			// The distance from the output's place to input sample k.
			x := float64(k-r.half+1) - float64(p)/float64(r.phases)
			row[k] = float32(sinc(x*cutoff/ratio) * kaiser(x/float64(r.half)))
			sum += row[k]
		}
		for k := range row {
			row[k] /= sum // a constant stays what it is
		}
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel(beta*math.Sqrt(1-x*x)) / bessel(beta)
}

// bessel is the modified Bessel function of the first kind and order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= x / (2 * k) * x / (2 * k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Reset forgets what came so far.
func (r *Resampler) Reset() {
	for c := range r.buf {
		r.buf[c] = slices.Grow(r.buf[c][:0], r.half)[:r.half-1]
		clear(r.buf[c])
	}
	r.frac = 0
}

// Append appends to dst what comes out when src, whole samples of all channels,
// goes in.
func (r *Resampler) Append(dst, src []int16) []int16 {
	n := len(src) / r.channels
	for c := range r.buf {
		buf := slices.Grow(r.buf[c], n)
		for i := range n {
			buf = append(buf, float32(src[i*r.channels+c]))
		}
		r.buf[c] = buf
	}
	return r.run(dst)
}

// Flush appends to dst what comes out when there is silence after all, and
// resets.
func (r *Resampler) Flush(dst []int16) []int16 {
	for c := range r.buf {
		for range r.half {
			r.buf[c] = append(r.buf[c], 0)
		}
	}
	dst = r.run(dst)
	r.Reset()
	return dst
}

// Held returns how many samples of each channel are still to come out for what
// went in.
func (r *Resampler) Held() int {
	in := (len(r.buf[0])-r.half+1)*r.out - r.frac // in 1/out of an input sample
	return max(0, (in+r.in-1)/r.in)
}

func (r *Resampler) run(dst []int16) []int16 {
	n := 2 * r.half
	at := 0 // of the first sample under the filter
	for have := len(r.buf[0]); at+n <= have; {
		filter, next, weight := r.phase(n)
		for _, buf := range r.buf {
			v := dot(filter, buf[at:at+n])
			if next != nil {
				v += (dot(next, buf[at:at+n]) - v) * weight
			}
			dst = append(dst, clip(v))
		}
		r.frac += r.in
		at += r.frac / r.out
		r.frac %= r.out
	}
	// Where the next output is far ahead, what lies before it is still to come.
	keep := min(at, len(r.buf[0]))
	for c, buf := range r.buf {
		r.buf[c] = buf[:copy(buf, buf[keep:])]
	}
	r.frac += (at - keep) * r.out
	return dst
}

// phase returns the filter for the next output: one, or two to mix.
func (r *Resampler) phase(n int) (filter, next []float32, weight float32) {
	at := r.frac * r.phases
	p := at / r.out
	filter = r.filter[p*n:][:n]
	if r.exact {
		return filter, nil, 0
	}
	return filter, r.filter[(p+1)*n:][:n], float32(at%r.out) / float32(r.out)
}

func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+8 <= len(a); i += 8 {
		x, y := (*[8]float32)(a[i:]), (*[8]float32)(b[i:])
		s0 += x[0]*y[0] + x[4]*y[4]
		s1 += x[1]*y[1] + x[5]*y[5]
		s2 += x[2]*y[2] + x[6]*y[6]
		s3 += x[3]*y[3] + x[7]*y[7]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}

func clip(v float32) int16 {
	switch {
	case v >= math.MaxInt16:
		return math.MaxInt16
	case v <= math.MinInt16:
		return math.MinInt16
	case v < 0:
		return int16(v - 0.5)
	}
	return int16(v + 0.5)
}
