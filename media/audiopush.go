package media

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// AudioPushOptions are the options of [NewAudioPush].
type AudioPushOptions struct {
	// Paced gives the sound out at the pace at which it is to be heard, however
	// fast it was written: for speech that is made faster than it is spoken.
	// Timestamps are then those of the clock, and what the program says is not
	// looked at. By default the pace is the program's: what is written is due.
	Paced bool
	// Queue is how much sound may wait, besides one piece: 200 ms by default,
	// and 30 s if Paced.
	Queue time.Duration
}

// AudioPush is the microphone of a program that makes its own sound: speech, a
// game, a player.
//
//	push := media.NewAudioPush(&media.AudioPushOptions{Paced: true})
//	track, err := parley.NewLocalAudioTrack(media.NewAudioSource(push, enc, nil), nil)
//	…
//	err = push.Write(ctx, &media.AudioFrame{Rate: 22050, Channels: 1, Samples: speech})
//	err = push.Flush(ctx) // until all of it is on its way
//
// Where the program pauses, so do the timestamps: nothing is sent meanwhile.
// All methods may be called from any goroutine, but only one may read.
type AudioPush struct {
	hatch hatch
	pace  *schedule // nil where the pace is the program's
	most  time.Duration
	more  chan struct{} // tells the reader that there may be sound

	timer *time.Timer // of the reader

	mu    sync.Mutex
	queue soundQueue
	busy  bool          // something waits, or waits to be heard
	idle  chan struct{} // closed while not busy
	taken int           // samples a channel of the oldest piece that were given out

	// What was written last: its timestamp and length, and when that was.
	begun    bool
	last     time.Duration
	duration time.Duration
	written  time.Time
}

var _ AudioReader = (*AudioPush)(nil)

// NewAudioPush returns a reader of what is written to it. opts may be nil.
func NewAudioPush(opts *AudioPushOptions) *AudioPush {
	p := &AudioPush{
		most:  200 * time.Millisecond,
		hatch: newHatch(),
		more:  make(chan struct{}, 1),
		idle:  make(chan struct{}),
	}
	close(p.idle)
	if opts != nil && opts.Paced {
		p.pace, p.most = new(schedule), 30*time.Second
	}
	if opts != nil && opts.Queue > 0 {
		p.most = opts.Queue
	}
	return p
}

// Write hands a copy of a piece of sound over, of any length up to a minute: f
// and its memory stay the caller's. It waits while the queue is full, until ctx
// ends or the source is closed, which gives [ErrClosed].
//
// Without Paced, a zero Captured means that the piece ends now. A zero
// Timestamp, other than of the first piece, follows the piece before, and leaves
// a gap where the program paused for half a second and more.
//
// A malformed piece is refused with a [*FrameError]. What it returned an error
// for is not sent.
func (p *AudioPush) Write(ctx context.Context, f *AudioFrame) error {
	if err := f.Validate(); err != nil {
		return err
	}
	return p.hatch.write(ctx, func() (bool, error) {
		return len(f.Samples) == 0 || p.put(f), nil
	})
}

// put puts f into the queue if there is room.
func (p *AudioPush) put(f *AudioFrame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.queue.length
	if p.queue.waiting > 0 {
		waiting -= samplesTime(p.taken, p.queue.oldest().Rate)
		if waiting+f.Duration() > p.most {
			return false
		}
	}
	if !p.busy {
		p.busy, p.idle = true, make(chan struct{})
	}
	p.stamp(p.queue.push(f))
	poke(p.more)
	return true
}

// longPause is how long a program may be late with sound that has no timestamp
// before that is a gap.
const longPause = 500 * time.Millisecond

// stamp gives the piece a timestamp if it has none.
func (p *AudioPush) stamp(f *AudioFrame) {
	now, duration := time.Now(), f.Duration()
	switch {
	case p.pace != nil:
		f.Captured = now // the schedule wants to know
		return
	case f.Captured.IsZero():
		f.Captured = now.Add(-duration)
	}
	if p.begun && f.Timestamp == 0 {
		f.Timestamp = p.last + p.duration
		// Some write a piece when it begins, others when it has ended.
		if pause := now.Sub(p.written) - max(duration, p.duration); pause >= longPause {
			f.Timestamp += pause
		}
	}
	p.begun, p.last, p.duration, p.written = true, f.Timestamp, duration, now
}

// ReadAudio waits for the next piece of sound and copies it to f. After Close
// it gives what still waits, then io.EOF.
func (p *AudioPush) ReadAudio(ctx context.Context, f *AudioFrame) error {
	if p.timer == nil {
		p.timer = time.NewTimer(time.Hour)
	}
	defer p.timer.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		closed := p.hatch.done
		select {
		case <-closed:
			if p.Waiting() == 0 {
				return io.EOF
			}
			closed = nil // not even Close cuts off what was written
		default:
		}
		taken, due := p.take(f)
		if taken {
			return nil
		}
		if due > 0 {
			p.timer.Reset(due)
		}
		select {
		case <-p.more:
		case <-p.timer.C:
		case <-ctx.Done():
		case <-closed:
		}
		p.timer.Stop()
	}
}

// take gives the next piece to f, if there is one that is due. Otherwise due
// tells when it will be, if there is one.
func (p *AudioPush) take(f *AudioFrame) (taken bool, due time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.queue.waiting == 0 && p.pace == nil:
		return false, 0
	case p.queue.waiting == 0:
		if due, ok := p.pace.pause(f); !ok {
			return false, due
		}
		p.rest()
		return true, 0
	}
	piece := p.queue.oldest()
	if p.pace == nil {
		f.copyFrom(piece)
		p.drop()
		if p.queue.waiting == 0 {
			p.rest()
		}
		return true, 0
	}
	if due := p.pace.next(piece.Captured, p.taken == 0); due > 0 {
		return false, due
	}
	n := min(timeSamples(pacedPiece, piece.Rate), len(piece.Samples)/piece.Channels-p.taken)
	f.Rate, f.Channels = piece.Rate, piece.Channels
	f.Samples = append(f.Samples[:0], piece.Samples[p.taken*f.Channels:][:n*f.Channels]...)
	if p.taken += n; p.taken*f.Channels == len(piece.Samples) {
		p.drop()
	}
	p.pace.give(f)
	poke(p.hatch.room)
	return true, 0
}

// drop removes the oldest piece. It is called under mu.
func (p *AudioPush) drop() {
	p.queue.shift()
	p.taken = 0
	poke(p.hatch.room)
}

// rest ends the waits of Flush. It is called under mu.
func (p *AudioPush) rest() {
	if p.busy {
		p.busy = false
		close(p.idle)
	}
}

// Waiting returns how much of what was written was not read yet.
func (p *AudioPush) Waiting() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue.waiting == 0 {
		return 0
	}
	return p.queue.length - samplesTime(p.taken, p.queue.oldest().Rate)
}

// Flush waits until all that was written is on its way and, if Paced, the time
// to hear it has passed. It ends early with ctx, and with
// [ErrClosed] when Close comes before that.
func (p *AudioPush) Flush(ctx context.Context) error {
	p.mu.Lock()
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
		return fmt.Errorf("media: flush: %w", ctx.Err())
	case <-p.hatch.done:
		if p.Waiting() > 0 { // perhaps nobody reads any more
			return fmt.Errorf("media: flush: %w", ErrClosed)
		}
	}
	if p.pace == nil {
		return nil
	}
	p.mu.Lock()
	t := time.NewTimer(p.pace.rest())
	p.mu.Unlock()
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("media: flush: %w", ctx.Err())
	}
}

// Discard drops what was written and not read yet, as when a speaker is
// interrupted.
func (p *AudioPush) Discard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.queue.waiting > 0 {
		p.drop()
	}
	if p.pace != nil {
		p.pace.sounding = false
	}
	p.rest()
}

// Close ends the sound in good order, behind what was written. It makes a
// waiting Write and a ReadAudio that waits for sound return, and is idempotent.
func (p *AudioPush) Close() error {
	p.hatch.close()
	return nil
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
