package packet

import "time"

const (
	// maxWindow bounds what SetWindow allows.
	maxWindow = 4096
	// minSlots is how many slots a stream without much reordering has.
	minSlots = 32

	// maxJump is the longest step forward, and the longest way back, that a
	// sequence number is believed to make without proof; as MAX_DROPOUT of
	// RFC 3550, A.1.
	maxJump = 3000
	// maxStale is how far back the RTP time of a late packet may lie.
	maxStale = 10 * time.Second
	// maxDrift is how far the sender's time may differ from ours over an
	// outage.
	maxDrift = 2 * time.Second
)

// packet is what counts of an RTP packet.
type packet struct {
	payload []byte
	rtpTime uint32
	seq     uint16
	marker  bool
	level   int // of sound, as in media.Sample
	arrival time.Time
}

// reorder puts packets into order and tells its sink what is missing. Packets
// that come in order go straight through, without copy.
//
// A stream opens with its first packet, if that begins a frame by itself, or
// as soon as the packets in hand show the end of a frame; until then packets
// before the first may still come.
type reorder struct {
	wait   time.Duration
	window int
	rate   int64
	sink   *Assembler

	running bool
	next    uint16    // sequence number expected; while opening, the lowest held
	last    uint16    // while opening, the highest held
	slots   []slot    // by sequence number; the length is a power of two
	held    int       // slots in use
	since   time.Time // arrival of the packet held for longest

	rtpTime uint32 // of the last packet delivered
	arrival time.Time

	stray    packet // far off the sequence; two in a row prove a restart
	hasStray bool
}

type slot struct {
	packet
	used bool
}

func (r *reorder) push(p *packet) {
	if !r.running {
		r.opening(p)
		return
	}
	r.expire(p.arrival)
	ahead := int(int16(p.seq - r.next)) //nolint:gosec // The difference wraps.
	switch {
	case ahead > maxJump, ahead < -maxJump, ahead < 0 && r.stale(p):
		r.restart(p)
		return
	case ahead < 0:
		return // a duplicate, or later than was waited for
	}
	r.hasStray = false
	for ahead >= r.window {
		if r.held == 0 {
			r.skip(p, ahead)
			ahead = 0
			break
		}
		r.giveUp()
		ahead = int(p.seq - r.next)
	}
	if ahead == 0 {
		r.deliver(p)
		r.drain()
		return
	}
	r.hold(p, ahead+1)
	r.expire(p.arrival)
}

// stale reports whether a packet behind the sequence has an RTP time that no
// late packet has.
func (r *reorder) stale(p *packet) bool {
	off := duration(int64(int32(p.rtpTime-r.rtpTime)), r.rate) //nolint:gosec // The difference wraps.
	return off > maxStale || off < -maxStale
}

// hold keeps a copy of a packet in its slot, among at least span slots.
func (r *reorder) hold(p *packet, span int) {
	r.grow(span)
	s := r.slot(p.seq)
	if s.used {
		return // a duplicate
	}
	payload := append(s.payload[:0], p.payload...)
	s.packet, s.used = *p, true
	s.payload = payload
	if r.held == 0 {
		r.since = p.arrival
	}
	r.held++
}

func (r *reorder) slot(seq uint16) *slot { return &r.slots[int(seq)&(len(r.slots)-1)] }

func (r *reorder) grow(span int) {
	if span <= len(r.slots) {
		return
	}
	n := max(minSlots, len(r.slots))
	for n < span {
		n *= 2
	}
	old := r.slots
	r.slots = make([]slot, n)
	for _, s := range old {
		if s.used {
			*r.slot(s.seq) = s
		}
	}
}

// drain delivers what is held from next on.
func (r *reorder) drain() {
	before := r.held
	for r.held > 0 {
		s := r.slot(r.next)
		if !s.used {
			break
		}
		r.release(s)
	}
	if r.held > 0 && r.held < before {
		r.age()
	}
}

// release delivers the packet of a slot, which is the next.
func (r *reorder) release(s *slot) {
	s.used = false
	r.held--
	r.deliver(&s.packet)
}

// age finds since again.
func (r *reorder) age() {
	first := true
	for i, left := 0, r.held; left > 0; i++ {
		s := &r.slots[i]
		if !s.used {
			continue
		}
		if left--; first || s.arrival.Before(r.since) {
			r.since, first = s.arrival, false
		}
	}
}

func (r *reorder) deliver(p *packet) {
	r.next = p.seq + 1
	r.rtpTime, r.arrival = p.rtpTime, p.arrival
	r.sink.next(p)
}

// expire gives up what has been waited for long enough.
func (r *reorder) expire(now time.Time) {
	for r.held > 0 && now.Sub(r.since) >= r.wait {
		r.giveUp()
	}
}

// giveUp passes over the packets missing before the first that is held.
func (r *reorder) giveUp() {
	if !r.running {
		r.run()
		return
	}
	n := 0
	s := r.slot(r.next)
	for !s.used {
		n++
		s = r.slot(r.next + uint16(n))
	}
	r.skip(&s.packet, n)
	r.drain()
}

func (r *reorder) skip(p *packet, n int) {
	r.next = p.seq
	r.sink.gap(n, p)
}

// flush delivers everything and ends the stream.
func (r *reorder) flush() {
	for r.held > 0 {
		r.giveUp()
	}
	r.running, r.hasStray = false, false
}

// opening takes a packet before the stream runs.
func (r *reorder) opening(p *packet) {
	span := 1
	switch ahead := int(int16(p.seq - r.next)); { //nolint:gosec // The difference wraps.
	case r.held == 0:
		r.next, r.last = p.seq, p.seq
	case ahead >= r.window:
		r.run()
		r.push(p)
		return
	case ahead < 0:
		if span = int(r.last-p.seq) + 1; span > r.window {
			return
		}
		r.next = p.seq
	default:
		span = ahead + 1
		if int16(p.seq-r.last) > 0 { //nolint:gosec // The difference wraps.
			r.last = p.seq
		}
	}
	r.hold(p, span)
	if r.ready() || p.arrival.Sub(r.since) >= r.wait {
		r.run()
	}
}

// ready reports whether nothing that is still to come can complete the frame
// that the first packet in hand belongs to.
func (r *reorder) ready() bool {
	first := r.slot(r.next)
	if len(first.payload) > 0 && r.sink.frame.startsFrame(first.payload) {
		return true
	}
	for i := range r.held {
		s := r.slot(r.next + uint16(i)) //nolint:gosec // At most maxWindow.
		if !s.used {
			return false
		}
		if s.marker || s.rtpTime != first.rtpTime {
			return true
		}
	}
	return false
}

func (r *reorder) run() {
	r.running = true
	r.drain()
}

// restart takes a packet that is far off the sequence. One alone is not
// believed (RFC 3550, A.1).
func (r *reorder) restart(p *packet) {
	if !r.hasStray || p.seq != r.stray.seq+1 {
		payload := append(r.stray.payload[:0], p.payload...)
		r.stray, r.hasStray = *p, true
		r.stray.payload = payload
		return
	}
	outage := r.outage(&r.stray)
	r.flush()
	first := r.stray
	if outage {
		r.running = true
		r.skip(&first, int(first.seq-r.next))
		r.deliver(&first)
	} else {
		r.sink.restarted()
		r.opening(&first)
	}
	r.push(p)
}

// outage reports whether the sender has gone on while nothing came through: its
// clock and ours agree on how long that was.
func (r *reorder) outage(p *packet) bool {
	if ahead := int16(p.seq - r.next); -maxJump <= ahead && ahead < 0 { //nolint:gosec // The difference wraps.
		return false
	}
	sent := duration(int64(p.rtpTime-r.rtpTime), r.rate)
	return (sent - p.arrival.Sub(r.arrival)).Abs() < maxDrift
}
