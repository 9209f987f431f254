package picture

import "time"

// A pause between pictures counts as a few of them at most, and never as more
// than maxStep. libvpx 1.15 and later dies of one of 71 minutes, and a rate
// control that saved up meanwhile would spend it all on one picture.
const (
	maxPause = 4 // pictures
	maxStep  = time.Second
)

// Clock turns the timestamps of pictures into the time of an encoder, which
// grows with each picture and has no long pauses. The zero value is not usable:
// set Nominal.
type Clock struct {
	// Nominal is the time of a picture whose timestamp does not grow.
	Nominal time.Duration

	count int           // pictures seen
	last  time.Duration // timestamp of the last
	now   time.Duration
	mean  time.Duration // between pictures lately
}

// Next returns the time of a picture and how long the last one took.
func (c *Clock) Next(timestamp time.Duration) (now, step time.Duration) {
	step = c.Nominal
	if c.count > 0 {
		if d := timestamp - c.last; d > 0 {
			step = min(d, maxStep, maxPause*c.usual())
		}
		c.now += step
		c.mean += (step - c.mean) / time.Duration(min(c.count, window))
	}
	c.count++
	c.last = timestamp
	return c.now, step
}

// window is over how many pictures the rate is averaged.
const window = 8

func (c *Clock) usual() time.Duration {
	switch {
	case c.count == 1:
		return maxStep // nothing is usual yet
	case c.mean == 0:
		return c.Nominal
	}
	return c.mean
}

// Rate returns how many pictures a second came lately.
func (c *Clock) Rate() float64 {
	if c.mean == 0 {
		return 1 / c.Nominal.Seconds()
	}
	return 1 / c.mean.Seconds()
}

// Keyframes tells when a key frame is due. The zero value asks for the first
// only.
type Keyframes struct {
	// Interval is the longest time between two, zero for none.
	Interval time.Duration

	done  bool
	asked bool
	last  time.Duration
}

// Due reports whether the picture at the encoder's time has to be a key frame.
// One that was asked for stays due until it is made.
func (k *Keyframes) Due(now time.Duration, asked bool) bool {
	k.asked = k.asked || asked
	return !k.done || k.asked || k.Interval > 0 && now-k.last >= k.Interval
}

// Made notes that the picture at the encoder's time became one.
func (k *Keyframes) Made(now time.Duration) { k.done, k.asked, k.last = true, false, now }
