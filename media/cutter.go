package media

import (
	"fmt"
	"slices"
	"time"

	"github.com/parley-rtc/parley/media/internal/resample"
)

// What pieces of sound may be.
const (
	minRate     = 4000
	maxRate     = 384000
	maxChannels = 64
	maxPiece    = time.Minute
	maxTime     = 1 << 60 // 36 years, so that nothing overflows
)

// gapTolerance is how far a timestamp may be from where the last piece ended
// without being a gap, and longestGap how far it may be for being one: beyond
// that the clock was set.
const (
	gapTolerance = 5 * time.Millisecond
	longestGap   = 24 * time.Hour
)

// cutter makes pieces of one length, rate and number of channels out of any.
type cutter struct {
	rate, channels int
	frame          int // samples a channel
	length         time.Duration

	// What comes in.
	inRate, inChannels int
	inEnd              time.Duration // the timestamp after the last piece
	resampler          *resample.Resampler
	mixed, resampled   []int16

	// What goes out: pending[taken:] comes next. The first sample that was
	// ever pending since the last gap has the timestamp start.
	out     AudioFrame
	pending []int16
	taken   int
	begun   bool
	start   time.Duration
	given   int // samples a channel given out since start

	// behind is what to add to the reader's timestamps: its clock may have been
	// set.
	behind time.Duration

	// The last piece's Captured, and where that was, in samples since start.
	captured   time.Time
	capturedAt int
}

func newCutter(rate, channels int, length time.Duration) cutter {
	frame := max(1, int(length*time.Duration(rate)/time.Second))
	return cutter{rate: rate, channels: channels, frame: frame, length: samplesTime(frame, rate)}
}

// samplesTime is how long so many samples are. It does not overflow.
func samplesTime(n, rate int) time.Duration {
	return time.Duration(n/rate)*time.Second + time.Duration(n%rate)*time.Second/time.Duration(rate)
}

func timeSamples(d time.Duration, rate int) int {
	return int(d/time.Second)*rate + int((d%time.Second*time.Duration(rate)+time.Second/2)/time.Second)
}

// Validate returns a [*FrameError] unless f has a rate, channels and a timestamp
// that sound can have, and whole samples of all channels.
func (f *AudioFrame) Validate() error {
	var err error
	switch {
	case f.Rate < minRate || f.Rate > maxRate || f.Channels < 1 || f.Channels > maxChannels:
		err = fmt.Errorf("%w: want %d to %d Hz and 1 to %d channels", ErrFormat, minRate, maxRate, maxChannels)
	case len(f.Samples)%f.Channels != 0:
		err = fmt.Errorf("%w: not a whole number of samples", ErrSize)
	case f.Duration() > maxPiece:
		err = fmt.Errorf("%w: longer than %v", ErrSize, maxPiece)
	case f.Timestamp > maxTime || f.Timestamp < -maxTime:
		err = fmt.Errorf("%w: %d ns", ErrTimestamp, f.Timestamp)
	default:
		return nil
	}
	return &FrameError{Frame: fmt.Sprintf("sound of %d Hz and %d channels, %d samples", f.Rate, f.Channels, len(f.Samples)), Err: err}
}

// add takes a piece. again is true when the piece has to be added again once
// next has given all that was there before it.
func (c *cutter) add(f *AudioFrame) (again bool, err error) {
	if err := f.Validate(); err != nil {
		return false, err
	}
	if len(f.Samples) == 0 {
		return false, nil
	}
	if c.begun && (f.Rate != c.inRate || f.Channels != c.inChannels) {
		c.drain()
	}
	if c.follow(f.Timestamp) {
		return true, nil
	}
	c.adapt(f.Rate, f.Channels)
	c.capturedAt, c.captured = c.given+c.waiting(), f.Captured
	if c.resampler != nil {
		c.capturedAt += c.resampler.Held()
	}
	c.append(f.Samples)
	c.inEnd = f.Timestamp + f.Duration()
	return false, nil
}

// follow fills short gaps before the timestamp and starts anew behind long
// ones. It reports whether what is pending has to be given out first.
func (c *cutter) follow(timestamp time.Duration) (again bool) {
	if !c.begun {
		c.begin(timestamp)
		return false
	}
	gap := timestamp - c.inEnd
	switch {
	case gap < -gapTolerance || gap > longestGap: // the clock was set: count on
		c.behind -= gap
	case gap <= gapTolerance:
	case gap < c.length:
		c.drain()
		c.silence(timeSamples(gap, c.rate))
	default:
		c.flush()
		if c.begun = false; c.waiting() > 0 {
			return true
		}
		c.begin(timestamp)
	}
	return false
}

// begin starts anew at the timestamp, but not before what was given out.
func (c *cutter) begin(timestamp time.Duration) {
	start := timestamp + c.behind
	if c.given > 0 {
		start = max(start, c.start+samplesTime(c.given, c.rate))
	}
	c.begun, c.start, c.given = true, start, 0
}

// waiting returns how many samples a channel are pending.
func (c *cutter) waiting() int { return (len(c.pending) - c.taken) / c.channels }

// adapt gets ready for pieces of the rate and channels.
func (c *cutter) adapt(rate, channels int) {
	if rate == c.inRate && channels == c.inChannels {
		return
	}
	c.inRate, c.inChannels = rate, channels
	c.resampler = nil
	if rate != c.rate {
		c.resampler = resample.New(rate, c.rate, min(channels, c.channels))
	}
}

// append makes pending what comes in.
func (c *cutter) append(samples []int16) {
	if c.taken > 0 {
		c.pending = c.pending[:copy(c.pending, c.pending[c.taken:])]
		c.taken = 0
	}
	n := min(c.inChannels, c.channels)
	if c.inChannels > n {
		c.mixed = mix(c.mixed[:0], samples, c.inChannels, n)
		samples = c.mixed
	}
	if c.resampler != nil {
		c.resampled = c.resampler.Append(c.resampled[:0], samples)
		samples = c.resampled
	}
	c.spread(samples, n)
}

// spread makes samples of n channels pending. The last channel goes to those
// that are missing, too.
func (c *cutter) spread(samples []int16, n int) {
	if n == c.channels {
		c.pending = append(c.pending, samples...)
		return
	}
	for ; len(samples) >= n; samples = samples[n:] {
		c.pending = append(c.pending, samples[:n]...)
		for range c.channels - n {
			c.pending = append(c.pending, samples[n-1])
		}
	}
}

// mix appends samples of so many channels to dst with fewer of them: one is the
// mean of all, two or more are means of every second, third and so on.
func mix(dst, samples []int16, from, to int) []int16 {
	for ; len(samples) >= from; samples = samples[from:] {
		for c := range to {
			sum, n := 0, 0
			for i := c; i < from; i += to {
				sum, n = sum+int(samples[i]), n+1
			}
			dst = append(dst, int16(sum/n))
		}
	}
	return dst
}

// drain gets what the resampler holds back.
func (c *cutter) drain() {
	if c.resampler != nil {
		c.resampled = c.resampler.Flush(c.resampled[:0])
		c.spread(c.resampled, min(c.inChannels, c.channels))
	}
}

func (c *cutter) silence(n int) {
	for range n * c.channels {
		c.pending = append(c.pending, 0)
	}
}

// flush fills up what is pending to whole pieces, or drops it where it is
// silence, which would only come late.
func (c *cutter) flush() {
	c.drain()
	if !slices.ContainsFunc(c.pending[c.taken:], func(s int16) bool { return s != 0 }) {
		c.pending = c.pending[:c.taken]
		return
	}
	if rest := c.waiting() % c.frame; rest > 0 {
		c.silence(c.frame - rest)
	}
}

// next returns the next whole piece, or nil. It is valid until more is added.
func (c *cutter) next() *AudioFrame {
	n := c.frame * c.channels
	if len(c.pending)-c.taken < n {
		return nil
	}
	f := &c.out
	f.Rate, f.Channels = c.rate, c.channels
	f.Samples = c.pending[c.taken:][:n:n]
	f.Timestamp = c.start + samplesTime(c.given, c.rate)
	f.Captured = time.Time{}
	if !c.captured.IsZero() {
		f.Captured = c.captured.Add(signedTime(c.given-c.capturedAt, c.rate))
	}
	c.taken += n
	c.given += c.frame
	return f
}

func signedTime(n, rate int) time.Duration {
	if n < 0 {
		return -samplesTime(-n, rate)
	}
	return samplesTime(n, rate)
}
