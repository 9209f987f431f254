package congestion

import "time"

const (
	// A queue is one when the quickest packets of a window wait longer than
	// this, and longer than they do on such a path anyway.
	queueFloor = 40 * time.Millisecond
	queueGone  = 25 * time.Millisecond
	queueSome  = 15 * time.Millisecond // beyond the usual: nothing grows any more
	queueRise  = 2 * time.Millisecond  // from one window to the next, of one that builds up
	queueFlat  = 10 * time.Millisecond // what does not change more than that is none
	queueLong  = 400 * time.Millisecond
	queueStays = 8 // windows

	drainTime  = 1200 * time.Millisecond // in which a queue should be gone
	drainMost  = 0.92                    // of what the path takes, while there is a queue
	drainLeast = 0.10
	drainLast  = 2 * time.Second // a queue that stays although less is sent is none
	drainFirst = 400 * time.Millisecond

	afterDrain = 0.93
	calm       = 500 * time.Millisecond // after a queue, before more is sent

	// How fast the limit grows, a second, near what the path last took, and
	// elsewhere.
	growNear = 0.05
	growFar  = 0.25
	growBits = 4000
	nearLow  = 0.85
	nearHigh = 1.12
	nearLife = 30 * time.Second

	// How far the limit grows beyond what arrives.
	growBeyond = 1.5
	growSpare  = 20_000

	lossHeavy = 0.28
	lossLight = 0.06
	lossSlots = 4 // in a row
	lossTrial = 2 * time.Second
	lossBase  = 64 // slots, over which what is always lost is forgotten
)

// control is what is made of it.
type control struct {
	limit float64 // bits per second; 0: none

	usual    time.Duration // by how much the quickest packets of windows differ
	queued   int           // windows in a row with a queue
	start    time.Duration // the queue in the first of them
	draining bool
	since    time.Duration // when that began
	first    time.Duration // the queue at that time
	longest  time.Duration // since then
	before   float64       // the limit at that time
	quiet    time.Duration // until then nothing grows

	found   float64       // what the path took when it last had a queue
	foundAt time.Duration // when that was
	grown   time.Duration

	usually float64 // losses that do not depend on what is sent
	heavy   int     // slots in a row with more
	trial   struct {
		until  time.Duration // 0: there is none
		loss   float64
		before float64
	}
	holds bool // losses keep the limit from growing
}

// threshold is how long the quickest packets of a window wait where there is a
// queue.
func (c *control) threshold() time.Duration {
	return max(queueFloor+2*c.usual, queueFloor)
}

// window takes the latest window. It reports whether a queue was found.
func (c *control) window(now time.Duration, p *path) (found bool) {
	queue := p.queue()
	over := queue > c.threshold()
	if !over && !c.draining {
		c.usual += (min(queue, queueGone) - c.usual) / 64
	}
	if over {
		if c.queued++; c.queued == 1 {
			c.start = queue
		}
	} else {
		c.queued = 0
	}
	switch {
	case c.draining:
		c.drain(now, p, queue)
	case c.builds(p, queue):
		c.draining, c.since, c.first, c.before = true, now, queue, c.limit
		c.found, c.longest = 0, 0
		c.drain(now, p, queue)
		return true
	case c.queued >= queueStays && max(queue-c.start, c.start-queue) < queueFlat && !c.holds:
		// The way has become longer, in one step.
		p.forget()
		c.queued = 0
	case queue < c.usual+queueSome:
		c.grow(now, p)
	}
	c.grown = now
	return false
}

// builds reports whether there is a queue that something must be done about.
func (c *control) builds(p *path, queue time.Duration) bool {
	switch {
	case c.queued == 0:
		return false
	case queue > queueLong, c.queued >= 2 && p.rise() > queueRise:
		return true
	}
	return c.queued >= queueStays && queue > c.start+queueFlat
}

// drain sets the limit while there is a queue.
func (c *control) drain(now time.Duration, p *path, queue time.Duration) {
	takes := min(p.leaving(), MaxLimit)
	if takes <= 0 {
		return
	}
	elapsed := now - c.since
	c.longest = max(c.longest, queue)
	if takes > c.found || elapsed < drainFirst || p.rise() > queueFlat {
		c.found = takes
	}
	c.foundAt, takes = now, c.found
	if queue < queueGone {
		c.draining, c.quiet = false, now+calm
		c.set(afterDrain * takes)
		if c.before > c.limit && takes > c.before {
			c.set(c.before)
		}
		return
	}
	if elapsed > drainLast && !c.holds && max(c.longest-queue, c.longest-c.first) < queueFlat+elapsed/25 {
		p.forget() // the way has become longer
		c.draining, c.queued = false, 0
		c.limit = c.before
		return
	}
	part := 1 - float64(queue-queueGone)/float64(drainTime)
	part = min(max(part, drainLeast), drainMost)
	if elapsed > drainTime {
		part *= 0.85
	}
	next := part * takes
	if c.before > 0 {
		next = min(next, c.before)
	}
	c.set(next)
}

// rest concludes what can be concluded where nothing is sent any more: a queue is
// gone when it had the time for that.
func (c *control) rest(now time.Duration) {
	last := max(c.grown, c.since)
	if now-last < restTime {
		return
	}
	c.queued = 0
	if c.draining && now-last > c.longest {
		c.draining, c.quiet = false, now+calm
		c.set(afterDrain * c.found)
	}
	if c.trial.until != 0 && now > c.trial.until {
		c.trial.until, c.heavy, c.limit = 0, 0, c.trial.before
	}
}

// restTime is how long nothing must have been told of.
const restTime = 2 * time.Second

// lasting is what the limit will be when a queue is gone: what the path takes.
func (c *control) lasting() float64 {
	if c.draining && c.found > 0 {
		return max(c.limit, afterDrain*c.found)
	}
	return c.limit
}

func (c *control) set(limit float64) { c.limit = min(max(limit, MinLimit), MaxLimit) }

// grow raises the limit for the time of a window.
func (c *control) grow(now time.Duration, p *path) {
	if c.limit == 0 || now < c.quiet || c.holds || c.trial.until != 0 {
		return
	}
	most := growBeyond*p.delivered() + growSpare
	if c.limit >= most {
		return
	}
	d := min(now-c.grown, time.Second).Seconds()
	by := growFar
	if now-c.foundAt < nearLife && c.limit > nearLow*c.found && c.limit < nearHigh*c.found {
		by = growNear
	}
	c.set(min(c.limit*(1+by*d)+growBits*d, most))
}

// slot takes the latest slot of losses.
func (c *control) slot(now time.Duration, p *path, trials bool) {
	loss, ok := p.fraction()
	if !ok {
		return
	}
	if loss < c.usually {
		c.usually = loss
	} else {
		c.usually += (loss - c.usually) / lossBase
	}
	c.holds = loss-c.usually > lossLight
	if t := &c.trial; t.until != 0 {
		if now < t.until {
			return
		}
		// Less was sent for a while. If as much is lost, that is how the path is.
		if loss > t.loss/2 {
			c.usually, c.limit = loss, t.before
		}
		t.until, c.heavy = 0, 0
		return
	}
	if loss-c.usually < lossHeavy {
		c.heavy = 0
		return
	}
	if c.heavy++; trials && c.heavy >= lossSlots && !c.draining {
		c.trial.until, c.trial.loss, c.trial.before = now+lossTrial, loss, c.limit
		if arrives := p.delivered(); c.limit == 0 || arrives < c.limit {
			c.set(arrives)
			c.found, c.foundAt = arrives, now
		}
	}
}
