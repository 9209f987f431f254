package media_test

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
)

// camera gives pictures at its pace; a reader that is late gets the newest.
type camera struct {
	draw     func(f *media.VideoFrame, n int) error // picture n, from 0
	interval time.Duration                          // zero: as fast as they are read
	count    int                                    // io.EOF after so many, if not zero

	begun  time.Time
	n      int
	once   sync.Once
	done   chan struct{}
	closes atomic.Int32
}

func newCamera(interval time.Duration, count int, draw func(f *media.VideoFrame, n int) error) *camera {
	return &camera{draw: draw, interval: interval, count: count, done: make(chan struct{})}
}

// plain draws pictures in one format and size with 1/30 s between them.
func plain(format media.PixelFormat, width, height int) func(*media.VideoFrame, int) error {
	return func(f *media.VideoFrame, n int) error {
		if err := f.Reset(format, width, height); err != nil {
			return err
		}
		for i := range f.Planes {
			for j := range f.Planes[i] {
				f.Planes[i][j] = byte(n)
			}
		}
		f.Timestamp = time.Duration(n) * time.Second / 30
		f.Captured = epoch.Add(f.Timestamp)
		return nil
	}
}

var epoch = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func (c *camera) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	if c.begun.IsZero() {
		c.begun = time.Now()
	}
	if c.interval > 0 {
		c.n = max(c.n, int(time.Since(c.begun)/c.interval))
		t := time.NewTimer(time.Until(c.begun.Add(time.Duration(c.n) * c.interval)))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return media.ErrClosed
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case <-c.done:
		return media.ErrClosed
	default:
	}
	if c.count > 0 && c.n >= c.count {
		return io.EOF
	}
	c.n++
	return c.draw(f, c.n-1)
}

func (c *camera) Close() error {
	c.closes.Add(1)
	c.once.Do(func() { close(c.done) })
	return nil
}

// encoder makes samples that tell what it got.
type encoder struct {
	codec  media.Codec
	encode func(f *media.VideoFrame, keyframe bool) (media.Sample, error)

	bitrate atomic.Int64
	closed  atomic.Bool
	closes  atomic.Int32
	data    []byte
}

func (e *encoder) Codec() media.Codec {
	if e.codec == "" {
		return media.VP8
	}
	return e.codec
}

func (e *encoder) Encode(f *media.VideoFrame, keyframe bool) (media.Sample, error) {
	if e.closed.Load() {
		return media.Sample{}, media.ErrClosed
	}
	if err := f.Validate(); err != nil {
		return media.Sample{}, err
	}
	if e.encode != nil {
		return e.encode(f, keyframe)
	}
	e.data = append(e.data[:0], f.Planes[0][0], byte(f.Width/16), byte(f.Height/16))
	return media.Sample{Data: e.data, Keyframe: keyframe}, nil
}

func (e *encoder) SetBitrate(bps int) { e.bitrate.Store(int64(bps)) }

func (e *encoder) Close() error {
	e.closes.Add(1)
	e.closed.Store(true)
	return nil
}
