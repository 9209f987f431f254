package sfu

import (
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/internal/sfu/allocation"
	"github.com/parley-rtc/parley/signaling"
)

// meter measures what comes of a publication. One goroutine at a time counts,
// anybody reads.
type meter struct {
	rate  atomic.Int64 // bits a second, of the last full second
	since time.Time
	bytes int
}

func (m *meter) count(n int, now time.Time) {
	m.bytes += n
	passed := now.Sub(m.since)
	if passed < time.Second {
		return
	}
	rate := int64(0)
	if passed < 2*time.Second {
		rate = int64(m.bytes) * 8 * int64(time.Second) / int64(passed)
	}
	m.rate.Store(rate)
	m.since, m.bytes = now, 0
}

// measured returns what can be sent of a publication, the smallest first.
func (u *uplink) measured() []allocation.Layer {
	layers := *u.layers.Load()
	sizes, _ := u.sizes()
	flowing, now := u.flowing.Load(), time.Now().UnixNano()
	list := make([]allocation.Layer, len(layers))
	for i, l := range layers {
		if len(layers) > 1 || l.size.Load() != 0 {
			list[i].Dimensions = signaling.Dimensions{Width: sizes[i][0], Height: sizes[i][1]}
		}
		// A layer that nothing comes of any more is not measured any more.
		if flowing&l.bit() != 0 && now-l.heard.Load() < int64(2*time.Second) {
			list[i].Bitrate = int(l.meter.rate.Load())
		}
	}
	return list
}
