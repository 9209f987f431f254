package pipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/parley-rtc/parley/media"
)

// steady is how long a program has to run to count as one that works.
const steady = 10 * time.Second

// Command starts the program args[0], found as a shell would find it, with the
// other args, and reads what it writes to its standard output. There is no
// shell in between: to use one, make it the program.
//
// It returns once the first sample is there, within Options.StartTimeout unless
// Options.Await is set, and fails with an [*Error] that holds what the program
// said. ctx bounds that wait only; the program runs until [Pipe.Close], or until all sources are
// closed. It runs in a process group of its own that is killed as a whole, and
// on Linux it dies with this process.
//
// After the program ended in good order and is not to be restarted, the sources
// return [io.EOF].
func Command(ctx context.Context, args []string, opts *Options) (*Pipe, error) {
	o, err := opts.withDefaults()
	if err == nil && (len(args) == 0 || args[0] == "") {
		err = fmt.Errorf("%w: no program", ErrOption)
	}
	if err != nil {
		return nil, fmt.Errorf("media/pipe: %w", err)
	}
	if o.name == "" {
		o.name = filepath.Base(args[0])
	}
	p := newPipe(o.name, o)
	args = slices.Clone(args)
	go func() {
		defer close(p.done)
		asker := p.askKeyframes()
		defer asker()
		p.finish(p.supervise(args))
	}()
	return p.await(ctx, o.StartTimeout)
}

// Reader reads a stream that is already open, such as os.Stdin; of the options,
// those about the program have no effect. When r is an [io.Closer], closing the
// pipe closes it; a Read that does not return for that is not waited for.
//
// It returns once the first sample is there, within Options.StartTimeout and
// while ctx lasts.
func Reader(ctx context.Context, r io.Reader, opts *Options) (*Pipe, error) {
	o, err := opts.withDefaults()
	if err == nil && r == nil {
		err = fmt.Errorf("%w: no reader", ErrOption)
	}
	if err != nil {
		return nil, fmt.Errorf("media/pipe: %w", err)
	}
	if o.name == "" {
		o.name = "reader"
	}
	p := newPipe(o.name, o)
	p.linger = true
	stopped := make(chan struct{})
	go func() {
		defer close(p.done)
		asker := p.askKeyframes()
		defer asker()
		defer close(stopped)
		err := p.consume(newInput(r, o.StartTimeout, o.StallTimeout))
		if err != nil {
			err = p.problem(err)
		}
		p.finish(err)
	}()
	go func() { // ends with the one that reads, or with the pipe
		select {
		case <-p.closing:
		case <-stopped:
		}
		if c, ok := r.(io.Closer); ok {
			_ = c.Close() // it was read only
		}
	}()
	return p.await(ctx, o.StartTimeout)
}

// consume reads a stream to its end.
func (p *Pipe) consume(in *input) error {
	d, err := open(in, &p.o)
	if err != nil {
		return err
	}
	defer d.close()
	tracks := d.tracks()
	if err := choose(tracks, codecs(tracks), p.o.Codec); err != nil {
		return err
	}
	return p.pump(d)
}

func codecs(tracks []*shaper) (names []string) {
	for _, t := range tracks {
		if t != nil {
			names = append(names, string(t.codec))
		}
	}
	return names
}

// supervise runs the program, again and again if so asked.
func (p *Pipe) supervise(args []string) error {
	pause, failures := p.o.Backoff, 0
	for {
		start := time.Now()
		err := p.attempt(args)
		if p.closed() || errors.Is(err, ErrCodec) {
			return err
		}
		if !p.began() {
			if !p.o.Await || hopeless(err) {
				return err
			}
			p.sources = nil // nobody has them yet
			p.mu.Lock()
			p.failure = err
			p.mu.Unlock()
			wait := vary(pause)
			p.log.Warn("no media yet; the program is started again", "err", err, "in", wait.Round(time.Millisecond))
			pause = min(2*pause, p.o.MaxBackoff)
			if !p.pause(wait) {
				return nil
			}
			continue
		}
		if p.o.Restarts == 0 || p.over() {
			return err
		}
		if time.Since(start) >= steady {
			pause, failures = p.o.Backoff, 0
		}
		if p.o.Restarts > 0 && failures == p.o.Restarts {
			if err != nil {
				e := p.problem(err)
				e.Restarts = failures
				return e
			}
			return nil
		}
		failures++
		wait := vary(pause)
		p.log.Warn("the program ended and is started again", "err", err, "in", wait.Round(time.Millisecond))
		pause = min(2*pause, p.o.MaxBackoff)
		if !p.pause(wait) {
			return nil
		}
	}
}

// hopeless reports whether the program will never do.
func hopeless(err error) bool {
	if errors.Is(err, ErrNotFound) {
		return true
	}
	e := (*Error)(nil)
	cut := errors.As(err, &e) && e.Exit != 0 // in the middle of a header
	return errors.Is(err, ErrUnsupported) && !cut
}

// vary takes up to a half off, by chance.
func vary(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// pause waits before the program is started again. It reports whether it still
// is to be.
func (p *Pipe) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.closing:
		return false
	}
	p.mu.Lock()
	p.restarts++
	p.mu.Unlock()
	return true
}

// attempt runs the program once and returns why it ended, nil for good order.
func (p *Pipe) attempt(args []string) error {
	proc, err := startProcess(args, p)
	if err != nil {
		return p.problem(err)
	}
	stopped := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-p.closing:
			proc.end(p.o.Grace)
		case <-stopped:
		}
	}()
	p.mu.Lock()
	p.signal = func() { proc.signal(p.o.KeyframeSignal) }
	p.mu.Unlock()
	err = p.consume(proc.in)
	p.mu.Lock()
	p.signal = nil
	p.mu.Unlock()
	close(stopped)
	<-watched
	if ended(err) && !p.over() {
		proc.await(p.o.Grace) // the end of its output announces its own
	}
	own := proc.end(p.o.Grace)
	return p.explain(err, proc, own)
}

// explain joins what reading found and how the program ended. own is true when
// it ended by itself.
func (p *Pipe) explain(err error, proc *process, own bool) error {
	exit, failed := proc.status()
	failed = failed && own
	if err == nil && !failed || p.closed() {
		return nil
	}
	e := &Error{Program: p.name, Err: err, Stderr: proc.stderr.tail()}
	if failed {
		e.Exit = exit
		if ended(err) {
			e.Err = fmt.Errorf("%w: %s", ErrExited, proc.state())
		}
	}
	return e
}

// ended reports whether reading went well until there was no more.
func ended(err error) bool {
	return err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrEmpty)
}

// began reports whether media has come.
func (p *Pipe) began() bool {
	select {
	case <-p.opened:
		return true
	default:
		return false
	}
}

// askKeyframes passes requests for key frames on. The function that it returns
// ends that, and does not wait for the application, which may be closing the
// pipe.
func (p *Pipe) askKeyframes() (end func()) {
	if !p.asks {
		return func() {}
	}
	stop := make(chan struct{})
	go func() { // until end is called
		for {
			select {
			case <-p.asked:
				p.askKeyframe()
			case <-stop:
				return
			}
		}
	}()
	return func() { close(stop) }
}

func (p *Pipe) askKeyframe() {
	if p.o.RequestKeyframe != nil {
		p.o.RequestKeyframe()
	}
	if p.o.KeyframeSignal == nil {
		return
	}
	p.mu.Lock()
	signal := p.signal
	p.mu.Unlock()
	if signal != nil {
		signal()
	}
}

var _ media.KeyframeRequester = requester{}
