package media

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// What waits for one reader of an [AudioFanout] at most, besides one piece.
const (
	branchLength = 300 * time.Millisecond
	branchPieces = 1024
)

// AudioFanout lets several readers share one microphone, such as two rooms or
// an encoder and a program that listens. Each gets all of the sound. What a
// reader does not fetch waits for it, 300 ms of it; then the oldest is lost, to
// this reader alone, and counted.
//
// All methods may be called from any goroutine. One goroutine of its own, which
// begins with the first read, takes the sound; the last Close ends it.
type AudioFanout struct {
	r       AudioReader
	running sync.WaitGroup
	release func() error

	mu       sync.Mutex
	branches []*AudioBranch
	err      error  // what ended the sound
	stop     func() // ends the goroutine, nil before it began
	closed   bool
}

// NewAudioFanout returns a fan-out of the sound of r, which it closes.
func NewAudioFanout(r AudioReader) *AudioFanout {
	return &AudioFanout{r: r, release: sync.OnceValue(r.Close)}
}

// Reader returns a new reader of the sound, from now on. After Close, or when
// the last reader was closed, it is a closed one.
func (a *AudioFanout) Reader() *AudioBranch {
	b := &AudioBranch{fan: a, ready: make(chan struct{}, 1), done: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		b.closed = true
		close(b.done)
		return b
	}
	a.branches = append(a.branches, b)
	return b
}

// Close closes all readers and the capture. It is idempotent.
func (a *AudioFanout) Close() error {
	a.mu.Lock()
	for _, b := range a.branches {
		b.closed = true
		close(b.done)
	}
	a.branches = nil
	return a.end()
}

// end closes the capture. It unlocks mu.
func (a *AudioFanout) end() error {
	a.closed = true
	if a.stop != nil {
		a.stop()
	}
	a.mu.Unlock()
	err := a.release()
	a.running.Wait()
	return err
}

func (a *AudioFanout) run(ctx context.Context) {
	var f AudioFrame
	for {
		err := a.r.ReadAudio(ctx, &f)
		if err == nil {
			err = f.Validate()
		}
		a.mu.Lock()
		a.err = err
		for _, b := range a.branches {
			if err == nil {
				b.push(&f)
			}
			poke(b.ready)
		}
		a.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// AudioBranch is one reader of an [AudioFanout].
type AudioBranch struct {
	fan   *AudioFanout
	ready chan struct{} // tells that there is something new
	done  chan struct{}

	// Guarded by the fan-out's mu.
	queue  soundQueue
	lost   time.Duration
	closed bool
}

var _ AudioReader = (*AudioBranch)(nil)

// push appends a copy of f. It is called under the fan-out's mu.
func (b *AudioBranch) push(f *AudioFrame) {
	q := &b.queue
	for q.waiting > 0 && (q.length+f.Duration() > branchLength || q.waiting == branchPieces) {
		b.lost += q.oldest().Duration()
		q.shift()
	}
	q.push(f)
}

// ReadAudio waits for the next piece of sound and copies it to f. It ends with
// the error that the capture ended with, behind all pieces, and with
// [ErrClosed] after Close.
func (b *AudioBranch) ReadAudio(ctx context.Context, f *AudioFrame) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if ok, err := b.take(f); ok || err != nil {
			return err
		}
		select {
		case <-b.ready:
		case <-b.done:
		case <-ctx.Done():
		}
	}
}

func (b *AudioBranch) take(f *AudioFrame) (ok bool, err error) {
	a := b.fan
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case b.closed:
		return false, fmt.Errorf("media: read: %w", ErrClosed)
	case b.queue.waiting > 0:
		f.copyFrom(b.queue.oldest())
		b.queue.shift()
		return true, nil
	case a.err != nil:
		return false, a.err
	}
	if a.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		a.stop = cancel
		a.running.Go(func() { a.run(ctx) })
	}
	return false, nil
}

// Lost returns how much sound this reader was too slow for.
func (b *AudioBranch) Lost() time.Duration {
	b.fan.mu.Lock()
	defer b.fan.mu.Unlock()
	return b.lost
}

// Close ends this reader, and the capture with the last one. It makes a waiting
// ReadAudio return and is idempotent.
func (b *AudioBranch) Close() error {
	a := b.fan
	a.mu.Lock()
	if b.closed {
		a.mu.Unlock()
		return nil
	}
	b.closed = true
	close(b.done)
	a.branches = slices.DeleteFunc(a.branches, func(o *AudioBranch) bool { return o == b })
	if len(a.branches) > 0 {
		a.mu.Unlock()
		return nil
	}
	return a.end()
}
