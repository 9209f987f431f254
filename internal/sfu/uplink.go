package sfu

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// uplink is the media of one audio or video publication on its way to the
// subscribers. One pump at a time forwards into it; subscribers come and go
// beside that.
type uplink struct {
	kind  media.Kind
	pause time.Duration // between key frame requests
	ring  *rtc.Ring
	slots atomic.Pointer[[]*slot] // immutable; changed under mu

	key    atomic.Pointer[keyMark] // nil before the first key frame
	latest atomic.Uint32           // sequence number
	meter  meter

	mu     sync.Mutex
	inlet  *rtc.Inlet // nil until media is negotiated
	asked  time.Time  // last key frame request
	timer  *time.Timer
	want   bool // a request waits for the inlet or the pause
	closed bool
}

func newUplink(kind media.Kind, pause time.Duration) *uplink {
	size := rtc.RingAudio
	if kind == media.Video {
		size = rtc.RingVideo
	}
	u := &uplink{kind: kind, pause: pause, ring: rtc.NewRing(size)}
	u.slots.Store(new([]*slot))
	return u
}

// forward sends one packet to all subscribers. It allocates nothing and waits
// for nobody.
func (u *uplink) forward(h *rtp.Header, payload []byte, codec *rtc.Codec, captured time.Time) {
	u.ring.Put(h, payload)
	now := time.Now()
	if u.kind == media.Video {
		u.note(h, payload, codec, now)
		u.meter.count(len(payload), now)
	}
	for _, s := range *u.slots.Load() {
		s.forward(u, h, payload, codec, now, captured)
	}
}

func (u *uplink) attach(s *slot) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := append(slices.Clone(*u.slots.Load()), s)
	u.slots.Store(&list)
}

func (u *uplink) detach(s *slot) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*u.slots.Load()), func(o *slot) bool { return o == s })
	u.slots.Store(&list)
}

// setInlet tells where the media comes from; nil: from nowhere at present.
func (u *uplink) setInlet(in *rtc.Inlet) {
	u.mu.Lock()
	u.inlet = in
	u.mu.Unlock()
	u.ask(false)
}

// captured returns when the media of a packet was captured; zero: not known.
func (u *uplink) captured(h *rtp.Header) time.Time {
	u.mu.Lock()
	in := u.inlet
	u.mu.Unlock()
	if in == nil {
		return time.Time{}
	}
	return in.Captured(h.Timestamp, time.Time{})
}

// wantKeyframe asks the publisher for a key frame: at once, or when the pause
// since the last request is over.
func (u *uplink) wantKeyframe() {
	if u.kind == media.Video {
		u.ask(true)
	}
}

// gotKeyframe forgets a request that waits: the key frame came by itself.
func (u *uplink) gotKeyframe() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.want = false
}

func (u *uplink) ask(want bool) {
	u.mu.Lock()
	u.want = (u.want || want) && !u.closed
	if !u.want || u.inlet == nil {
		u.mu.Unlock()
		return
	}
	if wait := u.pause - time.Since(u.asked); wait > 0 {
		if u.timer == nil {
			u.timer = time.AfterFunc(wait, func() {
				u.mu.Lock()
				u.timer = nil
				u.mu.Unlock()
				u.ask(false)
			})
		}
		u.mu.Unlock()
		return
	}
	u.want, u.asked = false, time.Now()
	in := u.inlet
	u.mu.Unlock()
	_ = in.RequestKeyframe() // a connection that is gone needs no key frame
}

// close ends the key frame requests. Subscribers detach by themselves.
func (u *uplink) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed, u.want, u.inlet = true, false, nil
	if u.timer != nil {
		u.timer.Stop()
		u.timer = nil
	}
}

// source is one receive section of a publisher's connection. Its pump runs as
// long as the section; what the section carries can change under it.
type source struct {
	id string                 // of the track, on the wire; of the peer's goroutine
	to atomic.Pointer[uplink] // nil: nothing that is published
}

// pump reads the section until it ends.
func (s *source) pump(in *rtc.Inlet) {
	buf := make([]byte, 1500)
	var h rtp.Header
	var codec rtc.Codec
	pt := -1
	for {
		payload, err := in.Read(buf, &h)
		if err != nil {
			return
		}
		if int(h.PayloadType) != pt {
			codec, pt = in.Codec(), int(h.PayloadType)
		}
		if u := s.to.Load(); u != nil {
			u.forward(&h, payload, &codec, in.Captured(h.Timestamp, time.Time{}))
		}
	}
}
