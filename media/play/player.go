package play

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
)

// maxTracks is how many tracks a player plays at once.
const maxTracks = 256

// Player plays tracks. Its methods may be called from any goroutine.
//
// It owns one goroutine for each track, which waits for its end, and one more
// for each that shows pictures. Close waits for them.
type Player struct {
	opts  Options
	epoch time.Time
	mixer *Mixer
	wg    sync.WaitGroup
	done  chan struct{}

	mu     sync.Mutex
	feeds  []*feed
	groups map[string]*group
	closed bool
	ended  chan struct{} // closed when Close is through
	err    error         // of Close
}

// New returns a player and starts its sound. Everything it was given is closed
// if it fails.
func New(opts *Options) (*Player, error) {
	p := &Player{epoch: time.Now(), done: make(chan struct{}), ended: make(chan struct{}), groups: map[string]*group{}}
	if opts != nil {
		p.opts = *opts
	}
	err := p.opts.fill()
	if err == nil {
		p.mixer = newMixer(p.epoch, p.opts.Mono)
		if s := p.opts.Sound; s != nil {
			err = s.Start(p.mixer)
			p.mixer.latency.Store(int64(s.Latency()))
		}
	}
	if err != nil {
		return nil, errors.Join(err, p.release())
	}
	return p, nil
}

// Mixer is the player's sound, for programs that take it themselves.
func (p *Player) Mixer() *Mixer { return p.mixer }

func (p *Player) now() time.Duration { return time.Since(p.epoch) }

func (p *Player) fail(who string, err error) {
	p.opts.Logger.Warn("cannot play", "participant", who, "err", err)
}

// Add plays a track until it ends or is removed. Tracks of the same
// participant are kept in step, and video has the name as its title.
func (p *Player) Add(participant string, t Track) error {
	if t == nil {
		return fmt.Errorf("play: %w: nil track", ErrOption)
	}
	f, err := p.join(participant, t)
	if err != nil {
		return err
	}
	if err := t.Attach(f); err != nil {
		p.forget(f)
		f.end(true)
		p.wg.Done()
		return fmt.Errorf("play: %w", err)
	}
	go func() {
		defer p.wg.Done()
		f.watch()
	}()
	return nil
}

// join makes the feed of a track, for which the wait group has been told.
func (p *Player) join(participant string, t Track) (*feed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, fmt.Errorf("play: the player is %w", ErrClosed)
	case slices.ContainsFunc(p.feeds, func(f *feed) bool { return f.track == t }):
		return nil, fmt.Errorf("play: %w: the track is being played", ErrOption)
	case len(p.feeds) >= maxTracks:
		return nil, fmt.Errorf("play: %w: more than %d tracks", ErrOption, maxTracks)
	}
	g := p.groups[participant]
	if g == nil {
		g = &group{}
		p.groups[participant] = g
	}
	f := newFeed(p, participant, t, g.join())
	p.feeds = append(p.feeds, f)
	p.wg.Add(1)
	return f, nil
}

// forget takes a feed out of the player's books.
func (p *Player) forget(f *feed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.feeds = slices.DeleteFunc(p.feeds, func(o *feed) bool { return o == f })
	if f.member.leave() == 0 && p.groups[f.participant] == f.member.group {
		delete(p.groups, f.participant)
	}
}

func (p *Player) feed(t Track) *feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.feeds {
		if f.track == t {
			return f
		}
	}
	return nil
}

// Remove ends the playing of a track at once, without a click. A track that is
// not being played is no error.
func (p *Player) Remove(t Track) {
	if f := p.feed(t); f != nil {
		f.stop()
		<-f.gone
	}
}

// SetGain sets the loudness of a track: 1 is as it was sent, 0 silent, 8 the
// most. A track that is not being played is no error.
func (p *Player) SetGain(t Track, gain float64) error {
	if math.IsNaN(gain) || gain < 0 || gain > 8 {
		return fmt.Errorf("play: %w: a gain of %v, not within 0 and 8", ErrOption, gain)
	}
	if f := p.feed(t); f != nil {
		f.setGain(gain)
	}
	return nil
}

// Close ends everything, the sound and the screen too. It is idempotent.
func (p *Player) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if !first {
		<-p.ended
		return p.err
	}
	close(p.done)
	p.wg.Wait()
	p.mixer.end()
	p.err = p.release()
	close(p.ended)
	return p.err
}

// release closes what the player was given.
func (p *Player) release() error {
	var errs []error
	if p.opts.Sound != nil {
		errs = append(errs, p.opts.Sound.Close())
	}
	if p.opts.Screen != nil {
		errs = append(errs, p.opts.Screen.Close())
	}
	return errors.Join(errs...)
}

// TrackStats tell how the playing of a track goes.
type TrackStats struct {
	Participant string
	Track       Track
	Kind        media.Kind // "" until the first sample

	Samples int64 // that came
	Lost    int64 // packets that did not
	Late    int64 // samples that came after their time
	Dropped int64 // samples left out to catch up
	Failed  int64 // samples that could not be decoded

	// Target is how long samples are kept to even out the network, Offset what
	// lies between a sample's quickest arrival and its presentation.
	Target, Offset time.Duration

	// Of sound: how much was played, and of that concealed; what was put in and
	// left out to keep pace.
	Played, Concealed, Inserted, Removed time.Duration

	// Of video: pictures shown, skipped because they were late, and not shown
	// while a key frame was waited for. Skew is by how much the last picture
	// came later than the sound of its moment.
	Shown, Skipped, Frozen int64
	Skew                   time.Duration
}

// Stats tells of the tracks being played, in the order in which they were added.
func (p *Player) Stats() []TrackStats {
	p.mu.Lock()
	feeds := slices.Clone(p.feeds)
	p.mu.Unlock()
	var list []TrackStats
	for _, f := range feeds {
		list = append(list, f.stats())
	}
	return list
}
