package play

import "time"

const (
	// memory is how far back arrivals count, window how many at most.
	memory = 10 * time.Second
	window = 512

	// share is the part of the samples that are to come in time.
	share = 0.99

	// young is the number of arrivals after which a track is known.
	young = 50
	// unknown is the least delay until then.
	unknown = 40 * time.Millisecond

	// pause is how long nothing comes before what comes next is taken for a
	// new beginning.
	pause = time.Second
	// leap is by how much samples come earlier or later for good before that
	// is taken for another clock or path.
	leap = 60 * time.Millisecond
	// leapCount is how many late ones in a row prove it.
	leapCount = 25

	// forget is what a delay from before a new beginning loses in a second.
	forget = 10 * time.Millisecond

	maxBins = 2048 // of a millisecond each
)

// delay learns how unevenly the samples of a track arrive, and from that how
// long each has to wait so that most of them come in time. All times are those
// of the player; the transit of a sample is its arrival less its timestamp.
type delay struct {
	least, most time.Duration

	ring  [window]arrival
	n     int // in ring
	next  int
	count int // since the beginning

	base   time.Duration // the quickest transit
	target time.Duration // by how much longer samples are kept
	last   time.Duration // arrival

	held   time.Duration // target from before the beginning
	heldAt time.Duration

	late    int // in a row
	lateMin time.Duration
	fall    time.Duration // of base, by quicker and quicker ones in a row

	bins [maxBins]uint16
}

type arrival struct{ at, transit time.Duration }

// add takes note of the arrival of a sample.
func (d *delay) add(at, timestamp time.Duration) {
	transit := at - timestamp
	early := d.base - transit
	if d.fall += early; early <= 0 {
		d.fall = 0
	}
	switch {
	case d.count == 0:
		d.begin(at, transit)
	case at-d.last > pause:
		d.hold(at)
		d.begin(at, transit)
	case d.fall > leap, early > 5*time.Millisecond && d.count < young:
		// What came before had waited somewhere together.
		d.begin(at, transit)
	case -early > max(leap, d.target):
		if d.late == 0 || transit < d.lateMin {
			d.lateMin = transit
		}
		if d.late++; d.late >= leapCount {
			d.hold(at)
			d.begin(at, d.lateMin)
		}
	default:
		d.late = 0
	}
	d.last = at
	d.base = min(d.base, transit)
	d.ring[d.next] = arrival{at, transit}
	d.next = (d.next + 1) % window
	d.n = min(d.n+1, window)
	if d.count++; d.count < young || d.count%10 == 0 {
		d.measure(at)
	}
}

// begin forgets what arrived.
func (d *delay) begin(at, transit time.Duration) {
	d.n, d.next, d.count, d.late, d.fall = 0, 0, 0, 0, 0
	d.base = transit
	d.measure(at)
}

// hold keeps the present target for a while, whatever comes.
func (d *delay) hold(at time.Duration) { d.held, d.heldAt = d.target, at }

// measure computes base and target from the arrivals remembered.
func (d *delay) measure(at time.Duration) {
	recent := func(a arrival) bool { return at-a.at <= memory }
	n := 0
	for _, a := range d.ring[:d.n] {
		if recent(a) {
			if n == 0 || a.transit < d.base {
				d.base = a.transit
			}
			n++
		}
	}
	clear(d.bins[:])
	for _, a := range d.ring[:d.n] {
		if recent(a) {
			d.bins[min((a.transit-d.base)/time.Millisecond, maxBins-1)]++
		}
	}
	left := n - int(float64(n)*(1-share)) // that are to come in time
	bin := 0
	for ; bin < maxBins && left > 0; bin++ {
		left -= int(d.bins[bin])
	}
	d.target = max(time.Duration(bin)*time.Millisecond*17/16, d.least)
	if d.count < young {
		d.target = max(d.target, unknown)
	}
	since := at - d.heldAt
	d.target = max(d.target, d.held-time.Duration(float64(forget)*since.Seconds()))
	d.target = min(d.target, d.most)
}
