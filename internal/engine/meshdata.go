package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
)

// dataPatience is how long a participant may take nothing of a reliable track
// before its channel is closed, so that it does not hold up the others.
const dataPatience = 2 * time.Second

// DataSender is the sending end of a published data track on one engine. Its
// methods may be called from any goroutine.
type DataSender struct {
	*channelSender // the only one, but for peer-to-peer rooms
	id             string
	rel            Reliability

	mu    sync.Mutex
	mesh  bool
	parts []*dataPart // in peer-to-peer rooms; replaced, never changed
	over  bool
	turn  chan struct{} // one sender at a time
}

// dataPart is the channel to one participant. What is sent before it is open
// waits, bounded.
type dataPart struct {
	link *link
	ch   *channelSender

	mu    sync.Mutex
	open  bool
	early []Message
	bytes int
}

// PublishData opens a data channel under the id.
func (e *Engine) PublishData(id string, r Reliability) (*DataSender, error) {
	s := &DataSender{id: id, rel: r, turn: make(chan struct{}, 1)}
	if e.mesh == nil {
		dc, err := e.links[0].peer.CreateChannel(id, r.init())
		if err != nil {
			return nil, err
		}
		s.channelSender = newChannelSender(dc)
	} else {
		s.mesh = true
		for _, l := range e.links {
			if err := s.reach(l); err != nil {
				return nil, err
			}
		}
	}
	e.senders = append(e.senders, s)
	return s, nil
}

// UnpublishData closes the channel, once what was sent has been delivered, and
// makes waiting senders return.
func (e *Engine) UnpublishData(s *DataSender) {
	e.senders = slices.DeleteFunc(e.senders, func(o *DataSender) bool { return o == s })
	_ = s.Close() // a channel that cannot be closed is closed already
}

// spread turns a sender with one channel into one with a channel for each
// connection, of which it is the first.
func (s *DataSender) spread(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mesh = true
	s.parts = []*dataPart{newDataPart(l, s.channelSender)}
}

// reach opens the channel on one connection.
func (s *DataSender) reach(l *link) error {
	dc, err := l.peer.CreateChannel(s.id, s.rel.init())
	if err != nil {
		return err
	}
	part := newDataPart(l, newChannelSender(dc))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(slices.Clone(s.parts), part)
	return nil
}

func (s *DataSender) leave(l *link) {
	s.mu.Lock()
	parts := s.parts
	s.parts = slices.DeleteFunc(slices.Clone(parts), func(p *dataPart) bool { return p.link == l })
	s.mu.Unlock()
	for _, p := range parts {
		if p.link == l {
			p.ch.end() // who waits for it goes on
		}
	}
}

func newDataPart(l *link, ch *channelSender) *dataPart {
	p := &dataPart{link: l, ch: ch}
	ch.whenOpen(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, m := range p.early {
			_ = ch.push(m.Data, m.Text) // it has closed again then
		}
		p.early, p.open = nil, true
	})
	return p
}

// Send sends a message to everybody. It waits while the channel is not open yet
// and while the buffer is full, as long as ctx allows; in peer-to-peer rooms
// for nobody who does not take anything at all.
func (s *DataSender) Send(ctx context.Context, data []byte, text bool) error {
	if len(data) > MaxMessage {
		return ErrMessageTooLarge
	}
	if parts, mesh, _ := s.snapshot(); !mesh {
		err := s.channelSender.Send(ctx, data, text)
		if _, mesh, _ = s.snapshot(); err == nil || !mesh || ctx.Err() != nil {
			return err
		}
	} else if len(parts) == 0 {
		return s.alone()
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	parts, _, over := s.snapshot()
	if over {
		return ErrChannelClosed
	}
	for _, p := range parts {
		if err := p.send(ctx, data, text, s.rel.reliable()); err != nil {
			return err
		}
	}
	return nil
}

func (s *DataSender) alone() error {
	if _, _, over := s.snapshot(); over {
		return ErrChannelClosed
	}
	return nil // nobody is there to miss it
}

func (s *DataSender) snapshot() (parts []*dataPart, mesh, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts, s.mesh, s.over
}

func (r Reliability) reliable() bool { return r.MaxPacketLifeTime == nil && r.MaxRetransmits == nil }

// send sends to one participant. Only the end of ctx is an error.
func (p *dataPart) send(ctx context.Context, data []byte, text, reliable bool) error {
	p.mu.Lock()
	if !p.open {
		m := Message{Data: slices.Clone(data), Text: text}
		p.early = append(p.early, m)
		p.bytes += m.Size()
		for p.bytes > sendBuffer {
			p.bytes -= p.early[0].Size()
			p.early = p.early[1:]
		}
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	if !reliable && p.ch.full(len(data)) {
		return nil
	}
	for {
		waits := p.ch.Buffered()
		patience, cancel := context.WithTimeout(ctx, dataPatience)
		_ = p.ch.Send(patience, data, text) // the reasons are looked at below
		impatient := patience.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !impatient:
			return nil
		case p.ch.Buffered() >= waits:
			_ = p.ch.Close() // it takes nothing
			return nil
		}
	}
}

// all returns the channels that there are.
func (s *DataSender) all() []*channelSender {
	parts, mesh, _ := s.snapshot()
	if !mesh {
		return []*channelSender{s.channelSender}
	}
	list := make([]*channelSender, len(parts))
	for i, p := range parts {
		list[i] = p.ch
	}
	return list
}

// Close closes the channel, once what was sent has been delivered, and makes
// waiting senders return.
func (s *DataSender) Close() error {
	s.finish()
	var err error
	for _, ch := range s.all() {
		err = ch.Close()
	}
	return err
}

func (s *DataSender) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// Drain waits until everything that was sent has been acknowledged, as long as
// ctx allows.
func (s *DataSender) Drain(ctx context.Context) {
	for _, ch := range s.all() {
		ch.Drain(ctx)
	}
}

// Abandon makes waiting senders return and tells how many messages were not
// acknowledged. The channel is not used any more.
func (s *DataSender) Abandon() (unconfirmed int) {
	s.finish()
	for _, ch := range s.all() {
		unconfirmed = max(unconfirmed, ch.Abandon())
	}
	return unconfirmed
}

// Buffered returns the bytes that were sent and are not acknowledged.
func (s *DataSender) Buffered() int {
	total := 0
	for _, ch := range s.all() {
		total += ch.Buffered()
	}
	return total
}

// newChannelSender takes a channel that was just made.
func newChannelSender(dc *webrtc.DataChannel) *channelSender {
	s := &channelSender{
		dc: dc, open: make(chan struct{}), gone: make(chan struct{}),
		low: make(chan struct{}, 1), turn: make(chan struct{}, 1),
	}
	dc.SetBufferedAmountLowThreshold(sendBuffer / 2)
	dc.OnOpen(s.opened)
	dc.OnClose(s.end)
	dc.OnBufferedAmountLow(func() {
		select {
		case s.low <- struct{}{}:
		default:
		}
	})
	return s
}
