package sfu

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// A jump of more sequence numbers than this is a restart of the source.
const maxStep = 2000

// slot is one send section of a subscriber's connection. It carries one
// publication after the other, and one layer of it at a time, in one stream of
// sequence numbers and timestamps that goes on through all of them.
type slot struct {
	kind media.Kind
	out  *rtc.Outlet
	to   packetWriter // out
	id   string       // what clients without slots know its only use by

	// Of the peer's goroutine.
	used  *subscription // nil: free
	since int           // the turn in which it became free

	hears atomic.Uint32 // a bit for each layer of which packets are looked at

	mu       sync.Mutex
	from     *uplink // what is forwarded; nil: nothing
	paused   bool    // at present nothing of it
	width    int     // in which size it is wanted, zero for the best
	height   int
	wish     int    // the layer that this asks for
	target   *layer // what it will be, from its next key frame on
	current  *layer // what was sent last
	started  bool   // something of the target was sent
	next     uint16 // sequence number after the highest sent
	count    int64  // packets so far, gaps included
	lastTime uint32
	lastSent time.Time
	lastWhen time.Time  // it was captured, if that is known
	marked   bool       // the last one ended its picture
	held     bool       // a key frame of the target waits until a picture has ended
	stretch  [4]stretch // the newest first
	types    [128]uint8 // outgoing payload type by incoming; 0xff: not known
	header   rtp.Header
	level    rtc.Level
	scratch  []byte
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
	s.from, s.current, s.started, s.held = u, nil, false, false
	s.paused, s.width, s.height = false, 0, 0
	s.stretch = [4]stretch{}
	for i := range s.types {
		s.types[i] = unknownType
	}
	s.choose()
	return s.next
}

// end stops forwarding. When it returns no packet will be sent.
func (s *slot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.target, s.current = nil, nil, nil
	s.hears.Store(0)
}

// prefer says in which size the subscriber shows the picture, in pixels; 0, 0
// asks for the best. It holds until begin. Of a publication without layers
// there is only one size.
func (s *slot) prefer(width, height int) {
	s.mu.Lock()
	u, wish := s.from, s.wish
	resized := s.width != width || s.height != height
	s.width, s.height = width, height
	s.mu.Unlock()
	s.aim()
	if u != nil && (resized || s.wished() != wish) {
		u.changed()
	}
}

func (s *slot) wished() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wish
}

// pause stops the forwarding, or lets it go on; video goes on with a key frame.
// The numbers of the packets have no gap. It holds until begin.
func (s *slot) pause(paused bool) {
	s.mu.Lock()
	was, u := s.paused, s.from
	s.paused = paused
	if was && !paused {
		s.started = false
	}
	s.mu.Unlock()
	if u == nil || was == paused {
		return
	}
	u.changed()
	if !paused {
		s.keyframe()
	}
}

// rests reports whether a packet is not to be sent because of a pause: what is
// left of a picture under way still is, since half of one is of no use. The lock
// is held.
func (s *slot) rests(l *layer, h *rtp.Header) bool {
	rest := s.started && l == s.current && !s.marked && h.Timestamp+s.stretch[0].timeOff == s.lastTime
	return s.paused && !rest
}

// wants returns the bit of the layer that the subscriber wants, if any.
func (s *slot) wants() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from == nil || s.paused {
		return 0
	}
	return 1 << s.wish
}

// choose decides which layer is to be sent. The lock is held.
func (s *slot) choose() {
	layers := *s.from.layers.Load()
	if len(layers) == 1 {
		s.wish, s.target = 0, layers[0]
	} else {
		s.wish = s.from.fitting(s.width, s.height)
		if target := layers[s.from.available(s.wish)]; target != s.target {
			s.target, s.held = target, false
		}
	}
	if s.current == nil {
		s.hears.Store(s.target.bit())
	} else {
		s.hears.Store(s.target.bit() | s.current.bit())
	}
}

// aim chooses the layer again: sizes, wishes or what flows have changed.
func (s *slot) aim() {
	s.mu.Lock()
	if s.from == nil {
		s.mu.Unlock()
		return
	}
	s.choose()
	target := s.target
	waits := s.current != nil && target != s.current && !s.paused
	s.mu.Unlock()
	if waits {
		target.wantKeyframe()
	}
}

// aimed returns the layer that is to be sent, or nil.
func (s *slot) aimed() *layer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.target
}

// forward sends a packet of a layer, if that is what the slot carries. Video
// begins with a key frame, and so does another layer: what comes before is of
// no use to anybody.
func (s *slot) forward(l *layer, h *rtp.Header, payload []byte, codec *rtc.Codec, now, captured time.Time) {
	s.mu.Lock()
	if s.from != l.up || s.rests(l, h) || l != s.target && (l != s.current || !s.started) {
		s.mu.Unlock()
		return
	}
	if l == s.current && s.started || s.kind != media.Video {
		s.write(l, h, payload, codec, now, captured)
		if s.held && s.marked && !s.paused {
			l = s.target
			s.release(l, now)
		}
		s.mu.Unlock()
		return
	}
	switch key := packet.Keyframe(codec.Codec, payload); {
	case !key && !s.held:
		s.mu.Unlock()
		l.wantKeyframe()
		return
	case s.started && !s.marked && now.Sub(s.lastSent) < holdTime:
		s.held = true
	case s.held:
		s.release(l, now)
	default:
		s.write(l, h, payload, codec, now, captured)
	}
	began := s.started && s.current == l
	s.mu.Unlock()
	if began {
		l.gotKeyframe()
	}
}

// holdTime is how long the rest of a picture is waited for before another layer
// begins.
const holdTime = 50 * time.Millisecond

// release sends what has come of the layer that waited for the end of a
// picture, from its key frame on. The lock is held.
func (s *slot) release(l *layer, now time.Time) {
	s.held = false
	m := l.key.Load()
	if m == nil {
		return
	}
	buf := make([]byte, 1500)
	for i := range min(uint16(l.latest.Load())-m.seq+1, catchUpPackets) {
		h, payload, ok := l.ring.Get(m.seq+i, buf)
		if ok && h.SSRC == m.ssrc {
			s.write(l, &h, payload, &m.codec, now, l.captured(&h))
		} else if i == 0 {
			return
		}
	}
}

// keyframe passes on the subscriber's wish for a key frame.
func (s *slot) keyframe() {
	s.mu.Lock()
	l := s.target
	if s.started && s.current != nil {
		l = s.current
	}
	s.mu.Unlock()
	if l != nil {
		l.wantKeyframe()
	}
}
