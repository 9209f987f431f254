package pipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/internal/pace"
)

// Pipe is a running program, or another stream, and the sources in it. All
// methods may be called from any goroutine.
//
// It owns one goroutine that reads and supervises, and for a program one that
// waits for its end and one that reads its standard error; for RTP one for each
// socket. Where key frames can be requested, one more asks.
type Pipe struct {
	name   string
	o      Options
	log    *slog.Logger
	asked  chan struct{} // one-slot: a key frame is wanted
	asks   bool
	pacer  *pace.Pacer   // nil: as it comes
	read   chan struct{} // a source is being read
	onRead sync.Once
	line   timeline
	warned bool

	addrs   []net.Addr    // of RTP
	sources []*source     // set before opened is closed
	opened  chan struct{} // media has come
	onOpen  sync.Once
	closing chan struct{}
	onClose sync.Once
	done    chan struct{} // it has ended
	linger  bool          // Close cannot wait

	mu       sync.Mutex
	err      error
	restarts int
	failure  error  // of the last start, while media is awaited
	signal   func() // asks the process that runs now
}

// Stats counts what a pipe did.
type Stats struct {
	// Restarts is how often the program was started again.
	Restarts int
	// Sources are in the order of [Pipe.Sources].
	Sources []SourceStats
}

// SourceStats counts what came through one source.
type SourceStats struct {
	Codec media.Codec
	// Samples is how many were read, Bytes how much was ready for it, and
	// Keyframes how many key frames came.
	Samples, Bytes, Keyframes int64
	// Dropped is how many were not read in time, or could not be used before
	// the next key frame. Broken is how many were no frames of the codec.
	Dropped, Broken int64
	// Lost is how many RTP packets did not come, and Foreign how many came
	// that are not of the stream.
	Lost, Foreign int64
}

func newPipe(name string, o Options) *Pipe {
	p := &Pipe{
		name: name, o: o, log: o.Logger.With("program", name),
		asked: make(chan struct{}, 1), read: make(chan struct{}),
		opened: make(chan struct{}), closing: make(chan struct{}), done: make(chan struct{}),
	}
	p.asks = o.KeyframeSignal != nil || o.RequestKeyframe != nil
	if o.Paced {
		p.pacer = pace.New()
	}
	return p
}

// Sources returns what the stream holds, in its order. There is at least one,
// and it is the same each time. One that is not used does not hold up the
// others; the program ends when each is closed, or the pipe is.
func (p *Pipe) Sources() []media.Source {
	out := make([]media.Source, len(p.sources))
	for i, s := range p.sources {
		out[i] = p.face(s)
	}
	return out
}

// Video returns the first source of video, or nil.
func (p *Pipe) Video() media.Source { return p.first(media.Video) }

// Audio returns the first source of audio, or nil.
func (p *Pipe) Audio() media.Source { return p.first(media.Audio) }

func (p *Pipe) first(kind media.Kind) media.Source {
	for _, s := range p.sources {
		if s.codec.Kind() == kind {
			return p.face(s)
		}
	}
	return nil
}

func (p *Pipe) face(s *source) media.Source {
	if p.asks && s.codec.Kind() == media.Video {
		return requester{s}
	}
	return s
}

// Done is closed when the stream has ended and nothing of it runs any more.
func (p *Pipe) Done() <-chan struct{} { return p.done }

// Err returns why the stream ended, nil while it has not and after an end in
// good order.
func (p *Pipe) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Stats returns the counters.
func (p *Pipe) Stats() Stats {
	p.mu.Lock()
	st := Stats{Restarts: p.restarts}
	p.mu.Unlock()
	for _, s := range p.sources {
		s.mu.Lock()
		st.Sources = append(st.Sources, s.stats)
		s.mu.Unlock()
	}
	return st
}

// Close ends the sources and the program, and waits until it is gone: SIGTERM
// first, SIGKILL after Options.Grace. It is idempotent.
func (p *Pipe) Close() error {
	p.stop()
	if !p.linger {
		<-p.done
	}
	return nil
}

func (p *Pipe) stop() {
	p.onClose.Do(func() {
		close(p.closing)
		if p.pacer != nil {
			p.pacer.Close()
		}
	})
}

func (p *Pipe) closed() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

// start notes that a source is being read.
func (p *Pipe) start() {
	p.onRead.Do(func() { close(p.read) })
}

// await waits for the first sample. On failure everything has ended.
func (p *Pipe) await(ctx context.Context, timeout time.Duration) (*Pipe, error) {
	t := time.NewTimer(timeout)
	defer t.Stop()
	late := t.C
	if p.o.Await {
		late = nil // each start has its own bound
	}
	var err error
	select {
	case <-p.opened:
		return p, nil
	case <-p.done:
		select {
		case <-p.opened: // both
			return p, nil
		default:
		}
		if err = p.Err(); err == nil {
			err = p.problem(ErrEmpty)
		}
	case <-ctx.Done():
		p.mu.Lock()
		failure := p.failure
		p.mu.Unlock()
		if err = ctx.Err(); failure != nil {
			err = fmt.Errorf("%w; the last attempt: %w", err, failure)
		}
		err = fmt.Errorf("media/pipe: %s: %w", p.name, err)
	case <-late:
		err = p.problem(fmt.Errorf("%w: none in %v", ErrStalled, timeout))
	}
	_ = p.Close() // always nil
	return nil, err
}

func (p *Pipe) problem(err error) *Error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	return &Error{Program: p.name, Err: err}
}

// finish ends all sources.
func (p *Pipe) finish(err error) {
	if p.closed() {
		err = nil
	}
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	for _, s := range p.sources {
		s.finish(err)
	}
}

// pump carries one stream from the demuxer to the sources, until it ends. nil
// is the end in good order.
func (p *Pipe) pump(d demuxer) error {
	routes, err := p.route(d.tracks())
	if err != nil {
		return err
	}
	p.line.next()
	for !p.closed() {
		u, err := d.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		s := routes[u.track]
		if s == nil || s.over() {
			if p.over() {
				return nil
			}
			continue
		}
		for part := range s.parts(u) {
			if err := p.hand(s, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// hand gives a frame to its source. It fails when no source goes on.
func (p *Pipe) hand(s *source, u unit) error {
	good, err := s.push(u, &p.line, p.placer())
	if good {
		p.onOpen.Do(func() { close(p.opened) })
		if p.pacer == nil && !p.warned && p.line.end-time.Since(p.line.start) > maxAhead {
			p.warned = true
			p.log.Warn("the program is faster than the clock, so most is dropped: set Paced, or have it wait (ffmpeg: -re)")
		}
	}
	if err == nil || p.closed() {
		return nil
	}
	err = p.problem(err)
	p.log.Warn("a track ends", "codec", s.codec, "err", err)
	s.finish(err)
	if p.over() {
		return err
	}
	return nil
}

// placer holds samples back until they are due, when the pipe is paced.
func (p *Pipe) placer() func(ts time.Duration) (time.Duration, time.Time, error) {
	if p.pacer == nil {
		return nil
	}
	return func(ts time.Duration) (time.Duration, time.Time, error) {
		p.onOpen.Do(func() { close(p.opened) })
		select {
		case <-p.read:
		case <-p.closing:
		}
		ts, err := p.pacer.Wait(context.Background(), ts)
		return ts, time.Now(), err
	}
}

// over reports whether no source takes anything any more.
func (p *Pipe) over() bool {
	for _, s := range p.sources {
		if !s.over() {
			return false
		}
	}
	return len(p.sources) > 0
}

// route finds the source of each track. The first stream makes them; later ones
// must have the same.
func (p *Pipe) route(tracks []*shaper) ([]*source, error) {
	routes := make([]*source, len(tracks))
	if p.sources == nil {
		for i, t := range tracks {
			if t != nil {
				routes[i] = newSource(p, t)
				p.sources = append(p.sources, routes[i])
			}
		}
		return routes, nil
	}
	at := 0
	for i, t := range tracks {
		if t == nil {
			continue
		}
		if at == len(p.sources) || p.sources[at].codec != t.codec {
			return nil, changed(p.sources, tracks)
		}
		routes[i] = p.sources[at]
		at++
	}
	if at < len(p.sources) {
		return nil, changed(p.sources, tracks)
	}
	for i, s := range routes {
		if s != nil {
			s.restarted(tracks[i])
		}
	}
	return routes, nil
}

func changed(sources []*source, tracks []*shaper) error {
	var before, now []media.Codec
	for _, s := range sources {
		before = append(before, s.codec)
	}
	for _, t := range tracks {
		if t != nil {
			now = append(now, t.codec)
		}
	}
	return fmt.Errorf("%w: %v after the restart, %v before", ErrCodec, now, before)
}
