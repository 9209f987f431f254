package congestion

import (
	"encoding/binary"
	"sync"
	"time"
)

// How often the other side hears what has arrived: after so long, and sooner
// when there is much to tell.
const (
	reportPause = 80 * time.Millisecond
	reportSoon  = 50 * time.Millisecond
	reportMany  = 12
)

const (
	fewArrivals  = 256
	maxArrivals  = 8192 // packets that can wait to be told of
	reportMost   = 400  // packets in one report
	reportRoom   = 1100 // bytes in one report
	arrivalsLate = 256  // so far behind a packet may come and still be told of
)

// Arrivals notes when the packets of a connection arrived and makes the
// reports for the sender. It is safe for concurrent use. What it takes grows
// with what arrives, to 64 KiB at most.
type Arrivals struct {
	mu      sync.Mutex
	at      []int64 // by number, when it arrived; in deltaUnit, 0: not yet
	started bool
	first   int64 // the first that was not told of
	end     int64 // after the last that arrived
	waiting int   // arrived and not told of
	told    time.Duration
	count   uint8 // of reports
	ssrc    uint32
}

// Add notes that a packet of the stream has arrived; 0 is for streams that
// reports should not name. It reports whether Report
// should be asked at the next opportunity when, since there was nothing to tell
// before.
func (a *Arrivals) Add(now time.Duration, number uint16, ssrc uint32) (first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == nil {
		a.at = make([]int64, fewArrivals)
	}
	if !a.started {
		a.started = true
		a.first = int64(number) + 1<<16 // so that what came out of order is not below zero
		a.end = a.first
	}
	n := a.end + int64(int16(number-uint16(a.end)))
	switch {
	case n >= a.end+maxArrivals || n < a.end-maxArrivals: // another sender, as it seems
		clear(a.at)
		a.first, a.end, a.waiting = n, n, 0
	case n < a.first-arrivalsLate:
		return false
	}
	a.first = min(a.first, n) // others are told of again, which changes nothing
	a.reach(n)
	slot := &a.at[n&int64(len(a.at)-1)]
	if *slot != 0 {
		return false
	}
	*slot = int64(now/deltaUnit) + 1
	if ssrc != 0 {
		a.ssrc = ssrc
	}
	a.waiting++
	return a.waiting == 1 || a.waiting == reportMany
}

// reach makes room for the packet with the number. The lock is held.
func (a *Arrivals) reach(n int64) {
	if n < a.end {
		return
	}
	for n-a.first+arrivalsLate >= int64(len(a.at)) && len(a.at) < maxArrivals {
		grown := make([]int64, 2*len(a.at))
		for i := max(a.end-int64(len(a.at)), 0); i < a.end; i++ {
			grown[i&int64(len(grown)-1)] = a.at[i&int64(len(a.at)-1)]
		}
		a.at = grown
	}
	for ; a.end <= n; a.end++ {
		a.at[a.end&int64(len(a.at)-1)] = 0
	}
	a.first = max(a.first, a.end-int64(len(a.at)))
}

// Due returns when the next report should be made; ok is false when there is
// nothing to tell.
func (a *Arrivals) Due() (at time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == 0 {
		return 0, false
	}
	if a.waiting >= reportMany {
		return a.told + reportSoon, true
	}
	return a.told + reportPause, true
}

// Report appends an RTCP packet to buf that tells of what has arrived. The same
// buf comes back when there is nothing left to tell.
func (a *Arrivals) Report(now time.Duration, buf []byte) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == 0 {
		return buf
	}
	a.told = now
	for a.first < a.end && a.at[a.first&int64(len(a.at)-1)] == 0 && a.end-a.first > reportMost {
		a.first++ // a long outage
	}
	n, reference := a.fits()
	if n == 0 {
		a.first, a.waiting = a.end, 0
		return buf
	}
	begin := len(buf)
	buf = append(buf, 2<<6|reportFormat, reportType, 0, 0, 0, 0, 0, 0)
	buf = binary.BigEndian.AppendUint32(buf, a.ssrc)
	buf = binary.BigEndian.AppendUint16(buf, uint16(a.first))
	buf = binary.BigEndian.AppendUint16(buf, uint16(n))
	buf = binary.BigEndian.AppendUint32(buf, uint32(reference)<<8|uint32(a.count))
	a.count++
	unit := int64(referenceUnit / deltaUnit)
	chunk, last := uint16(3)<<14, reference*unit
	for i := range n {
		symbol := uint16(notReceived)
		if at := a.at[(a.first+int64(i))&int64(len(a.at)-1)]; at != 0 {
			symbol = symbolOf(at - last)
			last = at
		}
		chunk |= symbol << (2 * (6 - i%7))
		if i%7 == 6 || i == n-1 {
			buf = binary.BigEndian.AppendUint16(buf, chunk)
			chunk = 3 << 14
		}
	}
	last = reference * unit
	for i := range n {
		at := a.at[(a.first+int64(i))&int64(len(a.at)-1)]
		if at == 0 {
			continue
		}
		if d := at - last; symbolOf(d) == smallDelta {
			buf = append(buf, byte(d))
		} else {
			buf = binary.BigEndian.AppendUint16(buf, uint16(d))
		}
		last = at
		a.waiting--
	}
	padding := (4 - (len(buf)-begin)%4) % 4
	for i := range padding {
		size := byte(0)
		if i == padding-1 {
			size = byte(padding)
			buf[begin] |= 1 << 5
		}
		buf = append(buf, size)
	}
	binary.BigEndian.PutUint16(buf[begin+2:], uint16((len(buf)-begin)/4-1))
	if a.first += int64(n); a.first >= a.end {
		a.waiting = 0
	}
	a.waiting = max(a.waiting, 0)
	return buf
}

func symbolOf(delta int64) uint16 {
	if delta >= 0 && delta <= 255 {
		return smallDelta
	}
	return largeDelta
}

// fits returns how many packets go into one report, and the time that it counts
// from. The lock is held.
func (a *Arrivals) fits() (n int, reference int64) {
	size, last := reportHead, int64(0)
	for i := a.first; i < a.end && n < reportMost && size < reportRoom; i++ {
		if at := a.at[i&int64(len(a.at)-1)]; at != 0 {
			if last == 0 {
				reference = at / int64(referenceUnit/deltaUnit)
				last = reference * int64(referenceUnit/deltaUnit)
			}
			if d := at - last; d > 1<<15-1 || d < -1<<15 {
				break
			}
			size, last = size+2, at
		}
		n++
	}
	if last == 0 {
		return 0, 0
	}
	return n, reference
}
