package sfu

import (
	"time"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/pion/rtp"
)

// Somebody who comes later gets the picture at once where that is cheap: from
// the last key frame on, if that is not long ago and everything since is still
// kept. The publisher is spared a key frame for each newcomer, and the newcomer
// the wait for it.
const (
	catchUpAge     = 2 * time.Second
	catchUpPackets = 256
)

// keyMark is where the last key frame of a layer begins.
type keyMark struct {
	ssrc  uint32
	seq   uint16
	time  uint32
	codec rtc.Codec
	at    time.Time
}

// note keeps track of the key frames of a video stream. Only the pump calls it.
func (l *layer) note(h *rtp.Header, payload []byte, codec *rtc.Codec, now time.Time) {
	step := int16(h.SequenceNumber - uint16(l.latest.Load()))
	if h.SSRC != l.ssrc || step > 0 || step < -maxStep {
		l.ssrc = h.SSRC
		l.latest.Store(uint32(h.SequenceNumber))
	}
	if !packet.Keyframe(codec.Codec, payload) {
		return
	}
	l.measure(codec, payload)
	if m := l.key.Load(); m != nil && m.ssrc == h.SSRC {
		step := int16(h.SequenceNumber - m.seq)
		if m.time == h.Timestamp && step > 0 || step < 0 && step > -maxStep {
			return // a later part of the same frame, or an older one that was repaired
		}
	}
	l.key.Store(&keyMark{ssrc: h.SSRC, seq: h.SequenceNumber, time: h.Timestamp, codec: *codec, at: now})
}

// catchUp sends the slot, which has been attached, what there was since the
// last key frame, and reports whether it began with that. Packets that arrive
// meanwhile wait for it.
func (u *uplink) catchUp(s *slot) bool {
	l := s.aimed()
	if l == nil || l.up != u || u.muted.Load() {
		return false
	}
	m := l.key.Load()
	now := time.Now()
	if m == nil || now.Sub(m.at) > catchUpAge {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := uint16(l.latest.Load()) - m.seq + 1
	if s.from != u || s.started || s.target != l || n > catchUpPackets {
		return false
	}
	buf := make([]byte, 1500)
	for i := range n {
		h, payload, ok := l.ring.Get(m.seq+i, buf)
		switch {
		case ok && h.SSRC == m.ssrc:
			s.write(l, &h, payload, &m.codec, now, l.captured(&h))
		case i == 0:
			return false
		}
	}
	return s.started
}
