package v4l2

import (
	"context"

	"github.com/parley-rtc/parley/media"
)

// Reconfigure changes the size, rate and format while the camera is read: the
// stream stops, changes and starts again, and the reader goes on. Of the
// options, Width, Height, FrameRate, Format and Nearest count; the others stay
// as they were in [Open]. The format stays where it is empty, and raw pictures
// and codecs do not become each other. When the camera cannot do what is asked,
// that is an [ErrUnsatisfiable] and nothing changes.
func (c *Camera) Reconfigure(ctx context.Context, options Options) error {
	if err := options.check(c.Device().Path); err != nil {
		return err
	}
	c.door.Lock()
	defer c.door.Unlock()
	c.interrupt.Store(true)
	c.waker.wake()
	c.turn.Lock()
	defer c.turn.Unlock()
	c.interrupt.Store(false)

	switch {
	case c.closed.Load():
		return media.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case c.failed != nil:
		return c.failed
	case c.stream == nil:
		return c.Stats().Away
	}
	o := c.options
	o.Width, o.Height, o.FrameRate, o.Nearest = options.Width, options.Height, options.FrameRate, options.Nearest
	o.Format = options.Format
	if o.Format == "" {
		o.Format = c.config.Format
	}
	return c.reconfigure(&o)
}

// reconfigure needs the turn and a stream.
func (c *Camera) reconfigure(o *Options) error {
	s, d := c.stream, c.device
	next, err := choose(s.n, &d, o)
	if err != nil {
		return err
	}
	if codec, was := next.info.Format.known().codec, s.config.Format.known().codec; codec != was {
		return unsatisfiable(&d, o, "the camera is read as "+string(s.config.Format))
	}
	before, beforeOptions := s.choice, c.options
	beforeOptions.Format = s.config.Format
	s.stop()
	err = s.begin(&d, next, o)
	if err == nil {
		c.options = *o
		c.began()
		return nil
	}
	s.stop()
	if back := s.begin(&d, before, &beforeOptions); back != nil {
		c.lose(back)
		return err
	}
	c.began()
	return err
}
