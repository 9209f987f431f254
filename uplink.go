package parley

import (
	"cmp"
	"slices"
	"time"

	"github.com/parley-rtc/parley/media"
)

// What is sent follows what the connection takes: sound and data go in any case,
// video that can follow shares the rest. Who shows no limit has none.
const (
	uplinkLeast = 30_000 // bits per second that any encoder gets
	uplinkSpare = 1.2    // so much more than the encoders want must there be to let them go
	uplinkMean  = 500 * time.Millisecond
)

// flow measures what a publication sends. It belongs to the loop.
type flow struct {
	sent int64 // of sender.sent, at the time since
	when time.Time
	rate float64 // bits per second, lately
	free float64 // the same while nothing held it back; 0: not known
	mean struct {
		sent int64
		when time.Time // zero: it is held back
	}
}

// look takes the measure.
func (f *flow) look(sent int64, now time.Time) {
	if f.when.IsZero() {
		f.sent, f.when = sent, now
	}
	if d := now.Sub(f.when); d >= uplinkMean {
		f.rate = float64(8*(sent-f.sent)) / d.Seconds()
		f.sent, f.when = sent, now
	}
}

// loosen begins a time in which nothing holds the publication back.
func (f *flow) loosen(sent int64, now time.Time) { f.mean.sent, f.mean.when = sent, now }

// tighten ends it.
func (f *flow) tighten(sent int64, now time.Time) {
	if f.mean.when.IsZero() {
		return
	}
	if d := now.Sub(f.mean.when); d >= uplinkMean {
		f.free = float64(8*(sent-f.mean.sent)) / d.Seconds()
	}
	f.mean.when = time.Time{}
}

// shareUplink gives the video that is sent its part of what the connection
// takes. It runs on the loop.
func (r *Room) shareUplink() {
	if r.loop.engine == nil || r.loop.ended {
		return
	}
	budget, limited := r.loop.engine.MediaLimit()
	now := time.Now()
	var followers []*LocalTrackPublication
	fixed, wanted, unknown := 0.0, 0.0, 0
	for _, p := range r.loop.publications {
		if p.kind != KindVideo || !p.sender.live.Load() {
			continue
		}
		f, sent := &p.flow, p.sender.sent.Load()
		f.look(sent, now)
		if !p.track.local().adapts() {
			fixed += f.rate
			continue
		}
		if limited {
			f.tighten(sent, now)
		}
		if f.free == 0 {
			unknown++
		}
		wanted += f.free
		followers = append(followers, p)
	}
	left := float64(budget) - fixed
	if !limited || unknown == 0 && left >= wanted*uplinkSpare {
		for _, p := range followers {
			if p.flow.mean.when.IsZero() {
				p.flow.loosen(p.sender.sent.Load(), now)
			}
			p.share(0)
		}
		r.loop.engine.Want(0)
		return
	}
	r.loop.engine.Want(int(max(wanted, left*uplinkSpare) + fixed))
	// Who wants least is served first, so that what it leaves is shared too.
	slices.SortStableFunc(followers, func(a, b *LocalTrackPublication) int { return cmp.Compare(a.flow.wants(), b.flow.wants()) })
	for i, p := range followers {
		part := left / float64(len(followers)-i)
		if free := p.flow.free; free != 0 {
			part = min(part, free)
		}
		part = max(part, uplinkLeast)
		left = max(left-part, 0)
		p.share(int(part))
	}
}

// wants is what the publication would send, for the order among others.
func (f *flow) wants() float64 {
	if f.free == 0 {
		return 1e12
	}
	return f.free
}

// share bounds the publication to its part; 0: it is not held back.
func (p *LocalTrackPublication) share(bitrate int) {
	if p.sender.part.Swap(int64(bitrate)) != int64(bitrate) {
		p.track.local().aim()
	}
}

// adapts reports whether all sources of the track follow a bitrate.
func (m *localMedia) adapts() bool {
	for _, l := range m.layers() {
		if _, ok := l.src.(media.BitrateSetter); !ok {
			return false
		}
	}
	return true
}
