package sfu

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
	"golang.org/x/time/rate"
)

// dataUplink is a data publication on its way to its subscribers.
type dataUplink struct {
	mu    sync.Mutex
	downs []*dataDownlink         // replaced, never changed
	init  *webrtc.DataChannelInit // nil until the publisher's channel is there
}

// relay gives the message to every subscriber, in the same order to all. Only
// the reader of the publisher's channel calls it. It waits for subscribers of a
// reliable track that have too much before them: so the track goes at the pace
// of its slowest subscriber, and the publisher feels that.
func (u *dataUplink) relay(ctx context.Context, msg webrtc.DataChannelMessage) {
	u.mu.Lock()
	downs := u.downs
	u.mu.Unlock()
	for _, d := range downs {
		d.send(ctx, msg)
	}
}

func (u *dataUplink) attach(d *dataDownlink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.downs = append(slices.Clone(u.downs), d)
}

func (u *dataUplink) detach(d *dataDownlink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.downs = slices.DeleteFunc(slices.Clone(u.downs), func(o *dataDownlink) bool { return o == d })
}

func (u *dataUplink) setInit(init *webrtc.DataChannelInit) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.init = init
}

func (u *dataUplink) settings() *webrtc.DataChannelInit {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.init
}

// dataSource is a channel that a publisher opened. Its reader waits until the
// publication is known, and as long as the publisher's rate demands: the
// channel's own flow control then holds the publisher back.
type dataSource struct {
	channel *webrtc.DataChannel
	limits  *Limits
	rates   *dataRates
	tooBig  func() // only posts

	bound chan struct{} // closed when to is set and everybody in the room can hear
	to    *dataUplink
	end   context.Context //nolint:containedctx // ends with the channel; its reader waits for the rate with it
	stop  context.CancelFunc
}

// dataRates bounds what one publisher sends, over all its channels.
type dataRates struct{ bytes, messages *rate.Limiter }

func newDataRates(l *Limits) *dataRates {
	limiter := func(n, least int) *rate.Limiter {
		if n < 0 {
			return rate.NewLimiter(rate.Inf, 0)
		}
		return rate.NewLimiter(rate.Limit(n), max(n, least))
	}
	return &dataRates{bytes: limiter(l.DataBytes, l.DataMessage), messages: limiter(l.DataMessages, 1)}
}

func (s *dataSource) receive(msg webrtc.DataChannelMessage) {
	select {
	case <-s.bound:
	case <-s.end.Done():
		return
	}
	if len(msg.Data) > s.limits.DataMessage {
		s.stop()
		s.tooBig()
		return
	}
	if s.rates.messages.Wait(s.end) != nil || s.rates.bytes.WaitN(s.end, len(msg.Data)) != nil {
		return
	}
	s.to.relay(s.end, msg)
}

// bind names the publication that the channel belongs to, and reports whether
// that is new. Nothing is read before release. It is for the peer's goroutine.
func (s *dataSource) bind(u *dataUplink) (fresh bool) {
	if s.to != nil {
		return false
	}
	s.to = u
	ordered := s.channel.Ordered()
	u.setInit(&webrtc.DataChannelInit{
		Ordered:           &ordered,
		MaxPacketLifeTime: s.channel.MaxPacketLifeTime(),
		MaxRetransmits:    s.channel.MaxRetransmits(),
	})
	return true
}

// release lets the reader go on, once.
func (s *dataSource) release() { close(s.bound) }

// dataDownlink is the channel of one subscription. Messages wait in it until
// it is open; then the channel's own buffer is the only queue.
type dataDownlink struct {
	channel  *webrtc.DataChannel
	reliable bool
	backlog  int
	patience time.Duration
	slow     func()        // only posts
	moved    chan struct{} // one slot: there may be room again

	mu      sync.Mutex
	open    bool
	closed  bool
	waiting []webrtc.DataChannelMessage
	size    int
}

func newDataDownlink(channel *webrtc.DataChannel, init *webrtc.DataChannelInit, limits *Limits, slow func()) *dataDownlink {
	d := &dataDownlink{
		channel: channel, backlog: limits.DataBacklog, patience: limits.DataPatience, slow: slow,
		reliable: init.MaxPacketLifeTime == nil && init.MaxRetransmits == nil,
		moved:    make(chan struct{}, 1),
	}
	if d.backlog > 0 {
		channel.SetBufferedAmountLowThreshold(uint64(d.backlog) / 2)
		channel.OnBufferedAmountLow(d.poke)
	}
	channel.OnOpen(d.opened)
	return d
}

func (d *dataDownlink) poke() {
	select {
	case d.moved <- struct{}{}:
	default:
	}
}

func (d *dataDownlink) opened() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = true
	for _, msg := range d.waiting {
		d.write(msg)
	}
	d.waiting, d.size = nil, 0
	d.poke()
}

// send gives the subscriber a message. One that is too slow misses messages of
// an unreliable track. With a reliable one it is waited for, as long as it takes
// anything at all: then it is ended, because it would have to miss some as well.
func (d *dataDownlink) send(ctx context.Context, msg webrtc.DataChannelMessage) {
	var timer *time.Timer
	last := 0
	for {
		sent, waits := d.try(msg)
		if sent || !d.reliable {
			return
		}
		if timer == nil {
			timer = time.NewTimer(d.patience)
			defer timer.Stop()
			last = waits
		}
		select {
		case <-d.moved:
		case <-timer.C:
			if waits >= last {
				d.giveUp()
				return
			}
			last = waits
			timer.Reset(d.patience)
		case <-ctx.Done():
			return
		}
	}
}

// try sends the message if there is room; otherwise it tells how much waits.
// To a channel that is closed everything is sent, to no effect.
func (d *dataDownlink) try(msg webrtc.DataChannelMessage) (sent bool, waits int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waits = d.size
	if d.open {
		waits = int(d.channel.BufferedAmount())
	}
	switch {
	case d.closed:
	case d.backlog > 0 && waits+len(msg.Data) > d.backlog:
		return false, waits
	case !d.open:
		d.waiting = append(d.waiting, msg)
		d.size += len(msg.Data) + 64
	default:
		d.write(msg)
	}
	return true, 0
}

func (d *dataDownlink) giveUp() {
	d.mu.Lock()
	closed := d.closed
	d.closed = true
	d.mu.Unlock()
	if !closed {
		d.slow()
	}
}

func (d *dataDownlink) write(msg webrtc.DataChannelMessage) {
	// The only error is that the channel or its connection has ended.
	if msg.IsString {
		_ = d.channel.SendText(string(msg.Data))
	} else {
		_ = d.channel.Send(msg.Data)
	}
}

func (d *dataDownlink) close() {
	d.mu.Lock()
	d.closed, d.waiting = true, nil
	d.mu.Unlock()
	d.poke()
	_ = d.channel.Close() // it has ended already then
}

var errMessageTooBig = signaling.Errorf(signaling.CodeTrackInvalid, "a data message is larger than allowed")
