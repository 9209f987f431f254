package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rtc/parley"
)

// talkPause is the time between two messages.
const talkPause = 100 * time.Millisecond

// talk sends messages from the publisher to the subscriber, once the
// subscriber can receive them. Each is sent back, which measures the round
// trip.
func (c *call) talk(ctx context.Context) {
	defer c.wg.Done()
	select {
	case <-c.listening:
	case <-ctx.Done():
		return
	}
	ticker := time.NewTicker(talkPause)
	defer ticker.Stop()
	for n := 1; ; n++ {
		text := fmt.Sprintf("message %d", n)
		c.mu.Lock()
		if len(c.pending) > maxPending {
			clear(c.pending)
		}
		c.pending[text] = time.Now()
		c.mu.Unlock()
		if err := c.data.SendText(ctx, text); err != nil {
			return // the end of the call; a broken room is told elsewhere
		}
		c.mu.Lock()
		c.sent++
		c.mu.Unlock()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// listen counts the messages at the subscriber and sends them back, until the
// track ends.
func (c *call) listen(track *parley.RemoteDataTrack) {
	defer c.wg.Done()
	ctx := context.Background() // the track's end is ours
	for {
		m, err := track.Receive(ctx)
		if err != nil {
			return
		}
		c.mu.Lock()
		c.received++
		c.mu.Unlock()
		c.nudge()
		if err := c.echo.SendText(ctx, string(m.Data)); err != nil {
			return // the room ends
		}
	}
}

// hear notes what comes back, until the publisher's room ends.
func (c *call) hear(messages <-chan parley.TrackMessage) {
	defer c.wg.Done()
	for m := range messages {
		text := string(m.Data)
		c.mu.Lock()
		if sent, ok := c.pending[text]; ok {
			delete(c.pending, text)
			c.roundTrips = append(c.roundTrips, time.Since(sent))
			if len(c.roundTrips) > maxRoundTrips {
				c.roundTrips = c.roundTrips[len(c.roundTrips)-maxRoundTrips/2:]
			}
		}
		c.mu.Unlock()
	}
}

// What a demo that runs for days remembers.
const (
	maxRoundTrips = 10_000
	maxPending    = 1000
)
