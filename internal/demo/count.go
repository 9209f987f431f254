package demo

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
)

// counted is a source that counts what it gives.
type counted struct {
	media.Source
	count  atomic.Int64
	closed atomic.Bool

	once  sync.Once
	ended chan struct{} // closed when the source broke
	err   error
}

func newCounted(src media.Source) *counted {
	return &counted{Source: src, ended: make(chan struct{})}
}

// Next counts as sent what it returns: a track asks only while it sends.
func (c *counted) Next(ctx context.Context) (media.Sample, error) {
	s, err := c.Source.Next(ctx)
	switch {
	case err == nil:
		c.count.Add(1)
	case ctx.Err() == nil && !errors.Is(err, io.EOF) && !c.closed.Load():
		c.once.Do(func() {
			c.err = err
			close(c.ended)
		})
	}
	return s, err
}

// RequestKeyframe passes the request on.
func (c *counted) RequestKeyframe() {
	if k, ok := c.Source.(media.KeyframeRequester); ok {
		k.RequestKeyframe()
	}
}

func (c *counted) Close() error {
	c.closed.Store(true)
	return c.Source.Close()
}

// arrivals counts the samples of one kind that came through.
type arrivals struct {
	first  time.Time // of the first packet, or key frame
	missed int64     // sent before the subscriber could have them
	count  int64
}

// of returns the two ends of a track of the publisher; nil for others. The lock
// is held.
func (c *call) of(t parley.RemoteTrack) (*counted, *arrivals) {
	switch {
	case t.Publication().Participant().Identity() != publisher:
		return nil, nil
	case t.Kind() == parley.KindVideo:
		return c.video, &c.inVideo
	}
	return c.audio, &c.inAudio
}

// started notes that a track begins to arrive.
func (c *call) started(t parley.RemoteTrack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if src, a := c.of(t); a != nil && a.first.IsZero() {
		a.first, a.missed = time.Now(), max(src.count.Load()-1, 0)
	}
}

// arrived takes a sample at the subscriber. It counts from the first key frame
// on, as players and recordings do.
func (c *call) arrived(t parley.RemoteTrack, s media.Sample) {
	c.mu.Lock()
	if _, a := c.of(t); a != nil && (s.Keyframe || a.count > 0) {
		a.count++
	}
	c.mu.Unlock()
	c.nudge()
}

// nudge tells drain to look again.
func (c *call) nudge() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// complete reports whether nothing is on its way any more.
func (c *call) complete() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inVideo.missing(c.video) == 0 && c.inAudio.missing(c.audio) == 0 && c.received >= c.sent
}

// missing counts what was sent since the first arrival and did not arrive.
func (a *arrivals) missing(src *counted) int64 {
	return max(src.count.Load()-a.missed-a.count, 0)
}

// seen reports whether a frame of video has arrived.
func (c *call) seen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inVideo.count > 0
}

// totals is what the subscriber's connection counted.
type totals struct {
	at                   time.Time
	packets, bytes, lost int64
}

func (c *call) measure() totals {
	t := totals{at: time.Now()}
	for _, p := range c.subscriber.Participants() {
		for _, pub := range p.Tracks() {
			if m, ok := pub.Track().(interface{ Stats() parley.TrackStats }); ok {
				s := m.Stats()
				t.packets += s.Packets
				t.bytes += s.Bytes
				t.lost += s.Lost
			}
		}
	}
	return t
}

// progress tells how the last second went, and returns where the next begins.
func (c *call) progress(last totals) totals {
	now := c.measure()
	if c.cfg.Progress == nil {
		return now
	}
	since := last.at
	if since.IsZero() {
		since = c.joinStart
	}
	p := Progress{
		At:       time.Since(c.began).Round(time.Second),
		BitsPerS: float64(8*(now.bytes-last.bytes)) / now.at.Sub(since).Seconds(),
		Packets:  now.packets - last.packets, Lost: now.lost - last.lost,
	}
	p.Participants = 1
	p.Tracks = len(c.subscriber.LocalParticipant().Tracks())
	for _, other := range c.subscriber.Participants() {
		p.Participants++
		p.Tracks += len(other.Tracks())
	}
	c.mu.Lock()
	if n := len(c.roundTrips); n > 0 {
		p.RoundTrip = c.roundTrips[n-1]
	}
	c.mu.Unlock()
	c.cfg.Progress(p)
	return now
}
