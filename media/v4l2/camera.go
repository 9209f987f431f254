package v4l2

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
)

// Camera is an open camera. One goroutine reads it, with [Camera.ReadFrame] or
// through [Camera.Source]; the other methods may be called from any.
//
// A reader that is slow gets the newest picture; those before it are dropped
// and counted in [Camera.Stats]. Encoded pictures depend on each other, so
// none of them is left out.
type Camera struct {
	host  host
	waker *waker
	stats counters

	closed atomic.Bool
	// Reconfigure stands in the door and sets interrupt to get its turn from
	// a reader that waits.
	door      sync.Mutex
	interrupt atomic.Bool

	turn     sync.Mutex // guards what follows
	options  Options
	stream   *stream // nil while the camera is away
	failed   error   // why reading ended
	away     away
	last     time.Time     // when the last picture was taken, or waiting began
	clock    time.Duration // of the last picture
	starts   int           // of the stream
	uneasy   int           // times in a row that poll promised what there was not
	done     <-chan struct{}
	stopWake func() bool
	encoded  controls

	mu     sync.Mutex // guards what others may read, written with the turn too
	device Device
	config Config
	reason error // why the camera is away
}

// Open opens the camera whose [Device.ID], device file or label is name, or the
// first one for "". A label means the first camera that has it. The camera
// gives pictures from then on. The context bounds the opening alone. What can
// go wrong is listed at [ErrNotFound].
func Open(ctx context.Context, name string, options Options) (*Camera, error) {
	return open(ctx, system(), name, options)
}

func open(ctx context.Context, h host, name string, o Options) (*Camera, error) {
	if err := o.check(name); err != nil {
		return nil, err
	}
	d, err := find(h, name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := newWaker()
	if err != nil {
		return nil, errorOf("open", name, err)
	}
	c := &Camera{host: h, waker: w, options: o}
	if err := c.start(d, &o); err != nil {
		w.close()
		return nil, err
	}
	return c, nil
}

// start opens the device. It needs the turn.
func (c *Camera) start(d Device, o *Options) error {
	s, err := openStream(c.host, &d, o, &c.stats)
	if err != nil {
		return err
	}
	c.stream = s
	c.mu.Lock()
	c.device = d
	c.mu.Unlock()
	c.began()
	return nil
}

// began notes that the stream gives pictures. It needs the turn.
func (c *Camera) began() {
	c.last = time.Now()
	c.uneasy = 0
	c.starts++
	c.encoded.begin(c.stream, c.options.Bitrate)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config, c.reason = c.stream.config, nil
}

// Device returns the camera, as it was when it was last opened.
func (c *Camera) Device() Device {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.device
}

// Config returns what the camera granted.
func (c *Camera) Config() Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config
}

// ReadFrame waits for the next picture and puts it into f, whose memory it uses
// again. Rows have the driver's stride. It returns [io.EOF] once the camera is
// closed. A camera that encodes is not read in this way, but JPEG is.
func (c *Camera) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	pixels, ok := c.config.Format.Pixels()
	if !ok {
		return &Error{
			Op: "read", Device: c.device.Path, Err: ErrUnsatisfiable,
			Detail: "pictures are encoded as " + string(c.config.Format),
		}
	}
	for {
		p, err := c.next(ctx, true)
		if err != nil {
			return err
		}
		good := c.stream.fill(f, pixels, &p)
		if good {
			f.Timestamp, f.Captured = c.stamp(p)
			c.stats.frames.Add(1)
		}
		c.giveBack(p, good)
		if good {
			return nil
		}
	}
}

// giveBack queues the picture's buffer again. What fails is told by the next
// read.
func (c *Camera) giveBack(p picture, good bool) {
	err := c.stream.queue(p.index)
	if good {
		c.stream.nonsense = 0
	} else if err == nil {
		c.stats.errors.Add(1)
		c.stream.damaged = true
		err = c.stream.tellsNonsense()
	}
	if err != nil {
		c.lose(err)
	}
}

// next waits for a picture. It needs the turn, which it may give away meanwhile.
func (c *Camera) next(ctx context.Context, newest bool) (picture, error) {
	c.wakeWith(ctx)
	fresh := false
	for {
		switch {
		case c.closed.Load():
			return picture{}, io.EOF
		case ctx.Err() != nil:
			return picture{}, ctx.Err()
		case c.interrupt.Load():
			c.giveWay()
			continue
		case c.failed != nil:
			return picture{}, c.failed
		case c.stream == nil:
			c.reopen(ctx)
			continue
		}
		c.encoded.apply(c.stream)
		p, ok, starved, err := c.stream.take(newest)
		if err != nil {
			c.lose(err)
			continue
		}
		if !ok {
			if err := c.wait(); err != nil {
				return picture{}, err
			}
			continue
		}
		c.last = time.Now()
		c.uneasy = 0
		c.away.backoff = 0
		if newest && starved && !fresh && c.old(p) {
			// All buffers were full, so the driver has dropped pictures that
			// are newer than this one. The next is on its way.
			fresh = true
			c.stats.stale.Add(1)
			if err := c.stream.queue(p.index); err != nil {
				c.lose(err)
			}
			continue
		}
		return p, nil
	}
}

// wakeWith makes the end of ctx wake the reader. That is arranged once for all
// calls with the same context, so that a call makes no garbage.
func (c *Camera) wakeWith(ctx context.Context) {
	if done := ctx.Done(); done != c.done {
		c.forgetContext()
		c.done = done
		if done != nil {
			c.stopWake = context.AfterFunc(ctx, c.waker.wake)
		}
	}
}

func (c *Camera) forgetContext() {
	if c.stopWake != nil {
		c.stopWake()
	}
	c.stopWake, c.done = nil, nil
}

// giveWay lets Reconfigure have its turn.
func (c *Camera) giveWay() {
	c.turn.Unlock()
	c.door.Lock()
	c.door.Unlock() //nolint:staticcheck // passing through is the point
	c.turn.Lock()
}

// old reports whether a newer picture must have been taken since.
func (c *Camera) old(p picture) bool {
	interval := time.Second / 30
	if rate := c.stream.config.FrameRate; rate > 0 {
		interval = time.Duration(float64(time.Second) / rate)
	}
	return p.stamp == 0 || monotonic()-p.stamp > interval+interval/2
}

const (
	// checkAfter is how long a camera may be silent until it is asked whether
	// it is there. Some drivers tell nobody.
	checkAfter = time.Second
	// maxUneasy is how many times in a row a device may say that it has
	// something and have nothing.
	maxUneasy = 64
)

// wait waits for the device to have something.
func (c *Camera) wait() error {
	timeout, limit := checkAfter, c.options.stallTimeout()
	if limit > 0 {
		timeout = min(timeout, max(limit-time.Since(c.last), 0))
	}
	ready, err := c.waker.wait(timeout, c.stream.n.fd())
	switch {
	case err != nil:
		c.lose(errorOf("wait for", c.stream.path, err))
	case ready:
		if c.uneasy++; c.uneasy > maxUneasy {
			c.lose(broken("wait for", c.stream.path, "it has a picture and has not"))
		}
	case limit > 0 && time.Since(c.last) >= limit:
		stalled := &Error{Op: "read", Device: c.stream.path, Err: ErrStalled}
		c.stats.stalls.Add(1)
		if c.options.Reopen {
			c.lose(stalled)
			return nil
		}
		c.last = time.Now()
		if err := c.stream.alive(); err != nil {
			c.lose(err)
			return nil
		}
		return stalled
	case time.Since(c.last) >= checkAfter:
		if err := c.stream.alive(); err != nil {
			c.lose(err)
		}
	}
	return nil
}

// lose closes a device that fails. With Reopen it is waited for, unless it lies.
func (c *Camera) lose(err error) {
	own := errorOf("read", c.stream.path, err)
	if !errors.Is(own, ErrUnplugged) && errors.Is(c.stream.alive(), ErrUnplugged) {
		own = &Error{Op: own.Op, Device: own.Device, Err: ErrUnplugged, Cause: own.Cause}
	}
	c.stream.close()
	c.stream = nil
	if lies := errors.Is(own, ErrBroken) && own.Cause == nil; lies || !c.options.Reopen {
		c.failed = own
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reason = own
}

// Close releases the camera and ends a read that waits. It is idempotent.
func (c *Camera) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.waker.wake()
	c.turn.Lock()
	defer c.turn.Unlock()
	c.forgetContext()
	if c.stream != nil {
		c.stream.close()
		c.stream = nil
	}
	c.away.end()
	c.waker.close()
	return nil
}
