// Package congestion finds out how much the path of a connection takes, from
// the times at which its packets arrive: [Sender] numbers what is sent, hears
// what became of it and says how much more of it makes sense; [Arrivals] is the
// other side, which tells. It knows neither RTP nor sockets, and time comes with
// each call.
//
// A path is without limit until it has shown one. It shows one by a queue: when
// the quickest packets of a while take longer than the quickest of the last
// seconds. What leaves a queue is what the path takes; so much is sent from
// then on, at first less, for the queue to go away, and more again as long as it
// stays away. Losses alone are a sign of a limit only when they are heavy and
// fall when less is sent: on bad radio they do not.
package congestion

import (
	"sync"
	"time"
)

// Kind says what a packet is.
type Kind uint8

// The kinds of packets.
const (
	Media  Kind = iota // what the limit is for: video sent for the first time
	Other              // what is sent in any case
	Filler             // of a probe: FillerSize bytes of nothing
)

// Overhead is what is counted for each packet besides its payload: IP, UDP and
// RTP headers and the authentication.
const Overhead = 28 + 12 + 8 + 16

const (
	fewSent  = 256
	maxSent  = 8192 // packets whose arrival can be told of
	sentLife = 3 * time.Second
)

// MaxLimit is the most that a limit can be, in bits per second; MinLimit the
// least.
const (
	MinLimit = 30_000
	MaxLimit = 1_000_000_000
)

// Sender is the sending side of one connection. It is safe for concurrent use.
// It takes at most 128 KiB, and that only when thousands of packets are under
// way.
type Sender struct {
	// Steady: what is sent cannot become a little less for a while, so that
	// nothing is found out from losses. It is set before the first call.
	Steady bool

	mu        sync.Mutex
	sent      []sentPacket // by number
	next      uint32
	reference int64 // of the last report, in referenceUnit
	heard     bool
	others    meter // what is sent besides Media
	path      path
	control   control
	probe     probe
	want      float64
}

type sentPacket struct {
	at     time.Duration
	number uint32
	size   uint16
	kind   Kind
	state  uint8
}

const (
	underWay uint8 = 1 + iota
	lost
	arrived
)

// Sent notes that a packet with a payload of size bytes is sent, and returns its
// number.
func (s *Sender) Sent(now time.Duration, size int, kind Kind) uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note(now, size+Overhead, kind)
}

func (s *Sender) note(now time.Duration, size int, kind Kind) uint16 {
	if s.sent == nil {
		s.sent = make([]sentPacket, fewSent)
	}
	e := s.entry(s.next)
	if e.state == underWay && now-e.at < sentLife && len(s.sent) < maxSent {
		grown := make([]sentPacket, 2*len(s.sent))
		for i := range s.sent {
			old := &s.sent[i]
			grown[old.number&uint32(len(grown)-1)] = *old
		}
		s.sent = grown
		e = s.entry(s.next)
	}
	*e = sentPacket{at: now, number: s.next, size: uint16(min(size, 1<<16-1)), kind: kind, state: underWay}
	if kind == Other {
		s.others.add(now, size)
	}
	s.next++
	return uint16(e.number)
}

func (s *Sender) entry(number uint32) *sentPacket { return &s.sent[number&uint32(len(s.sent)-1)] }

// Report takes an RTCP packet with feedback, and reports whether it was one.
// What it says of packets that were not sent is ignored.
func (s *Sender) Report(now time.Duration, packet []byte) bool {
	r, ok := readReport(packet)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent == nil || r.count > maxSent {
		return true
	}
	// The time wraps around after 12 days.
	if !s.heard {
		s.heard, s.reference = true, int64(r.reference)
	}
	s.reference += int64(int32((r.reference-uint32(s.reference))<<8) >> 8)
	arrival := time.Duration(s.reference) * referenceUnit
	number := s.next - 1 - uint32(uint16(s.next-1)-r.base)
	for ; ; number++ {
		received, delta, ok := r.next()
		if !ok {
			break
		}
		arrival += delta
		e := s.entry(number)
		if e.number != number || int32(number-s.next) >= 0 || e.state == arrived || e.state == 0 {
			continue
		}
		if e.state == underWay && s.path.counts(e.at, received) {
			s.control.slot(now, &s.path, !s.Steady)
		}
		switch {
		case received:
			e.state = arrived
			if s.probe.covers(e.number) {
				s.probe.arrived(e, arrival)
			}
			if s.path.arrived(e, arrival) {
				if s.control.window(now, &s.path) {
					s.probe.regret(now)
				}
			}
		case e.state == underWay:
			e.state = lost
		}
	}
	s.probe.judge(now, &s.control)
	return true
}

// Reset forgets the path: it is another one from now on.
func (s *Sender) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path, s.control, s.probe = path{}, control{}, probe{}
	for i := range s.sent {
		s.sent[i].state = 0
	}
}

// Limit returns how much can be sent in bits per second, with everything that
// is sent; 0: the path has shown no limit.
func (s *Sender) Limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.control.limit)
}

// MediaLimit returns how much payload of Media can be sent, in bits per second;
// ok is false where the path has shown no limit. lasting is more than that while
// a queue goes away: who sends no more than that can go on with it, if the queue
// may take its time.
func (s *Sender) MediaLimit(now time.Duration) (bitrate, lasting int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.control.limit == 0 {
		return 0, 0, false
	}
	others := s.others.rate(now)
	of := func(limit float64) int { return int(max(limit-others, 0) * mediaShare) }
	if s.path.queue() > queueBearable {
		return of(s.control.limit), of(s.control.limit), true
	}
	return of(s.control.limit), of(s.control.lasting()), true
}

// queueBearable is how long a queue may be for lasting to be more.
const queueBearable = 600 * time.Millisecond

// mediaShare is how much of a packet of video is payload.
const mediaShare = 0.94

// Delivered returns how much has arrived lately, in bits per second.
func (s *Sender) Delivered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.path.delivered())
}

// Want says how much payload of Media there would be to send, in bits per
// second. Where the limit is lower, and no media shows whether it still holds,
// Probe finds out.
func (s *Sender) Want(bitrate int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want = min(float64(bitrate)/mediaShare, MaxLimit)
}

// meter is a mean bitrate of about a second.
type meter struct {
	since time.Duration
	bits  float64
	last  float64
}

const meterTime = time.Second

func (m *meter) add(now time.Duration, size int) {
	m.turn(now)
	m.bits += float64(8 * size)
}

func (m *meter) turn(now time.Duration) {
	if d := now - m.since; d >= meterTime {
		m.last = m.bits / d.Seconds()
		m.since, m.bits = now, 0
	}
}

func (m *meter) rate(now time.Duration) float64 {
	m.turn(now)
	return m.last
}
