package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	// MaxMessage is the largest data message, in bytes.
	MaxMessage = 16 << 10
	// sendBuffer is how much may wait to be sent, per channel, before Send
	// waits too.
	sendBuffer = 1 << 20
	// receiveBuffer is how much may wait to be received, per channel; then
	// the oldest message goes, and is counted.
	receiveBuffer = 1 << 20
	// messageCost is what a message takes besides its data, about.
	messageCost = 64
)

// The errors of data channels.
var (
	ErrMessageTooLarge = errors.New("data message is larger than 16 KiB")
	ErrChannelClosed   = errors.New("data channel is closed")
)

// Reliability is how hard a data channel tries. At most one limit is set.
type Reliability struct {
	Unordered         bool
	MaxPacketLifeTime *time.Duration // whole milliseconds, at most 65535
	MaxRetransmits    *uint16
}

func (r Reliability) init() *webrtc.DataChannelInit {
	ordered := !r.Unordered
	init := &webrtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: r.MaxRetransmits}
	if r.MaxPacketLifeTime != nil {
		ms := uint16(r.MaxPacketLifeTime.Milliseconds())
		init.MaxPacketLifeTime = &ms
	}
	return init
}

// channelSender is the sending end of one data channel. Its methods may be
// called from any goroutine.
type channelSender struct {
	dc   *webrtc.DataChannel
	once sync.Once
	open chan struct{}
	gone chan struct{}
	low  chan struct{} // one-slot poke

	turn chan struct{} // one sender at a time, in order of arrival

	mu     sync.Mutex
	isOpen bool
	then   func() // see whenOpen
	closed bool
	sizes  []int // of the messages that may not be acknowledged yet, oldest first
	sent   int64
}

func (s *channelSender) opened() {
	s.once.Do(func() {
		close(s.open)
		s.mu.Lock()
		s.isOpen = true
		then := s.then
		s.mu.Unlock()
		if then != nil {
			then()
		}
	})
}

// whenOpen calls f once, on any goroutine, when the channel is open. There is
// one such f. Pion's own handler is not to be set twice: what the first call has
// set in motion already may use up the turn of the second.
func (s *channelSender) whenOpen(f func()) {
	s.mu.Lock()
	s.then = f
	open := s.isOpen
	s.mu.Unlock()
	if open {
		f()
	}
}

func (s *channelSender) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.gone)
	}
}

// Close closes the channel, once what was sent has been delivered, and makes
// waiting senders return.
func (s *channelSender) Close() error {
	s.end()
	return s.dc.Close()
}

// Drain waits until the server has acknowledged everything that was sent, as
// long as ctx allows.
func (s *channelSender) Drain(ctx context.Context) {
	s.dc.SetBufferedAmountLowThreshold(0)
	for s.dc.BufferedAmount() > 0 {
		select {
		case <-s.low:
		case <-s.gone:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Abandon makes waiting senders return and tells how many messages were not
// acknowledged by the server. The channel is not used any more.
func (s *channelSender) Abandon() (unconfirmed int) {
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim()
	return len(s.sizes)
}

// trim forgets the messages that have been acknowledged.
func (s *channelSender) trim() {
	waiting := int(s.dc.BufferedAmount())
	total := 0
	keep := len(s.sizes)
	for keep > 0 && total < waiting {
		keep--
		total += s.sizes[keep]
	}
	s.sizes = append(s.sizes[:0], s.sizes[keep:]...)
}

// Send sends a message. It waits while the channel is not open yet and while
// the buffer is full, as long as ctx allows.
func (s *channelSender) Send(ctx context.Context, data []byte, text bool) error {
	if len(data) > MaxMessage {
		return ErrMessageTooLarge
	}
	select {
	case s.turn <- struct{}{}:
	case <-s.gone:
		return ErrChannelClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	select {
	case <-s.open:
	case <-s.gone:
		return ErrChannelClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	for s.full(len(data)) {
		select {
		case <-s.low:
		case <-s.gone:
			return ErrChannelClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.push(data, text)
}

// full reports whether a message of that size has to wait.
func (s *channelSender) full(size int) bool {
	return s.dc.BufferedAmount()+uint64(size) > sendBuffer
}

// push sends a message that does not have to wait.
func (s *channelSender) push(data []byte, text bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrChannelClosed
	}
	var err error
	if text {
		err = s.dc.SendText(string(data))
	} else {
		err = s.dc.Send(data)
	}
	if err != nil {
		return errors.Join(ErrChannelClosed, err)
	}
	s.sent++
	s.sizes = append(s.sizes, max(len(data), 1))
	if len(s.sizes) > 256 {
		s.trim()
	}
	return nil
}

// Buffered returns the bytes that were sent and are not acknowledged.
func (s *channelSender) Buffered() int { return int(s.dc.BufferedAmount()) }

// Message is one data message.
type Message struct {
	Data []byte
	Text bool
}

// Size is what the message takes in a bounded queue. Empty ones are not free.
func (m Message) Size() int { return len(m.Data) + messageCost }

// DataReceiver is the receiving end of a data channel that the server opened.
// Its methods may be called from any goroutine.
type DataReceiver struct {
	dc *webrtc.DataChannel

	mu    sync.Mutex
	early []Message // before Bind; bounded by receiveBuffer, the oldest goes
	bytes int
	sink  func(Message)
	over  bool   // the channel has closed
	end   func() // see Finish; nil once it was called
}

// newDataReceiver begins to receive at once, so that nothing is missed before
// the announcement that says what the channel is.
func newDataReceiver(dc *webrtc.DataChannel) *DataReceiver {
	r := &DataReceiver{dc: dc}
	dc.OnMessage(func(m webrtc.DataChannelMessage) { r.push(Message{Data: m.Data, Text: m.IsString}) })
	return r
}

// onClose calls closed, on any goroutine, after the channel has closed. Pion has
// one handler of that, so it is called once, where the channel comes.
func (r *DataReceiver) onClose(closed func()) {
	r.dc.OnClose(func() {
		r.mu.Lock()
		r.over = true
		r.mu.Unlock()
		r.finished()
		closed()
	})
}

// finishTime is how long the last messages of a channel may take.
const finishTime = 10 * time.Second

// Finish calls end, on any goroutine, when the other side has closed the
// channel, which it does behind its last message; ten seconds are the most. Until
// then messages go on to the sink.
func (r *DataReceiver) Finish(end func()) {
	r.mu.Lock()
	r.end = end
	over := r.over
	r.mu.Unlock()
	if over {
		r.finished()
		return
	}
	time.AfterFunc(finishTime, r.finished)
}

func (r *DataReceiver) finished() {
	r.mu.Lock()
	end := r.end
	r.end = nil
	r.mu.Unlock()
	if end != nil {
		end()
	}
}

// Label returns the label of the channel.
func (r *DataReceiver) Label() string { return r.dc.Label() }

// Reliability returns what the channel was opened with.
func (r *DataReceiver) Reliability() Reliability {
	rel := Reliability{Unordered: !r.dc.Ordered(), MaxRetransmits: r.dc.MaxRetransmits()}
	if ms := r.dc.MaxPacketLifeTime(); ms != nil {
		d := time.Duration(*ms) * time.Millisecond
		rel.MaxPacketLifeTime = &d
	}
	return rel
}

// Bind gives every message to sink, those that came before first. sink is
// called on any goroutine, one call at a time, and must not block.
func (r *DataReceiver) Bind(sink func(Message)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.early {
		sink(m)
	}
	r.early, r.bytes, r.sink = nil, 0, sink
}

func (r *DataReceiver) push(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sink != nil {
		r.sink(m)
		return
	}
	r.early = append(r.early, m)
	r.bytes += m.Size()
	for r.bytes > receiveBuffer && len(r.early) > 1 {
		r.bytes -= r.early[0].Size()
		r.early[0] = Message{}
		r.early = r.early[1:]
	}
}
