package congestion

import "time"

const (
	windowTime    = 60 * time.Millisecond // of arrivals
	windowPackets = 3
	windowMost    = 400 * time.Millisecond
	windowsKept   = 10

	// A packet that had to wait for the one before it, by this much at least,
	// tells how fast the path is.
	busySlack = 5 * time.Millisecond
	busyTime  = 60 * time.Millisecond
	busyBytes = 3000
	busyGap   = time.Second

	baseTime = 10 * time.Second // half of the time in which the quickest packet counts

	slotTime    = 300 * time.Millisecond // of losses
	slotPackets = 10
)

// path is what the arrivals show. Times of arrival are those of the other
// side's clock: only their differences count.
type path struct {
	base      [2]time.Duration // the quickest of this baseTime and the one before
	baseSince time.Duration
	known     bool

	last time.Duration // the latest arrival
	busy struct {
		time  time.Duration
		bytes int
	}
	capacity float64       // what left a queue, in bits per second; 0: none did
	fresh    time.Duration // when that was found, by the other side's clock

	now   span // what arrives
	spans [windowsKept]span
	count int

	slot lossSlot
	seen lossSlot // the last full one
}

type span struct {
	start, time time.Duration
	packets     int
	bytes       int
	quickest    time.Duration
}

type lossSlot struct {
	start         time.Duration
	arrived, lost int
}

func (p *path) quickest() time.Duration { return min(p.base[0], p.base[1]) }

// arrived takes a packet, and reports whether a window has ended.
func (p *path) arrived(e *sentPacket, at time.Duration) (ended bool) {
	took := at - e.at
	if !p.known || took < p.quickest()-time.Minute || took > p.quickest()+time.Minute {
		*p = path{known: true, baseSince: at, last: at, slot: p.slot, seen: p.seen}
		p.base = [2]time.Duration{took, took}
	}
	if at-p.baseSince >= baseTime {
		p.base[1], p.base[0], p.baseSince = p.base[0], took, at
	}
	p.base[0] = min(p.base[0], took)
	gap := at - p.last
	if gap < busyGap && p.last-e.at-p.quickest() > busySlack {
		p.busy.time += max(gap, 0)
		p.busy.bytes += int(e.size)
	}
	p.last = max(p.last, at)
	if w := &p.now; w.packets > 0 && at-w.start >= windowTime && w.packets >= windowPackets || w.packets > 0 && at-w.start >= windowMost {
		p.end(at)
		ended = true
	}
	w := &p.now
	if w.packets == 0 {
		w.start, w.quickest = at, took
	}
	w.packets++
	w.bytes += int(e.size)
	w.quickest = min(w.quickest, took)
	return ended
}

// end ends the window.
func (p *path) end(at time.Duration) {
	p.now.time = at - p.now.start
	p.spans[p.count%windowsKept] = p.now
	p.count++
	p.now = span{}
	if p.busy.time >= busyTime && p.busy.bytes >= busyBytes || p.busy.time >= 4*busyTime && p.busy.bytes > 0 {
		p.capacity = float64(8*p.busy.bytes) / p.busy.time.Seconds()
		p.fresh = at
		p.busy.time, p.busy.bytes = 0, 0
	}
}

// latest returns the last window, of which there is one at least.
func (p *path) latest() *span { return &p.spans[(p.count-1)%windowsKept] }

// queue is how long the packets of the last window waited, the quickest of them.
func (p *path) queue() time.Duration {
	if p.count == 0 {
		return 0
	}
	return p.latest().quickest - p.quickest()
}

// rise is by how much that is more than in the window before.
func (p *path) rise() time.Duration {
	if p.count < 2 {
		return 0
	}
	return p.latest().quickest - p.spans[(p.count-2)%windowsKept].quickest
}

// delivered is how much arrives, in bits per second, over the last windows.
func (p *path) delivered() float64 {
	var took time.Duration
	bytes := 0
	for i := range min(p.count, windowsKept) {
		took += p.spans[i].time
		bytes += p.spans[i].bytes
	}
	if took <= 0 {
		return 0
	}
	return float64(8*bytes) / took.Seconds()
}

// leaving is what the path takes: what left a queue lately, or what arrived.
func (p *path) leaving() float64 {
	if p.capacity > 0 && p.last-p.fresh < time.Second {
		return p.capacity
	}
	return p.delivered()
}

// forget takes the present delay for that of the path without a queue.
func (p *path) forget() {
	at := p.latest().quickest
	p.base, p.baseSince = [2]time.Duration{at, at}, p.last
}

// counts takes what became of a packet that was sent at a time. It reports
// whether a slot ended before it.
func (p *path) counts(sent time.Duration, arrived bool) (ended bool) {
	if ended = sent-p.slot.start >= slotTime; ended {
		p.seen = p.slot
		p.slot = lossSlot{start: sent}
	}
	if arrived {
		p.slot.arrived++
	} else {
		p.slot.lost++
	}
	return ended
}

// fraction is the part of its packets that the last slot has lost; ok is false
// where too few were sent, or none arrived: that is an outage.
func (p *path) fraction() (loss float64, ok bool) {
	all := p.seen.arrived + p.seen.lost
	if all < slotPackets || p.seen.arrived == 0 {
		return 0, false
	}
	return float64(p.seen.lost) / float64(all), true
}
