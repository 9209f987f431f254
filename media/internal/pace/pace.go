// Package pace holds samples back until they are due.
package pace

import (
	"context"
	"io"
	"sync"
	"time"
)

// MaxLate is how far a consumer may fall behind before the schedule moves on
// without it. Up to here what is due is handed out at once; beyond it the gap
// stays a gap, so that a track that was held up does not burst afterwards.
const MaxLate = time.Second

// Pacer keeps the schedule of one source. The schedule is absolute, from the
// first Wait on, so that delays do not add up. Wait is used by one goroutine;
// Close may be called from any.
type Pacer struct {
	start time.Time
	shift time.Duration

	once sync.Once
	done chan struct{}
}

// New returns a pacer that starts with its first Wait.
func New() *Pacer { return &Pacer{done: make(chan struct{})} }

// Wait waits until at, counted from the first Wait, and returns the place of
// that moment on the track's clock: at and all the gaps before it. It returns
// ctx's error when ctx ends first and io.EOF once the pacer is closed; the
// same at may then be waited for again.
func (p *Pacer) Wait(ctx context.Context, at time.Duration) (time.Duration, error) {
	if err := p.ended(ctx); err != nil {
		return 0, err
	}
	if p.start.IsZero() {
		p.start = time.Now()
		p.shift = -at
	}
	ahead := at + p.shift - time.Since(p.start)
	if ahead > 0 {
		t := time.NewTimer(ahead)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-p.done:
			return 0, io.EOF
		}
	} else if ahead < -MaxLate {
		p.shift -= ahead
	}
	return at + p.shift, nil
}

func (p *Pacer) ended(ctx context.Context) error {
	select {
	case <-p.done:
		return io.EOF
	default:
		return ctx.Err()
	}
}

// Closed reports whether Close was called.
func (p *Pacer) Closed() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Close makes a waiting Wait and all later ones return io.EOF. It reports
// whether this was the first call.
func (p *Pacer) Close() (first bool) {
	p.once.Do(func() {
		close(p.done)
		first = true
	})
	return first
}
