package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rtc/parley/media/pipe"
)

// late is a source that is waited for while the others are published.
type late struct {
	spec *spec
	why  error // it was not there at the start
	come bool
}

// arrival is what became of a late source.
type arrival struct {
	late *late
	begun
	err error
}

// mayCome reports whether a source that does not begin may do so later, and why
// it does not: a camera on the network that is still off, or starts up.
func (s *spec) mayCome(err error) (why *pipe.Error, ok bool) {
	ok = s.kind == fromRTSP && errors.As(err, &why) &&
		!errors.Is(err, pipe.ErrNotFound) && !errors.Is(err, pipe.ErrCodec) && !errors.Is(err, pipe.ErrUnsupported)
	return why, ok
}

// await waits for a source. Only the first failure is told; the log has the
// others.
func (c *sending) await(ctx context.Context, s *spec, opts *openOptions, why error) {
	fmt.Fprintf(c.talk, "%s: %s\n%s: it is waited for\n", s, oneLine(why), s)
	l := &late{spec: s, why: why}
	c.late = append(c.late, l)
	ctx, cancel := context.WithCancel(ctx)
	c.cancels = append(c.cancels, cancel)
	waiting := *opts
	waiting.await = true
	c.waits.Go(func() {
		b, err := s.begin(ctx, &waiting)
		select {
		case c.arrivals <- arrival{l, b, err}:
		case <-ctx.Done():
			if b.closer != nil {
				_ = b.closer.Close() // it was only read
			}
		}
	})
}

// arrived publishes what a late source gives. It returns how many tracks. Why
// there are none, missing tells at the end.
func (c *sending) arrived(ctx context.Context, a arrival) (tracks int, err error) {
	var list []*opened
	if a.err == nil {
		if list, a.err = a.late.spec.publish(a.begun, c.opts); a.err != nil {
			_ = a.closer.Close() // it was only read
		}
	}
	a.late.come = a.err == nil
	if !a.late.come {
		a.late.why = a.err
		fmt.Fprintf(c.talk, "%s: %s\n", a.late.spec, oneLine(a.err))
		return 0, nil
	}
	fmt.Fprintf(c.talk, "%s: it has come\n", a.late.spec)
	for i, o := range list {
		t := &sent{opened: o}
		if err := c.publish(ctx, c.room.LocalParticipant(), t); err != nil {
			for _, o := range list[i:] {
				o.stop()
			}
			return i, err
		}
		c.tracks = append(c.tracks, t)
	}
	return len(list), nil
}

// missing tells what did not come.
func (c *sending) missing() (err error) {
	for _, l := range c.late {
		if !l.come {
			err = errors.Join(err, fmt.Errorf("%s: %w: %w", l.spec, errNothingSent, l.why))
		}
	}
	return err
}
