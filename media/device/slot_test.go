package device

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// bench is a bench with devices that can be plugged in and out, by number. It
// tests what exchanges them, which knows no device of its own.
type bench struct {
	mu      sync.Mutex
	plugged map[int]bool
	open    map[*thing]bool
	opened  int
	slow    time.Duration // how long opening takes
}

// thing is an open device of the bench.
type thing struct {
	b      *bench
	number int
	broken chan struct{}
	closed chan struct{}
}

func newBench(numbers ...int) *bench {
	b := &bench{plugged: map[int]bool{}, open: map[*thing]bool{}}
	for _, n := range numbers {
		b.plugged[n] = true
	}
	return b
}

func (b *bench) openThing(ctx context.Context, number int) (*thing, int, error) {
	if b.slow > 0 {
		select {
		case <-time.After(b.slow):
		case <-ctx.Done():
			return nil, number, ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.plugged[number] {
		return nil, number, &Error{Kind: media.Video, Device: fmt.Sprint(number), Err: ErrNotFound}
	}
	for other := range b.open {
		if other.number == number {
			return nil, number, &Error{Kind: media.Video, Device: fmt.Sprint(number), Err: ErrBusy}
		}
	}
	t := &thing{b: b, number: number, broken: make(chan struct{}), closed: make(chan struct{})}
	b.open[t] = true
	b.opened++
	return t, number, nil
}

func (b *bench) unplug(number int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.plugged, number)
	for t := range b.open {
		if t.number == number {
			close(t.broken)
		}
	}
}

func (b *bench) plug(number int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.plugged[number] = true
}

func (b *bench) stillOpen() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open)
}

func (t *thing) Close() error {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.b.open[t] {
		delete(t.b.open, t)
		close(t.closed)
	}
	return nil
}

// read gives something each second.
func (t *thing) read(ctx context.Context) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-t.broken:
		return &Error{Kind: media.Video, Err: ErrUnplugged}
	case <-t.closed:
		return errors.New("closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read reads what is in the slot as cameras and microphones do, and returns the
// device's number.
func read(ctx context.Context, s *slot[*thing, int]) (int, error) {
	for {
		t, epoch, err := s.get(ctx)
		if err != nil {
			return 0, err
		}
		if err = t.read(ctx); err == nil {
			return t.number, nil
		}
		if ctx.Err() != nil || !s.lost(epoch, err) {
			return 0, err
		}
	}
}

func TestUnpluggedDeviceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1)
		s, err := newSlot(t.Context(), 1, false, b.openThing)
		require.NoError(t, err)
		_, err = read(t.Context(), s)
		require.NoError(t, err)
		time.AfterFunc(500*time.Millisecond, func() { b.unplug(1) })
		_, err = read(t.Context(), s)
		require.ErrorIs(t, err, ErrUnplugged)
		require.NoError(t, s.Close())
		require.Zero(t, b.stillOpen())
	})
}

func TestUnpluggedDeviceComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1)
		s, err := newSlot(t.Context(), 1, true, b.openThing)
		require.NoError(t, err)
		time.AfterFunc(500*time.Millisecond, func() { b.unplug(1) })
		time.AfterFunc(time.Hour, func() { b.plug(1) })
		begun := time.Now()
		_, err = read(t.Context(), s)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(begun), time.Hour+lastWait+time.Second)
		require.Equal(t, 2, b.opened)
		require.NoError(t, s.Close())
		require.Zero(t, b.stillOpen())
	})
}

func TestWaitingForADeviceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1)
		s, err := newSlot(t.Context(), 1, true, b.openThing)
		require.NoError(t, err)
		b.unplug(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = read(ctx, s)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		// A track that is unpublished for a while goes on afterwards.
		b.plug(1)
		_, err = read(t.Context(), s)
		require.NoError(t, err)

		b.unplug(1)
		time.AfterFunc(time.Minute, func() { _ = s.Close() })
		_, err = read(t.Context(), s)
		require.ErrorIs(t, err, media.ErrClosed)
		_, err = read(t.Context(), s)
		require.ErrorIs(t, err, media.ErrClosed)
	})
}

func TestRestartWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1, 2)
		s, err := newSlot(t.Context(), 1, false, b.openThing)
		require.NoError(t, err)
		time.AfterFunc(500*time.Millisecond, func() {
			if err := s.Restart(t.Context(), 2); err != nil {
				t.Error(err)
			}
		})
		n, err := read(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, 2, s.wanted())
		require.Equal(t, 1, b.stillOpen())
		require.NoError(t, s.Restart(t.Context(), 2), "the same again, which can be open once")
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Restart(t.Context(), 2), media.ErrClosed)
		require.Zero(t, b.stillOpen())
	})
}

func TestFailedRestartLeavesAllAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1)
		s, err := newSlot(t.Context(), 1, false, b.openThing)
		require.NoError(t, err)
		b.slow = time.Second
		time.AfterFunc(500*time.Millisecond, func() {
			if err := s.Restart(t.Context(), 7); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		})
		n, err := read(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, 1, s.wanted())

		// The caller's patience ends: so too.
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, s.Restart(ctx, 1), context.DeadlineExceeded)
		_, err = read(t.Context(), s)
		require.NoError(t, err)
		require.NoError(t, s.Close())
	})
}

func TestRestartBringsAnotherForOneThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1, 2)
		s, err := newSlot(t.Context(), 1, true, b.openThing)
		require.NoError(t, err)
		b.unplug(1)
		begun := time.Now()
		time.AfterFunc(time.Hour+time.Second, func() {
			if err := s.Restart(t.Context(), 7); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
			if err := s.Restart(t.Context(), 2); err != nil {
				t.Error(err)
			}
		})
		n, err := read(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, time.Hour+2*time.Second, time.Since(begun), "nobody waits on")
		require.NoError(t, s.Close())
		require.Zero(t, b.stillOpen())
	})
}

func TestOldDeviceVanishesDuringRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1)
		s, err := newSlot(t.Context(), 1, false, b.openThing)
		require.NoError(t, err)
		b.slow = time.Second
		time.AfterFunc(500*time.Millisecond, func() { b.unplug(1) })
		err = s.Restart(t.Context(), 7)
		require.ErrorIs(t, err, ErrNotFound)
		require.True(t, strings.Contains(err.Error(), "what was open before"), err)
		_, err = read(t.Context(), s)
		require.ErrorIs(t, err, ErrNotFound)
		require.NoError(t, s.Close())
	})
}

func TestCloseDuringAnOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1, 2)
		s, err := newSlot(t.Context(), 1, true, b.openThing)
		require.NoError(t, err)
		b.slow = time.Hour
		done := make(chan error)
		go func() { done <- s.Restart(t.Context(), 2) }()
		go func() {
			_, err := read(t.Context(), s)
			done <- err
		}()
		synctest.Wait()
		begun := time.Now()
		require.NoError(t, s.Close())
		require.Less(t, time.Since(begun), time.Second)
		require.Error(t, <-done)
		require.Error(t, <-done)
		require.Zero(t, b.stillOpen())
	})
}

func TestNothingStaysOpenAfterACanceledOpening(t *testing.T) {
	b := newBench(1)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := newSlot(ctx, 1, true, func(_ context.Context, n int) (*thing, int, error) {
		thing, n, err := b.openThing(context.Background(), n)
		cancel() // while it was being opened, by a library that does not look
		return thing, n, err
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, b.stillOpen())
}

func TestReadingRestartingAndUnpluggingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(1, 2)
		b.slow = 300 * time.Millisecond
		s, err := newSlot(t.Context(), 1, true, b.openThing)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := read(ctx, s); err != nil && ctx.Err() == nil {
					t.Errorf("read: %v", err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := range 500 {
				_ = s.Restart(ctx, 1+i%2) // either may be unplugged just now
				time.Sleep(1300 * time.Millisecond)
			}
		})
		wg.Go(func() {
			for i := range 500 {
				b.unplug(1 + i%2)
				time.Sleep(1700 * time.Millisecond)
				b.plug(1 + i%2)
			}
		})
		wg.Wait()
		n, err := read(t.Context(), s)
		require.NoError(t, err)
		require.Contains(t, []int{1, 2}, n)
		require.NoError(t, s.Close())
		require.Zero(t, b.stillOpen())
	})
}
