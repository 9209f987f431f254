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
// subscribers, in one layer or more. One pump at a time forwards into each;
// subscribers come and go beside that.
type uplink struct {
	kind  media.Kind
	pause time.Duration           // between key frame requests
	slots atomic.Pointer[[]*slot] // immutable; changed under mu
	loud  loudness
	muted atomic.Bool // nothing is forwarded

	layers  atomic.Pointer[[]*layer] // lowest first; immutable, only grows, changed under mu
	flowing atomic.Uint32            // a bit for each layer that media comes from
	// changed is told when the layers that are wanted may have. It must only
	// post.
	changed  func()
	reviewed atomic.Bool // it is told already

	mu     sync.Mutex
	review *time.Timer // looks for layers that have fallen silent
	closed bool
}

func newUplink(kind media.Kind, pause time.Duration) *uplink {
	u := &uplink{kind: kind, pause: pause, changed: func() {}}
	u.slots.Store(new([]*slot))
	u.layers.Store(&[]*layer{newLayer(u, 0)})
	return u
}

// forward sends one packet of a publication without layers to all subscribers.
func (u *uplink) forward(h *rtp.Header, payload []byte, codec *rtc.Codec, captured time.Time) {
	u.layer(0).forward(h, payload, codec, captured)
}

func (u *uplink) layer(i int) *layer { return (*u.layers.Load())[i] }

// grow makes sure that there are n layers.
func (u *uplink) grow(n int) {
	u.mu.Lock()
	list := slices.Clone(*u.layers.Load())
	if len(list) >= n || u.closed {
		u.mu.Unlock()
		return
	}
	for len(list) < n {
		list = append(list, newLayer(u, len(list)))
	}
	u.layers.Store(&list)
	if u.review == nil {
		u.review = time.AfterFunc(reviews, u.look)
	}
	u.mu.Unlock()
	u.aim()
}

func (u *uplink) attach(s *slot) {
	u.mu.Lock()
	list := append(slices.Clone(*u.slots.Load()), s)
	u.slots.Store(&list)
	u.mu.Unlock()
	s.aim()
	u.changed()
}

func (u *uplink) detach(s *slot) {
	u.mu.Lock()
	list := slices.DeleteFunc(slices.Clone(*u.slots.Load()), func(o *slot) bool { return o == s })
	u.slots.Store(&list)
	u.mu.Unlock()
	u.changed()
}

// setInlet tells where the media of a publication without layers comes from;
// nil: that of all layers comes from nowhere at present.
func (u *uplink) setInlet(in *rtc.Inlet) {
	for i, l := range *u.layers.Load() {
		if i == 0 || in == nil {
			l.setInlet(in)
		}
	}
}

// aim has all subscribers choose their layers again.
func (u *uplink) aim() {
	for _, s := range *u.slots.Load() {
		s.aim()
	}
	u.changed()
}

// close ends the key frame requests. Subscribers detach by themselves.
func (u *uplink) close() {
	u.mu.Lock()
	u.closed = true
	if u.review != nil {
		u.review.Stop()
	}
	u.mu.Unlock()
	for _, l := range *u.layers.Load() {
		l.close()
	}
}
