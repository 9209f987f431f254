package sfu

import (
	"context"
	"sync"

	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/webrtc/v4"
	"golang.org/x/time/rate"
)

// dataUplink is a data publication on its way to its subscribers.
type dataUplink struct {
	mu    sync.Mutex
	downs []*dataDownlink
	init  *webrtc.DataChannelInit // nil until the publisher's channel is there
}

// relay gives the message to every subscriber, in the same order to all.
func (u *dataUplink) relay(msg webrtc.DataChannelMessage) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, d := range u.downs {
		d.send(msg)
	}
}

func (u *dataUplink) attach(d *dataDownlink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.downs = append(u.downs, d)
}

func (u *dataUplink) detach(d *dataDownlink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.downs {
		if u.downs[i] == d {
			u.downs = append(u.downs[:i:i], u.downs[i+1:]...)
			return
		}
	}
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

	bound chan struct{} // closed when to is set
	to    *dataUplink
	end   context.Context
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
	s.to.relay(msg)
}

// bind names the publication that the channel belongs to, once.
func (s *dataSource) bind(u *dataUplink) {
	select {
	case <-s.bound:
		return
	default:
	}
	s.to = u
	ordered := s.channel.Ordered()
	u.setInit(&webrtc.DataChannelInit{
		Ordered:           &ordered,
		MaxPacketLifeTime: s.channel.MaxPacketLifeTime(),
		MaxRetransmits:    s.channel.MaxRetransmits(),
	})
	close(s.bound)
}

// dataDownlink is the channel of one subscription. Messages wait in it until
// it is open; then the channel's own buffer is the only queue.
type dataDownlink struct {
	channel  *webrtc.DataChannel
	reliable bool
	backlog  int
	slow     func() // only posts

	mu      sync.Mutex
	open    bool
	closed  bool
	waiting []webrtc.DataChannelMessage
	size    int
}

func newDataDownlink(channel *webrtc.DataChannel, init *webrtc.DataChannelInit, backlog int, slow func()) *dataDownlink {
	d := &dataDownlink{
		channel: channel, backlog: backlog, slow: slow,
		reliable: init.MaxPacketLifeTime == nil && init.MaxRetransmits == nil,
	}
	channel.OnOpen(d.opened)
	return d
}

func (d *dataDownlink) opened() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = true
	for _, msg := range d.waiting {
		d.write(msg)
	}
	d.waiting, d.size = nil, 0
}

// send never waits. A subscriber that is too slow misses messages of an
// unreliable track; with a reliable one it is ended, because it would have to
// miss some as well.
func (d *dataDownlink) send(msg webrtc.DataChannelMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waits := d.size
	if d.open {
		waits = int(d.channel.BufferedAmount())
	}
	switch {
	case d.closed:
	case d.backlog > 0 && waits+len(msg.Data) > d.backlog:
		if d.reliable {
			d.closed = true
			d.slow()
		}
	case !d.open:
		d.waiting = append(d.waiting, msg)
		d.size += len(msg.Data) + 64
	default:
		d.write(msg)
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
	_ = d.channel.Close() // it has ended already then
}

var errMessageTooBig = signaling.Errorf(signaling.CodeTrackInvalid, "a data message is larger than allowed")
