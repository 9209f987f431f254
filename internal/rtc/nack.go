package rtc

import (
	"slices"
	"time"
)

const (
	nackGrace    = 8 * time.Millisecond // what reordering may cost before a packet counts as missing
	nackLife     = 1200 * time.Millisecond
	nackTries    = 12
	nackMissing  = 512  // missing packets kept per section
	nackJump     = 2000 // a larger step is a restart of the source, not loss
	nackMinPause = 20 * time.Millisecond
)

// lossTracker notices the gaps in a sequence of packets, says when to ask for
// them again, and counts for the receiver reports. It is pure: time comes with
// each call. It is not safe for concurrent use.
type lossTracker struct {
	started  bool
	base     int64 // first extended sequence number
	highest  int64 // highest extended sequence number
	received int64 // packets received, repaired ones included
	repaired int64

	missing []gap // ordered by sequence number

	// at the last report
	lastExpected, lastReceived int64
}

type gap struct {
	seq   int64
	since time.Time
	asked time.Time
	tries int
}

// observe takes the sequence number of a packet that arrived. It reports
// whether the packet is new, and whether it opened a gap.
func (l *lossTracker) observe(seq uint16, now time.Time) (fresh, opened bool) {
	if !l.started {
		l.started = true
		l.base, l.highest = int64(seq)+1<<16, int64(seq)+1<<16
		l.received = 1
		return true, false
	}
	ext := l.highest + int64(int16(seq-uint16(l.highest)))
	switch step := ext - l.highest; {
	case step > nackJump || step < -nackJump:
		l.lastExpected -= l.highest - l.base + 1
		l.base, l.highest = ext, ext
		l.missing = l.missing[:0]
		l.lastExpected = max(l.lastExpected, 0)
		l.received++
		return true, false
	case step > 0:
		for s := l.highest + 1; s < ext; s++ {
			l.missing = append(l.missing, gap{seq: s, since: now})
			opened = true
		}
		if over := len(l.missing) - nackMissing; over > 0 {
			l.missing = slices.Delete(l.missing, 0, over)
		}
		l.highest = ext
		l.received++
		return true, opened
	default:
		i, found := slices.BinarySearchFunc(l.missing, ext, func(g gap, s int64) int { return int(g.seq - s) })
		if !found {
			return false, false // a duplicate, or too old to matter
		}
		if l.missing[i].tries > 0 {
			l.repaired++
		}
		l.missing = slices.Delete(l.missing, i, i+1)
		l.received++
		return true, false
	}
}

// due returns the sequence numbers to ask for now, and when to look again;
// zero when nothing is missing.
func (l *lossTracker) due(now time.Time, rtt time.Duration) (ask []uint16, next time.Time) {
	pause := max(rtt+rtt/8+nackGrace, nackMinPause)
	keep := l.missing[:0]
	for _, g := range l.missing {
		if now.Sub(g.since) > max(nackLife, 4*rtt) || g.tries >= nackTries {
			continue
		}
		at := g.since.Add(nackGrace)
		if g.tries > 0 {
			at = g.asked.Add(pause)
		}
		if !at.After(now) {
			ask = append(ask, uint16(g.seq))
			g.asked = now
			g.tries++
			at = now.Add(pause)
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
		keep = append(keep, g)
	}
	l.missing = keep
	return ask, next
}

// report returns the fields of a reception report since the last call.
func (l *lossTracker) report() (fraction uint8, lost uint32, highest uint32) {
	expected := l.highest - l.base + 1
	newly, got := expected-l.lastExpected, l.received-l.lastReceived
	l.lastExpected, l.lastReceived = expected, l.received
	if newly > 0 && newly > got {
		fraction = uint8(min(255, (newly-got)*256/newly))
	}
	return fraction, uint32(min(max(expected-l.received, 0), 0x7fffff)), uint32(l.highest)
}

// lost is how many packets never arrived so far.
func (l *lossTracker) lost() int64 {
	if !l.started {
		return 0
	}
	return max(l.highest-l.base+1-l.received, 0)
}
