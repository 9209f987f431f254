package v4l2

import (
	"context"
	"errors"
	"time"
)

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 2 * time.Second
)

// away is the wait for a camera that is gone. It belongs to the camera's turn.
type away struct {
	backoff time.Duration // zero once it gave a picture
	watcher *watcher      // nil where device files cannot be watched
}

func (a *away) end() {
	if a.watcher != nil {
		a.watcher.close()
		a.watcher = nil
	}
}

// reopen tries to open the camera again, or waits a while. It needs the turn.
func (c *Camera) reopen(ctx context.Context) {
	if c.away.backoff > 0 {
		c.awaitDevices()
		if ctx.Err() != nil || c.closed.Load() || c.interrupt.Load() {
			return
		}
	}
	err := c.restart()
	c.away.backoff = min(max(2*c.away.backoff, firstBackoff), lastBackoff)
	if err == nil {
		c.away.end()
		c.stats.reopened.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !errors.Is(err, ErrNotFound) { // that it is away is known
		c.reason = err
	}
}

// awaitDevices waits until device files change, for the backoff at most.
func (c *Camera) awaitDevices() {
	if c.away.watcher == nil {
		if w, err := newWatcher(); err == nil {
			c.away.watcher = w
		}
	}
	if c.away.watcher == nil {
		_, _ = c.waker.wait(c.away.backoff)
		return
	}
	ready, err := c.waker.wait(c.away.backoff, c.away.watcher.fd())
	if err == nil && ready && c.away.watcher.drain() {
		c.away.backoff = firstBackoff // its rights and its name are still to come
	}
}

// restart finds the camera by its stable id and opens it as it was.
func (c *Camera) restart() error {
	was := c.Device()
	d, err := findAgain(c.host, &was)
	if err != nil {
		return err
	}
	o := c.options
	o.Format = c.Config().Format
	return c.start(d, &o)
}

func findAgain(h host, was *Device) (Device, error) {
	all, refused, err := present(h)
	if err != nil {
		return Device{}, err
	}
	for _, d := range all {
		if d.isAgain(was) {
			return d, nil
		}
	}
	if refused != nil {
		return Device{}, refused
	}
	return Device{}, &Error{Op: "find", Device: was.ID, Err: ErrNotFound}
}
