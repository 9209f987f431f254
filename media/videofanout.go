package media

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// freshPicture is how old a picture may be that a reader gets who did not wait
// for it.
const freshPicture = 100 * time.Millisecond

// VideoFanout lets several readers share one capture: the layers of a
// simulcast, several rooms, an encoder and a program that looks at the
// pictures.
//
//	fan := media.NewVideoFanout(camera)
//	large := media.NewVideoSource(fan.Reader(), enc1, nil)
//	small := media.NewVideoSource(fan.Reader(), enc2, &media.VideoSourceOptions{MaxHeight: 180})
//
// Each picture is converted to [I420] once, whatever the camera gives, and
// broken ones are left out as in a [VideoSource]. A slow reader gets the newest
// picture when it comes back and holds up nobody. Nothing is captured while
// nobody waits for a picture.
//
// All methods may be called from any goroutine. One goroutine of its own, which
// begins with the first read, takes the pictures; the last Close ends it.
type VideoFanout struct {
	in      intake
	raw     VideoFrame // of that goroutine
	running sync.WaitGroup
	wanted  chan struct{} // tells that goroutine to look at the branches
	release func() error

	mu       sync.Mutex
	branches []*VideoBranch
	newest   *sharedPicture
	spare    []*sharedPicture
	err      error  // what ended the pictures
	stop     func() // ends the goroutine, nil before it began
	closed   bool
}

// sharedPicture is a picture that several readers copy from. It is used again
// when none does. Guarded by the fan-out's mu, but for the pixels.
type sharedPicture struct {
	frame VideoFrame
	users int // those who copy, and the fan-out while it is the newest
	at    time.Time
}

// NewVideoFanout returns a fan-out of the pictures of r, which it closes.
func NewVideoFanout(r VideoReader) *VideoFanout {
	return &VideoFanout{in: intake{r: r}, wanted: make(chan struct{}, 1), release: sync.OnceValue(r.Close)}
}

// Reader returns a new reader of the pictures, from now on. After Close, or
// when the last reader was closed, it is a closed one.
func (v *VideoFanout) Reader() *VideoBranch {
	b := &VideoBranch{fan: v, ready: make(chan struct{}, 1), done: make(chan struct{})}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		b.closed = true
		close(b.done)
		return b
	}
	v.branches = append(v.branches, b)
	return b
}

// Close closes all readers and the capture. It is idempotent.
func (v *VideoFanout) Close() error {
	v.mu.Lock()
	for _, b := range v.branches {
		b.closed = true
		close(b.done)
	}
	v.branches = nil
	return v.end()
}

// end closes the capture. It unlocks mu.
func (v *VideoFanout) end() error {
	v.closed = true
	if v.stop != nil {
		v.stop()
	}
	v.mu.Unlock()
	err := v.release()
	v.running.Wait()
	return err
}

// start starts the goroutine if it does not run yet, and tells it that somebody
// waits. It is called under mu.
func (v *VideoFanout) start() {
	if v.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		v.stop = cancel
		v.running.Go(func() { v.run(ctx) })
	}
	poke(v.wanted)
}

func (v *VideoFanout) run(ctx context.Context) {
	for v.wait(ctx) {
		p := v.blank()
		err := v.in.next(ctx, &v.raw, func(f *VideoFrame) error {
			if f.Format != I420 {
				return Convert(&p.frame, f)
			}
			if err := f.Validate(); err != nil {
				return err
			}
			p.frame, *f = *f, p.frame
			f.Timestamp = p.frame.Timestamp
			return nil
		})
		v.publish(p, err)
		if err != nil {
			return
		}
	}
}

// wait waits until a reader does. It reports false at the end.
func (v *VideoFanout) wait(ctx context.Context) bool {
	for {
		v.mu.Lock()
		wanted := slices.ContainsFunc(v.branches, func(b *VideoBranch) bool { return b.waiting })
		v.mu.Unlock()
		if wanted {
			return ctx.Err() == nil
		}
		select {
		case <-v.wanted:
		case <-ctx.Done():
			return false
		}
	}
}

// blank returns a picture to fill, with one user.
func (v *VideoFanout) blank() *sharedPicture {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(v.spare)
	if n == 0 {
		return &sharedPicture{users: 1}
	}
	p := v.spare[n-1]
	v.spare, p.users = v.spare[:n-1], 1
	return p
}

// drop takes a user off. It is called under mu.
func (v *VideoFanout) drop(p *sharedPicture) {
	if p == nil {
		return
	}
	if p.users--; p.users == 0 {
		v.spare = append(v.spare, p)
	}
}

// publish makes p the newest picture, or ends the pictures with err.
func (v *VideoFanout) publish(p *sharedPicture, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.err = err
		v.drop(p)
	} else {
		p.at = time.Now()
		v.drop(v.newest)
		v.newest = p
		for _, b := range v.branches {
			b.fresh = true
		}
	}
	for _, b := range v.branches {
		b.poke()
	}
}

// VideoBranch is one reader of a [VideoFanout].
type VideoBranch struct {
	fan   *VideoFanout
	ready chan struct{} // tells that there is something new
	done  chan struct{}

	// Guarded by the fan-out's mu.
	fresh, waiting, closed bool
}

var _ VideoReader = (*VideoBranch)(nil)

// poke ends the waiting. It is called under the fan-out's mu.
func (b *VideoBranch) poke() {
	b.waiting = false
	poke(b.ready)
}

// ReadFrame waits for the next picture and copies it to f, as [I420]. It ends
// with the error that the capture ended with, and with [ErrClosed] after Close.
func (b *VideoBranch) ReadFrame(ctx context.Context, f *VideoFrame) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := b.take()
		if err != nil {
			return err
		}
		if p != nil {
			err := f.CopyFrom(&p.frame)
			b.giveBack(p)
			return err
		}
		select {
		case <-b.ready:
		case <-b.done:
		case <-ctx.Done():
			b.fan.mu.Lock()
			b.waiting = false
			b.fan.mu.Unlock()
		}
	}
}

// take returns a picture that is new to the reader, or has the next captured.
func (b *VideoBranch) take() (*sharedPicture, error) {
	v := b.fan
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case b.closed:
		return nil, fmt.Errorf("media: read: %w", ErrClosed)
	case b.fresh && time.Since(v.newest.at) < freshPicture:
		b.fresh = false
		v.newest.users++
		return v.newest, nil
	case v.err != nil:
		return nil, v.err
	}
	b.fresh, b.waiting = false, true
	v.start()
	return nil, nil
}

func (b *VideoBranch) giveBack(p *sharedPicture) {
	b.fan.mu.Lock()
	defer b.fan.mu.Unlock()
	b.fan.drop(p)
}

// Close ends this reader, and the capture with the last one. It makes a waiting
// ReadFrame return and is idempotent.
func (b *VideoBranch) Close() error {
	v := b.fan
	v.mu.Lock()
	if b.closed {
		v.mu.Unlock()
		return nil
	}
	b.closed = true
	close(b.done)
	v.branches = slices.DeleteFunc(v.branches, func(o *VideoBranch) bool { return o == b })
	if len(v.branches) > 0 {
		v.mu.Unlock()
		return nil
	}
	return v.end()
}
