package media

import (
	"context"
	"fmt"
	"sync"
)

// hatch is where a program hands over what it made: one Write at a time, which
// waits for room until its context or the source ends.
type hatch struct {
	turn chan struct{} // held by the Write that waits
	room chan struct{} // tells it that there may be room
	done chan struct{} // closed at the end
	once sync.Once
}

func newHatch() hatch {
	return hatch{turn: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{})}
}

// write calls put until it has taken what is handed over, or fails. It is asked
// again whenever there may be room.
func (h *hatch) write(ctx context.Context, put func() (bool, error)) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
	case <-h.done:
	}
	for {
		select {
		case <-h.done:
			return fmt.Errorf("media: write: %w", ErrClosed)
		default:
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("media: write: %w", err)
		}
		if taken, err := put(); taken || err != nil {
			return err
		}
		select {
		case <-h.room:
		case <-ctx.Done():
		case <-h.done:
		}
	}
}

func (h *hatch) close() { h.once.Do(func() { close(h.done) }) }
