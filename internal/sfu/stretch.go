package sfu

import (
	"time"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// stretch is a part of what a slot sent, from one source without a break: how
// its packets became those that were sent. The last ones are kept, so that
// packets from before a change of layers can be sent again.
type stretch struct {
	from    *layer // nil: none
	ssrc    uint32
	codec   media.Codec
	clock   int
	first   uint16 // sequence number with which it began
	end     uint16 // and with which the next one did
	count   int64  // the slot's count at the end
	seqOff  uint16 // outgoing minus incoming
	timeOff uint32
	picture uint16 // likewise, of VP8
	tl0     uint8
}

// shifts reports whether the payloads change on the way.
func (t *stretch) shifts() bool { return t.picture != 0 || t.tl0 != 0 }

// kept is how many packets back one can be sent again.
const kept = 2 * rtc.RingVideo

// write reports whether this packet was the first of its layer. The lock is
// held over the write to the socket: it keeps the outlet to one writer while
// publications and layers follow each other, and nobody else waits for it.
func (s *slot) write(l *layer, h *rtp.Header, payload []byte, codec *rtc.Codec, now, captured time.Time) (began bool) {
	if s.from != l.up || s.rests(l, h) {
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
	t := &s.stretch[0]
	anew := !s.started || l != s.current
	if step := int16(h.SequenceNumber + t.seqOff - s.next); anew || h.SSRC != t.ssrc || step > maxStep || step < -maxStep {
		s.anchor(l, h, payload, codec, now, captured)
	}
	seq := h.SequenceNumber + t.seqOff
	if int16(seq-t.first) < 0 {
		return false // sent before the subscription or the layer began
	}
	if t.shifts() {
		s.scratch = append(s.scratch[:0], payload...)
		payload = s.scratch
		packet.ShiftVP8(payload, t.picture, t.tl0)
	}
	s.header = rtp.Header{
		Version: 2, Marker: h.Marker, PayloadType: pt,
		SequenceNumber: seq, Timestamp: h.Timestamp + t.timeOff,
	}
	if s.kind == media.Audio {
		s.level.Put(&s.header, s.out, int(l.level.Load()))
	}
	if s.to.Write(&s.header, payload, captured) != nil {
		return false
	}
	if anew {
		s.started, s.current = true, l
		s.hears.Store(s.target.bit() | l.bit())
	}
	if step := int16(seq - s.next); step >= 0 {
		s.count += int64(step) + 1
		s.next, s.lastTime, s.lastSent, s.lastWhen, s.marked = seq+1, s.header.Timestamp, now, captured, h.Marker
		if s.next-t.first > 2*maxStep {
			t.first = s.next - 2*maxStep // keeps the comparison from wrapping around
		}
	}
	return anew
}

// anchor joins the packet to what the slot has sent before: the next sequence
// number, the media time that has passed, and the next picture.
func (s *slot) anchor(l *layer, h *rtp.Header, payload []byte, codec *rtc.Codec, now, captured time.Time) {
	clock := codec.ClockRate()
	t := stretch{
		from: l, ssrc: h.SSRC, codec: codec.Codec, clock: clock,
		first: s.next, seqOff: s.next - h.SequenceNumber,
	}
	if codec.Codec == media.VP8 && s.newest().codec == media.VP8 {
		t.picture, t.tl0 = s.follow(payload)
	}
	at := s.lastTime
	if !s.lastSent.IsZero() {
		at += uint32(max(s.elapsed(now, captured).Microseconds()*int64(clock)/1e6, 1))
	}
	t.timeOff = at - h.Timestamp
	if s.stretch[0].from != nil && s.stretch[0].first != s.next {
		s.stretch[0].end, s.stretch[0].count = s.next, s.count
		copy(s.stretch[1:], s.stretch[:])
	}
	s.stretch[0] = t
}

// newest returns the stretch of the last packet that was sent.
func (s *slot) newest() *stretch {
	if s.stretch[0].first == s.next && s.stretch[1].from != nil {
		return &s.stretch[1]
	}
	return &s.stretch[0]
}

// elapsed is the time from the last picture to one that begins a stretch: by
// when they were captured, where that is known, and else by when they came. The
// RTP times of two layers cannot be compared.
func (s *slot) elapsed(now, captured time.Time) time.Duration {
	if !captured.IsZero() && !s.lastWhen.IsZero() {
		if d := captured.Sub(s.lastWhen); d > -time.Second && d < 10*time.Second {
			return d
		}
	}
	return now.Sub(s.lastSent)
}

// follow returns what must be added to the numbers of pictures so that the one
// of this payload comes after the last that was sent.
func (s *slot) follow(payload []byte) (picture uint16, tl0 uint8) {
	t := s.newest()
	if t.from == nil {
		return 0, 0
	}
	var buf [1500]byte
	_, last, ok := t.from.ring.Get(s.next-1-t.seqOff, buf[:])
	if !ok {
		return 0, 0
	}
	was, is := packet.ReadVP8Order(last), packet.ReadVP8Order(payload)
	if was.HasID && is.HasID {
		picture = (was.Picture + t.picture + 1 - is.Picture) & 0x7fff
	}
	if was.HasTL && is.HasTL {
		tl0 = was.TL0 + t.tl0 + 1 - is.TL0
	}
	return picture, tl0
}

// find returns the stretch that a packet was sent in, or nil. The lock is held.
func (s *slot) find(seq uint16) *stretch {
	if s.from == nil || !s.started || s.next-seq == 0 || s.next-seq > 2*maxStep {
		return nil
	}
	if t := &s.stretch[0]; int16(seq-t.first) >= 0 {
		return t
	}
	for i := range s.stretch[1:] {
		t := &s.stretch[1+i]
		if t.from != nil && s.count-t.count < kept && int16(seq-t.first) >= 0 && int16(seq-t.end) < 0 {
			return t
		}
	}
	return nil
}

// history finds a packet that was sent, for retransmission.
func (s *slot) history(seq uint16, buf []byte) (h rtp.Header, payload []byte, ok bool) {
	s.mu.Lock()
	var t stretch
	u := s.from
	if found := s.find(seq); found != nil {
		t = *found
	}
	s.mu.Unlock()
	if t.from == nil {
		return h, nil, false
	}
	if h, payload, ok = t.from.ring.Get(seq-t.seqOff, buf); !ok {
		return h, nil, false
	}
	s.mu.Lock()
	pt := s.types[h.PayloadType&0x7f]
	ok = pt != unknownType && s.from == u
	s.mu.Unlock()
	if t.shifts() {
		packet.ShiftVP8(payload, t.picture, t.tl0)
	}
	h.SequenceNumber, h.Timestamp, h.PayloadType = seq, h.Timestamp+t.timeOff, pt
	return h, payload, ok
}
