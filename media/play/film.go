package play

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

const (
	// early is how long before its time a picture is decoded, at most.
	early = 100 * time.Millisecond
	// askAgain is the time between two requests for a key frame.
	askAgain = time.Second
)

// film shows one video track. Samples are put in from anywhere; the rest is
// its goroutine's, which run is.
type film struct {
	player *Player
	title  string
	queue  *queue
	member *member
	counts *counters
	ask    media.KeyframeRequester // may be nil
	ready  chan struct{}           // one-slot poke: there is a sample
	done   chan struct{}           // closed to end run
	ended  chan struct{}           // closed when the last sample is in
	over   atomic.Bool             // run has ended
	blind  atomic.Bool             // there is no decoder

	dec   media.VideoDecoder
	codec media.Codec // of dec, which is nil if there is none of it
	pane  Pane
	frame media.VideoFrame
	hungry
}

// hungry is a decoder's wait for a key frame.
type hungry struct {
	waits bool
	asked time.Time
}

func newFilm(p *Player, title string, m *member, c *counters) *film {
	return &film{
		player: p, title: title, queue: &queue{}, member: m, counts: c,
		ready: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{}),
	}
}

// put takes a sample.
func (f *film) put(s media.Sample) {
	if n := f.queue.put(s); n > 0 {
		f.counts.dropped.Add(int64(n))
	}
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// run shows the samples at their times.
func (f *film) run() {
	defer f.close()
	defer f.over.Store(true)
	timer := time.NewTimer(0)
	defer timer.Stop()
	ended := f.ended
	for {
		s, ok := f.queue.first()
		if !ok {
			if ended == nil {
				return
			}
			select {
			case <-f.ready:
			case <-ended:
				ended = nil
			case <-f.done:
				return
			case <-f.player.done:
				return
			}
			continue
		}
		if !f.until(timer, s, early) {
			return
		}
		f.queue.pop()
		if f.decode(s) && f.wanted(s) {
			if !f.until(timer, s, 0) || !f.show(s) {
				return
			}
		}
	}
}

// due is when the sample is to be seen, on the player's clock.
func (f *film) due(s media.Sample, now time.Duration) time.Duration {
	offset, ok := f.member.beside(now)
	if !ok {
		offset = f.member.offset(now)
	}
	return s.Timestamp + offset
}

// until waits for the time of the sample, less before. It returns false when
// the film is over.
func (f *film) until(timer *time.Timer, s media.Sample, before time.Duration) bool {
	for {
		now := f.player.now()
		wait := f.due(s, now) - before - now
		if wait <= 0 {
			select {
			case <-f.done:
				return false
			case <-f.player.done:
				return false
			default:
				return true
			}
		}
		// What is heard may move meanwhile.
		timer.Reset(min(wait, early))
		select {
		case <-timer.C:
		case <-f.done:
			return false
		case <-f.player.done:
			return false
		}
	}
}

// wanted reports whether the picture of the sample is to be shown: not if it is
// late and the time of the next has come too.
func (f *film) wanted(s media.Sample) bool {
	next, ok := f.queue.first()
	now := f.player.now()
	if !ok || f.due(next, now) > now {
		return true
	}
	f.counts.skipped.Add(1)
	return false
}

// decode puts the picture of the sample into the frame. It reports whether
// there is one to show.
func (f *film) decode(s media.Sample) bool {
	if s.Codec != f.codec {
		if f.dec != nil {
			_ = f.dec.Close() // it holds nothing any more
		}
		var err error
		if f.dec, err = f.player.opts.VideoDecoder(s.Codec); err != nil {
			f.dec = nil
			f.player.fail(f.title, err)
		}
		f.codec, f.waits = s.Codec, true
		f.blind.Store(f.dec == nil)
	}
	if f.dec == nil {
		f.counts.failed.Add(1)
		return false
	}
	if s.Keyframe {
		f.waits = false
	}
	ok, err := f.dec.Decode(s, &f.frame)
	switch {
	case errors.Is(err, codec.ErrLost), err == nil && f.waits:
		f.waits = true
	case err != nil:
		f.counts.failed.Add(1)
		f.waits = true
	}
	if f.waits {
		f.counts.frozen.Add(1)
		f.request()
		return false
	}
	return ok
}

// request asks for a key frame, if it was not just done.
func (f *film) request() {
	if now := time.Now(); f.ask != nil && now.Sub(f.asked) >= askAgain {
		f.asked = now
		f.ask.RequestKeyframe()
	}
}

// show shows the frame. It returns false when the screen is gone.
func (f *film) show(s media.Sample) bool {
	if f.pane == nil {
		pane, err := f.player.opts.Screen.Open(f.title)
		if err != nil {
			f.player.fail(f.title, err)
			return false
		}
		f.pane = pane
	}
	now := f.player.now()
	if offset, ok := f.member.beside(now); ok {
		f.counts.skew.Store(int64(now - s.Timestamp - offset))
	}
	f.counts.offset.Store(int64(now - s.Timestamp))
	if err := f.pane.Show(&f.frame); err != nil {
		f.player.fail(f.title, err)
		return false
	}
	f.counts.shown.Add(1)
	return true
}

func (f *film) close() {
	if f.dec != nil {
		_ = f.dec.Close() // it holds nothing any more
	}
	if f.pane != nil {
		_ = f.pane.Close() // it shows nothing any more
	}
}
