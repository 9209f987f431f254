package device

import (
	"context"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
)

// piece is how much sound is read at once.
const piece = 10 * time.Millisecond

// ring takes sound from a device's own thread and hands it out in pieces, with
// the time at which it was heard. It never makes that thread wait: the oldest
// sound is lost when it is full.
type ring struct {
	rate, channels int
	more           chan struct{} // one slot: there is a piece, or an end

	mu      sync.Mutex
	samples []int16 // of all channels, used in a circle
	written int64   // samples a channel, of all time
	read    int64   // likewise
	clock   clock
	end     error
}

func newRing(rate, channels int) *ring {
	return &ring{
		rate: rate, channels: channels, more: make(chan struct{}, 1),
		samples: make([]int16, rate/5*channels), clock: clock{rate: rate},
	}
}

// write takes what the device has heard until now. The memory is the device's.
func (r *ring) write(samples []int16, now time.Time) {
	r.mu.Lock()
	n := int64(len(samples) / r.channels)
	r.written += r.clock.heard(r.written, n, now) // what the device lost is left out
	if room := len(r.samples); len(samples) > room {
		r.written += int64((len(samples) - room) / r.channels)
		n = int64(room / r.channels)
		samples = samples[len(samples)-room:]
	}
	at := int(r.written%int64(len(r.samples)/r.channels)) * r.channels
	copied := copy(r.samples[at:], samples[:n*int64(r.channels)])
	copy(r.samples, samples[copied:n*int64(r.channels)])
	r.written += n
	r.mu.Unlock()
	r.poke()
}

// lost notes that the device has lost sound before what comes next.
func (r *ring) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock.gap = true
}

// fail ends the sound, behind what is there. The first reason stays.
func (r *ring) fail(err error) {
	r.mu.Lock()
	if r.end == nil {
		r.end = err
	}
	r.mu.Unlock()
	r.poke()
}

func (r *ring) poke() {
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// take puts a piece into f, if there is one.
func (r *ring) take(f *media.AudioFrame) (ok bool, end error) {
	n := int64(r.rate) * int64(piece) / int64(time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	size := int64(len(r.samples) / r.channels)
	if r.written-r.read > size {
		// More is left out than has to be, so that there is room again: one
		// gap in place of many, and no sound that is late from then on.
		r.read = r.written - size/4
	}
	r.read = max(r.read, r.clock.begin)
	if r.written-r.read < n {
		return false, r.end
	}
	want := int(n) * r.channels
	if cap(f.Samples) < want {
		f.Samples = make([]int16, want)
	}
	f.Samples = f.Samples[:want]
	at := int(r.read%size) * r.channels
	copied := copy(f.Samples, r.samples[at:])
	copy(f.Samples[copied:], r.samples)
	f.Rate, f.Channels = r.rate, r.channels
	f.Timestamp = span(r.read, r.rate)
	f.Captured = r.clock.at(r.read)
	r.read += n
	return true, nil
}

// span is how long so many samples last.
func span(n int64, rate int) time.Duration {
	return time.Duration(n/int64(rate))*time.Second + time.Duration(n%int64(rate))*time.Second/time.Duration(rate)
}

// wait waits until there may be a piece. It reports false after the patience
// has run out.
func (r *ring) wait(ctx context.Context, timer *time.Timer, patience time.Duration) (bool, error) {
	timer.Reset(patience)
	select {
	case <-r.more:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// maxLate is how much later than the device's own clock says its sound may come
// without a reason. Beyond that, sound was lost: the program or the machine
// slept.
const maxLate = 250 * time.Millisecond

// clock finds out when sound was heard, from when it comes. It comes late by
// some milliseconds, now more and now less, so the earliest counts; but the
// device's clock may be off, so what is counted is forgotten slowly.
type clock struct {
	rate  int
	begun bool
	zero  time.Time // when sample 0 was heard, as far as is known
	begin int64     // the first sample after the last gap
	gap   bool      // sound was lost before what comes next
}

// heard notes that n samples after sample at have been heard by now. It returns
// how many were lost before them.
func (c *clock) heard(at, n int64, now time.Time) (lost int64) {
	zero := now.Add(-span(at+n, c.rate))
	if !c.begun {
		c.begun, c.zero = true, zero
		return 0
	}
	late := zero.Sub(c.zero)
	switch {
	case late > maxLate, c.gap && late > 0:
		lost = int64(late) * int64(c.rate) / int64(time.Second)
		c.begin = at + lost
	case late < 0:
		c.zero = zero
	default:
		// 200 ppm are 2 µs in 10 ms: this follows that with half a
		// millisecond, and lets 10 ms of jitter add a quarter of it.
		c.zero = c.zero.Add(late / 256)
	}
	c.gap = false
	return lost
}

func (c *clock) at(sample int64) time.Time { return c.zero.Add(span(sample, c.rate)) }

// timeline makes one of the timestamps of one device after the other.
type timeline struct {
	begun bool
	epoch int
	shift time.Duration
	end   time.Duration
	heard time.Time // when the last piece ended
}

// place changes the piece's timestamp. Between two devices, what the clock says
// has passed is left out.
func (t *timeline) place(epoch int, f *media.AudioFrame) {
	if !t.begun || epoch != t.epoch {
		gap := time.Duration(0)
		if t.begun {
			gap = max(0, f.Captured.Sub(t.heard))
		}
		t.begun, t.epoch = true, epoch
		t.shift = t.end + gap - f.Timestamp
	}
	f.Timestamp += t.shift
	t.end = f.Timestamp + f.Duration()
	t.heard = f.Captured.Add(f.Duration())
}
