package device

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
)

// How long to wait before an unplugged device is looked for again: at first,
// and at most. The time doubles in between.
const (
	firstWait = 250 * time.Millisecond
	lastWait  = 4 * time.Second
)

// handle is an open device.
type handle interface{ Close() error }

// slot holds the open device of a camera or microphone, and exchanges it while
// somebody reads: when it comes back after it was unplugged, and when it is
// restarted. W is what is wanted of the device.
//
// It has no goroutine: who reads looks for the device again.
type slot[T handle, W any] struct {
	// open also returns what to want when this very device is to come back.
	open   func(ctx context.Context, want W) (T, W, error)
	reopen bool
	done   chan struct{} // closed by Close
	wake   chan struct{} // one slot: a device was put in by Restart
	turn   chan struct{} // one slot: held while the device is exchanged

	mu     sync.Mutex
	want   W
	cur    T
	epoch  int   // counts devices
	gone   error // not nil: there is no device, for this reason
	closed bool
	cancel context.CancelFunc // of the opening under way
}

// newSlot opens the device.
func newSlot[T handle, W any](ctx context.Context, want W, reopen bool, open func(context.Context, W) (T, W, error)) (*slot[T, W], error) {
	cur, want, err := open(ctx, want)
	if err != nil {
		return nil, err
	}
	s := &slot[T, W]{
		open: open, reopen: reopen, want: want, cur: cur,
		done: make(chan struct{}), wake: make(chan struct{}, 1), turn: make(chan struct{}, 1),
	}
	if err := ctx.Err(); err != nil { // of no use any more
		return nil, errors.Join(err, cur.Close())
	}
	return s, nil
}

// lost takes note of a device, got from get, that failed. It reports whether it
// makes sense to get another: this one was exchanged, or is to come back.
func (s *slot[T, W]) lost(epoch int, err error) bool {
	s.mu.Lock()
	if s.closed || s.epoch != epoch {
		s.mu.Unlock()
		return true
	}
	if !s.reopen || !errors.Is(err, ErrUnplugged) {
		s.mu.Unlock()
		return false
	}
	cur := s.remove(err)
	s.mu.Unlock()
	_ = cur.Close() // it is gone
	return true
}

// remove takes the device out. The caller holds mu and closes what it returns.
func (s *slot[T, W]) remove(why error) T {
	var none T
	cur := s.cur
	s.cur, s.gone = none, why
	s.epoch++
	return cur
}

// get returns the device, after waiting for one that is to come back.
func (s *slot[T, W]) get(ctx context.Context) (cur T, epoch int, err error) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		s.mu.Lock()
		cur, epoch, gone, closed := s.cur, s.epoch, s.gone, s.closed
		s.mu.Unlock()
		if closed {
			return cur, 0, media.ErrClosed
		}
		if gone == nil {
			return cur, epoch, nil
		}
		if err := s.again(ctx, epoch); err != nil {
			return cur, 0, err
		}
		if s.has() {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-s.wake:
		case <-s.done:
		case <-ctx.Done():
		}
		t.Stop()
		if err := ctx.Err(); err != nil {
			return cur, 0, err
		}
	}
}

func (s *slot[T, W]) has() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone == nil || s.closed
}

// again tries once to open the device, unless Restart has put one in since.
func (s *slot[T, W]) again(ctx context.Context, epoch int) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	s.mu.Lock()
	want, moved, gone := s.want, s.epoch != epoch || s.closed, s.gone
	s.mu.Unlock()
	switch {
	case moved:
		return nil
	case !s.reopen:
		return gone
	}
	_ = s.put(ctx, want) // the next attempt comes after a while
	return nil
}

// put opens a device and puts it in. The caller has the turn.
func (s *slot[T, W]) put(ctx context.Context, want W) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return media.ErrClosed
	}
	s.cancel = cancel
	s.mu.Unlock()

	cur, want, err := s.open(ctx, want)

	s.mu.Lock()
	s.cancel = nil
	if err != nil {
		s.mu.Unlock()
		return err
	}
	if s.closed || ctx.Err() != nil {
		err = media.ErrClosed
		if !s.closed {
			err = ctx.Err()
		}
		s.mu.Unlock()
		_ = cur.Close() // nobody wants it any more
		return err
	}
	s.cur, s.want, s.gone = cur, want, nil
	s.epoch++
	s.mu.Unlock()
	return nil
}

// Restart exchanges the device for one that does what is wanted. Where there is
// none, the old one goes on.
func (s *slot[T, W]) Restart(ctx context.Context, want W) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return media.ErrClosed
	}
	old, had := s.want, s.gone == nil
	var cur T
	if had {
		cur = s.remove(errRestart)
	}
	s.mu.Unlock()
	if had {
		_ = cur.Close() // a device can be open once
	}
	err := s.put(ctx, want)
	if err != nil && had {
		// The caller's context may have ended: the old one comes back all the same.
		if back := s.put(context.WithoutCancel(ctx), old); back != nil {
			s.mu.Lock()
			s.gone = back
			s.mu.Unlock()
			err = fmt.Errorf("%w; and what was open before: %w", err, back)
		}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return err
}

// errRestart is why there is no device while it is exchanged. It is seen by
// nobody: the exchange holds the turn.
var errRestart = errors.New("restarted")

func (s *slot[T, W]) lock(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-s.done:
		return media.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slot[T, W]) unlock() { <-s.turn }

// wanted returns what the device was opened with.
func (s *slot[T, W]) wanted() W {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want
}

// current returns the device, if there is one.
func (s *slot[T, W]) current() (cur T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur, s.gone == nil && !s.closed
}

// Close closes the device. When it returns nothing is open.
func (s *slot[T, W]) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	if s.cancel != nil {
		s.cancel()
	}
	had := s.gone == nil
	cur := s.remove(media.ErrClosed)
	s.mu.Unlock()
	var err error
	if had {
		err = cur.Close()
	}
	s.turn <- struct{}{} // an opening under way has ended
	return err
}
