package sfu

import (
	"sync"
	"time"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// A jump of more sequence numbers than this is a restart of the source.
const maxStep = 2000

// slot is one send section of a subscriber's connection. It carries one
// publication after the other, in one stream of sequence numbers and
// timestamps that goes on through all of them.
type slot struct {
	kind media.Kind
	out  *rtc.Outlet
	to   packetWriter // out
	id   string       // what clients without slots know its only use by

	// Of the peer's goroutine.
	used  *subscription // nil: free
	since int           // the turn in which it became free

	mu       sync.Mutex
	from     *uplink // what is forwarded; nil: nothing
	paused   bool    // at present nothing of it
	width    int     // in which size it is wanted, zero for the best
	height   int
	started  bool   // something of it was sent
	first    uint16 // sequence number with which it began
	next     uint16 // the one after the highest sent
	seqOff   uint16 // outgoing minus incoming
	timeOff  uint32
	ssrc     uint32 // of the source
	lastTime uint32
	lastSent time.Time
	clock    int
	types    [128]uint8 // outgoing payload type by incoming; 0xff: not known
	header   rtp.Header
}

const unknownType = 0xff

// packetWriter is what a slot needs of an [rtc.Outlet].
type packetWriter interface {
	PayloadType(rtc.Codec) (uint8, bool)
	Write(h *rtp.Header, payload []byte, captured time.Time) error
}

func (s *slot) setOutlet(out *rtc.Outlet) { s.out, s.to = out, out }

// begin makes the slot forward u from the next packet on, and returns the
// sequence number that this one will have.
func (s *slot) begin(u *uplink) (first uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.started, s.first = u, false, s.next
	s.paused, s.width, s.height = false, 0, 0
	for i := range s.types {
		s.types[i] = unknownType
	}
	return s.next
}

// end stops forwarding. When it returns no packet will be sent.
func (s *slot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = nil
}

// forward sends a packet of u, if that is still what the slot carries. Video
// begins with a key frame: what comes before is of no use to anybody.
func (s *slot) forward(u *uplink, h *rtp.Header, payload []byte, codec *rtc.Codec, now, captured time.Time) {
	s.mu.Lock()
	if s.from != u || s.paused {
		s.mu.Unlock()
		return
	}
	waits := !s.started && s.kind == media.Video
	if waits && !packet.Keyframe(codec.Codec, payload) {
		s.mu.Unlock()
		u.wantKeyframe()
		return
	}
	began := s.write(u, h, payload, codec, now, captured)
	s.mu.Unlock()
	if began && waits {
		u.gotKeyframe()
	}
}

// prefer says in which size the subscriber shows the picture, in pixels; 0, 0
// asks for the best. It holds until begin. A publication without layers has
// only one size.
func (s *slot) prefer(width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width, s.height = width, height
}

// pause stops the forwarding, or lets it go on; video goes on with a key frame.
// The numbers of the packets have no gap. It holds until begin.
func (s *slot) pause(paused bool) {
	s.mu.Lock()
	was := s.paused
	s.paused = paused
	u := s.from
	if was && !paused {
		s.started = false
	}
	s.mu.Unlock()
	if u != nil && was && !paused {
		u.wantKeyframe()
	}
}

// write reports whether this packet was the first of its publication. The lock
// is held over the write to the socket: it keeps the outlet to one writer while
// publications follow each other, and nobody else waits for it.
func (s *slot) write(u *uplink, h *rtp.Header, payload []byte, codec *rtc.Codec, now, captured time.Time) (began bool) {
	if s.from != u || s.paused {
		return false
	}
	pt := s.types[h.PayloadType&0x7f]
	if pt == unknownType {
		var ok bool
		if pt, ok = s.to.PayloadType(*codec); !ok {
			return false // not negotiated yet, or never
		}
		s.types[h.PayloadType&0x7f] = pt
	}
	if step := int16(h.SequenceNumber + s.seqOff - s.next); !s.started || h.SSRC != s.ssrc || step > maxStep || step < -maxStep {
		s.anchor(h, codec.ClockRate(), now)
	}
	seq := h.SequenceNumber + s.seqOff
	if int16(seq-s.first) < 0 {
		return false // sent before the subscription began
	}
	s.header = rtp.Header{
		Version: 2, Marker: h.Marker, PayloadType: pt,
		SequenceNumber: seq, Timestamp: h.Timestamp + s.timeOff,
	}
	if s.to.Write(&s.header, payload, captured) != nil {
		return false
	}
	began, s.started = !s.started, true
	if int16(seq-s.next) >= 0 {
		s.next, s.lastTime, s.lastSent = seq+1, s.header.Timestamp, now
		if s.next-s.first > 2*maxStep {
			s.first = s.next - 2*maxStep // keeps the comparison from wrapping around
		}
	}
	return began
}

// anchor joins the packet to what the slot has sent before: the next sequence
// number, and the media time that has passed.
func (s *slot) anchor(h *rtp.Header, clock int, now time.Time) {
	s.seqOff, s.ssrc, s.clock = s.next-h.SequenceNumber, h.SSRC, clock
	s.first = s.next
	media := s.lastTime
	if !s.lastSent.IsZero() {
		media += uint32(max(now.Sub(s.lastSent).Microseconds()*int64(clock)/1e6, 1))
	}
	s.timeOff = media - h.Timestamp
}

// history finds a packet that was sent, for retransmission.
func (s *slot) history(seq uint16, buf []byte) (h rtp.Header, payload []byte, ok bool) {
	s.mu.Lock()
	u, seqOff, timeOff, types := s.from, s.seqOff, s.timeOff, &s.types
	ok = u != nil && s.started && int16(seq-s.first) >= 0 && int16(seq-s.next) < 0
	s.mu.Unlock()
	if !ok {
		return h, nil, false
	}
	if h, payload, ok = u.ring.Get(seq-seqOff, buf); !ok {
		return h, nil, false
	}
	s.mu.Lock()
	pt := types[h.PayloadType&0x7f]
	ok = pt != unknownType && s.from == u
	s.mu.Unlock()
	h.SequenceNumber, h.Timestamp, h.PayloadType = seq, h.Timestamp+timeOff, pt
	return h, payload, ok
}

// keyframe passes on the subscriber's wish for a key frame.
func (s *slot) keyframe() {
	s.mu.Lock()
	u := s.from
	s.mu.Unlock()
	if u != nil {
		u.wantKeyframe()
	}
}
