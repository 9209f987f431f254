package play

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
)

// farthest is the largest timestamp that is believed: 36 years.
const farthest = 1 << 60

// feed brings the samples of one track to its voice or film. It is a
// [media.Sink].
type feed struct {
	player      *Player
	participant string
	track       Track
	member      *member
	counts      counters

	refused atomic.Pointer[error] // why there is no decoder, until it is told

	quit chan struct{} // closed by stop
	once sync.Once
	gone chan struct{} // closed when watch is through

	mu    sync.Mutex
	kind  media.Kind
	delay *delay
	gain  float64
	over  bool
	voice *voice
	strip *strip
	film  *film
}

func newFeed(p *Player, participant string, t Track, m *member) *feed {
	return &feed{
		player: p, participant: participant, track: t, member: m, gain: 1,
		quit: make(chan struct{}), gone: make(chan struct{}),
	}
}

// WriteSample takes the next sample of the track.
func (f *feed) WriteSample(s media.Sample) error {
	err := f.take(s, f.player.now())
	if why := f.refused.Swap(nil); why != nil {
		f.player.fail(f.participant, *why)
	}
	return err
}

// take takes a sample that arrives at the time.
func (f *feed) take(s media.Sample, at time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return fmt.Errorf("play: the track is %w", ErrClosed)
	}
	kind := s.Codec.Kind()
	switch {
	case s.Timestamp.Abs() > farthest:
		f.counts.failed.Add(1)
		return nil
	case f.kind == "" && kind != "":
		f.begin(kind)
	case kind != f.kind:
		f.counts.failed.Add(1)
		return nil
	}
	f.counts.samples.Add(1)
	f.counts.lost.Add(int64(max(0, s.Lost)))
	if f.film == nil && f.voice == nil || f.film != nil && f.film.over.Load() {
		return nil // nothing is shown
	}
	f.delay.add(at, s.Timestamp)
	f.counts.target.Store(int64(f.delay.target))
	need := f.delay.base + f.delay.target
	if kind == media.Audio {
		need += f.player.mixer.lead()
	}
	if f.film == nil || !f.film.blind.Load() { // nobody waits for what is not seen
		f.member.arrived(at, f.delay.base, need)
	}
	if c := s.Captured.Sub(f.player.epoch); !s.Captured.IsZero() && c.Abs() < farthest {
		f.member.captured(c - s.Timestamp)
	}
	switch {
	case f.voice != nil:
		f.counts.dropped.Add(int64(f.voice.queue.put(s)))
	case f.film != nil:
		f.film.put(s)
	}
	return nil
}

// begin makes what plays samples of the kind.
func (f *feed) begin(kind media.Kind) {
	p := f.player
	f.kind = kind
	f.delay = &delay{least: p.opts.MinDelay, most: p.opts.MaxDelay}
	if kind == media.Audio {
		f.voice = &voice{queue: &queue{}, member: f.member, counts: &f.counts, open: f.decoder}
		f.strip = p.mixer.join(f.voice, f.gain)
		return
	}
	if p.opts.Screen == nil {
		return
	}
	f.film = newFilm(p, f.participant, f.member, &f.counts)
	f.film.ask, _ = f.track.(media.KeyframeRequester)
	p.wg.Go(f.film.run)
}

// decoder opens a decoder of sound. The mixer, which asks for it, has no time
// to tell when there is none.
func (f *feed) decoder(c media.Codec) (media.AudioDecoder, error) {
	dec, err := f.player.opts.AudioDecoder(c)
	if err != nil {
		f.refused.Store(&err)
	}
	return dec, err
}

// watch plays until the track ends, or is stopped.
func (f *feed) watch() {
	defer close(f.gone)
	atOnce := true
	select {
	case <-f.track.Done():
		atOnce = false
	case <-f.quit:
	case <-f.player.done:
	}
	if atOnce {
		f.end(true)
	}
	if err := f.track.Detach(f); err != nil {
		f.player.fail(f.participant, err)
	}
	f.end(false)
	f.player.forget(f)
}

// end takes no samples any more. What waits is played unless at once is set.
func (f *feed) end(atOnce bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	f.over = true
	if f.strip != nil {
		f.player.mixer.leave(f.strip, atOnce)
	}
	if f.film != nil {
		if atOnce {
			close(f.film.done)
		} else {
			close(f.film.ended)
		}
	}
}

func (f *feed) stop() { f.once.Do(func() { close(f.quit) }) }

func (f *feed) setGain(g float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gain = g
	if f.strip != nil {
		f.strip.setGain(g)
	}
}

func (f *feed) stats() TrackStats {
	f.mu.Lock()
	s := TrackStats{Participant: f.participant, Track: f.track, Kind: f.kind}
	var base time.Duration
	if f.delay != nil {
		base = f.delay.base
	}
	f.mu.Unlock()
	c := &f.counts
	s.Samples, s.Lost, s.Late = c.samples.Load(), c.lost.Load(), c.late.Load()
	s.Dropped, s.Failed = c.dropped.Load(), c.failed.Load()
	s.Target = time.Duration(c.target.Load())
	if o := c.offset.Load(); o != 0 {
		s.Offset = time.Duration(o) - base
	}
	s.Played, s.Concealed = length(int(c.played.Load())), length(int(c.concealed.Load()))
	s.Inserted, s.Removed = length(int(c.inserted.Load())), length(int(c.removed.Load()))
	s.Shown, s.Skipped, s.Frozen = c.shown.Load(), c.skipped.Load(), c.frozen.Load()
	s.Skew = time.Duration(c.skew.Load())
	return s
}
