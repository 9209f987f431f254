package sfu

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
)

// A layer does not flow any more when nothing comes of it for so long, or for a
// shorter time in which something came of another. Browsers stop sending the
// upper ones when the network or the machine is short.
const (
	silence   = 2 * time.Second
	silenceOf = 500 * time.Millisecond
	reviews   = silenceOf / 2
)

// layer is one encoding of a publication: one of several sizes of simulcast, or
// all there is.
type layer struct {
	up    *uplink
	index int
	ring  *rtc.Ring

	key    atomic.Pointer[keyMark] // nil before the first key frame
	latest atomic.Uint32           // sequence number of the newest packet
	ssrc   uint32                  // its source; for the pump alone
	level  atomic.Int32            // how loud the last packet is
	size   atomic.Uint64           // width and height of the last key frame
	heard  atomic.Int64            // when the last packet came, in nanoseconds
	meter  meter

	mu     sync.Mutex
	inlet  *rtc.Inlet // nil until media is negotiated
	asked  time.Time  // last key frame request
	timer  *time.Timer
	want   bool // a request waits for the inlet or the pause
	closed bool
}

func newLayer(u *uplink, index int) *layer {
	size := rtc.RingAudio
	if u.kind == media.Video {
		size = rtc.RingVideo
	}
	return &layer{up: u, index: index, ring: rtc.NewRing(size)}
}

func (l *layer) bit() uint32 { return 1 << l.index }

// forward sends one packet to the subscribers that get this layer. It allocates
// nothing and waits for nobody.
func (l *layer) forward(h *rtp.Header, payload []byte, codec *rtc.Codec, captured time.Time) {
	if l.up.muted.Load() {
		return
	}
	l.ring.Put(h, payload)
	now := time.Now()
	if l.up.kind == media.Video {
		l.note(h, payload, codec, now)
		if len(payload) > 0 {
			l.count(len(payload), now)
		}
	}
	for _, s := range *l.up.slots.Load() {
		if s.hears.Load()&l.bit() != 0 {
			s.forward(l, h, payload, codec, now, captured)
		}
	}
}

// count notes that something came.
func (l *layer) count(n int, now time.Time) {
	l.heard.Store(now.UnixNano())
	l.meter.count(n, now)
	if l.up.flowing.Load()&l.bit() == 0 {
		l.up.flowing.Or(l.bit())
		l.up.aim()
	}
}

// look notes which layers have fallen silent.
func (u *uplink) look() {
	silent := uint32(0)
	now, newest := time.Now().UnixNano(), int64(0)
	for _, l := range *u.layers.Load() {
		newest = max(newest, l.heard.Load())
	}
	for _, l := range *u.layers.Load() {
		if idle := now - l.heard.Load(); idle >= int64(silence) || idle >= int64(silenceOf) && now-newest < int64(silenceOf) {
			silent |= l.bit()
		}
	}
	if u.flowing.And(^silent)&silent != 0 {
		u.aim()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.closed {
		u.review.Reset(reviews)
	}
}

// sizes returns how large the layers are, guessing those of which nothing came
// yet: each is twice as large as the one below.
func (u *uplink) sizes() (list [rtc.MaxLayers][2]int, n int) {
	layers := *u.layers.Load()
	n = len(layers)
	for i, l := range layers {
		size := l.size.Load()
		list[i] = [2]int{int(size >> 32), int(uint32(size))}
	}
	for i := range n {
		for distance := 1; list[i][0] == 0 && distance < n; distance++ {
			if below := i - distance; below >= 0 && layers[below].size.Load() != 0 {
				list[i] = [2]int{list[below][0] << distance, list[below][1] << distance}
			} else if above := i + distance; above < n && layers[above].size.Load() != 0 {
				list[i] = [2]int{list[above][0] >> distance, list[above][1] >> distance}
			}
		}
		if list[i][0] == 0 {
			list[i] = [2]int{1280 >> (n - 1 - i), 720 >> (n - 1 - i)}
		}
	}
	return list, n
}

// fitting returns the layer for a picture that is shown in that size: the
// lowest that need not be made larger. 0, 0 is for the best.
func (u *uplink) fitting(width, height int) int {
	sizes, n := u.sizes()
	if width <= 0 || height <= 0 {
		return n - 1
	}
	for i := range n - 1 {
		// A picture is fitted into its place: one side is enough.
		if sizes[i][0] >= width || sizes[i][1] >= height {
			return i
		}
	}
	return n - 1
}

// available returns the layer to send instead of the one that is wanted, which
// is that one if it flows: the best below it, or the next above.
func (u *uplink) available(wanted int) int {
	flowing := u.flowing.Load()
	if flowing == 0 {
		return wanted
	}
	if below := flowing & (1<<(wanted+1) - 1); below != 0 {
		return bits.Len32(below) - 1
	}
	return bits.TrailingZeros32(flowing)
}

// wanted returns a bit for each layer that somebody wants.
func (u *uplink) wanted() (mask uint32) {
	for _, s := range *u.slots.Load() {
		mask |= s.wants()
	}
	return mask
}

// measure notes the size of a key frame.
func (l *layer) measure(codec *rtc.Codec, payload []byte) {
	width, height, ok := packet.Dimensions(codec.Codec, payload)
	size := uint64(width)<<32 | uint64(height)
	if ok && l.size.Swap(size) != size && len(*l.up.layers.Load()) > 1 {
		l.up.aim()
	}
}

// setInlet tells where the media comes from; nil: from nowhere at present.
func (l *layer) setInlet(in *rtc.Inlet) {
	l.mu.Lock()
	l.inlet = in
	l.mu.Unlock()
	l.ask(false)
}

// captured returns when the media of a packet was captured; zero: not known.
func (l *layer) captured(h *rtp.Header) time.Time {
	l.mu.Lock()
	in := l.inlet
	l.mu.Unlock()
	if in == nil {
		return time.Time{}
	}
	return in.Captured(h.Timestamp, time.Time{})
}

// wantKeyframe asks the publisher for a key frame: at once, or when the pause
// since the last request is over.
func (l *layer) wantKeyframe() {
	if l.up.kind == media.Video {
		l.ask(true)
	}
}

// gotKeyframe forgets a request that waits: the key frame came by itself.
func (l *layer) gotKeyframe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.want = false
}

func (l *layer) ask(want bool) {
	l.mu.Lock()
	l.want = (l.want || want) && !l.closed
	if !l.want || l.inlet == nil {
		l.mu.Unlock()
		return
	}
	if wait := l.up.pause - time.Since(l.asked); wait > 0 {
		if l.timer == nil {
			l.timer = time.AfterFunc(wait, func() {
				l.mu.Lock()
				l.timer = nil
				l.mu.Unlock()
				l.ask(false)
			})
		}
		l.mu.Unlock()
		return
	}
	l.want, l.asked = false, time.Now()
	in := l.inlet
	l.mu.Unlock()
	_ = in.RequestKeyframe() // a connection that is gone needs no key frame
}

func (l *layer) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.want, l.inlet = true, false, nil
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}
