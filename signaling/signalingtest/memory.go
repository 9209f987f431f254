package signalingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/parley-rtc/parley/signaling"
)

// maxQueued bounds the updates that wait for a client; more end its session.
const maxQueued = 4096

// Transport is a [signaling.Transport] without a network. Each Dial waits for a
// [Transport.Next] that takes the join. It runs no goroutines.
type Transport struct {
	joins chan *Conn

	mu      sync.Mutex
	servers []signaling.ICEServer
	refusal error
}

var _ signaling.Transport = (*Transport)(nil)

// NewTransport returns a transport to which nobody listens yet.
func NewTransport() *Transport { return &Transport{joins: make(chan *Conn)} }

// SetPrepare chooses what Prepare returns.
func (t *Transport) SetPrepare(servers []signaling.ICEServer, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.servers, t.refusal = servers, err
}

// Prepare returns what SetPrepare was given, at first nothing.
func (t *Transport) Prepare(ctx context.Context, _ string) ([]signaling.ICEServer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("signalingtest: prepare: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.servers, t.refusal
}

// Dial hands the join to Next and waits for the answer.
func (t *Transport) Dial(ctx context.Context, join signaling.Join) (signaling.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("signalingtest: dial: %w", err)
	}
	c := &Conn{
		join:     join,
		local:    join.Participant,
		answered: make(chan struct{}),
		gone:     make(chan struct{}),
		toClient: make(chan struct{}, 1),
		toServer: make(chan struct{}, 1),
	}
	select {
	case t.joins <- c:
	case <-ctx.Done():
		return nil, fmt.Errorf("signalingtest: dial: %w", ctx.Err())
	}
	select {
	case <-c.answered:
	case <-c.gone:
	case <-ctx.Done():
		c.leave(lost("dial was canceled"))
		return nil, fmt.Errorf("signalingtest: dial: %w", ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.accepted {
		return nil, c.clientErr
	}
	return &session{c}, nil
}

// Next waits for a client and returns the server's side of its connection. The
// join is to be answered with Accept or Reject.
func (t *Transport) Next(ctx context.Context) (*Conn, error) {
	select {
	case c := <-t.joins:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("signalingtest: next: %w", ctx.Err())
	}
}

// Conn is the server's side of a session in memory. It checks nothing: what it
// is given reaches the client as it is. Its methods may be called from any
// goroutine.
type Conn struct {
	join     signaling.Join
	answered chan struct{} // closed by Accept and Reject
	gone     chan struct{} // closed when either side has ended it
	toClient chan struct{} // one slot: something changed for Receive
	toServer chan struct{}

	mu        sync.Mutex
	replied   bool
	accepted  bool
	state     signaling.State
	updates   []signaling.Update // for the client
	clientErr error              // after them
	local     signaling.LocalParticipant
	pending   signaling.Update // for the server
	dirty     bool
	serverErr error // after it
	goneOnce  sync.Once
}

var _ Peer = (*Conn)(nil)

var (
	errAnswered = errors.New("signalingtest: the join was answered before")
	errClosed   = &signaling.Error{Message: "signalingtest: session is closed", Cause: net.ErrClosed}
)

func lost(why string) *signaling.Error {
	return signaling.Errorf(signaling.CodeSignalingDisconnected, "signalingtest: connection lost: %s", why)
}

// Join is what the client asked for.
func (c *Conn) Join() signaling.Join { return c.join }

// Accept lets the client in with the state, whose Update.Full it sets.
func (c *Conn) Accept(state signaling.State) error {
	state.Update.Full = true
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serverErr != nil {
		return c.serverErr
	}
	if c.replied {
		return errAnswered
	}
	c.replied, c.accepted, c.state = true, true, state
	close(c.answered)
	return nil
}

// Reject refuses the client.
func (c *Conn) Reject(err *signaling.Error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serverErr != nil {
		return c.serverErr
	}
	if c.replied {
		return errAnswered
	}
	c.replied, c.clientErr, c.serverErr = true, err, err
	close(c.answered)
	return nil
}

// Send queues an update for the client.
func (c *Conn) Send(update signaling.Update) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serverErr != nil {
		return c.serverErr
	}
	if len(c.updates) >= maxQueued {
		c.clientErr = lost("too many updates wait")
		c.serverErr = &signaling.Error{
			Code: signaling.CodeSignalingDisconnected, Message: "signalingtest: slow client",
			Reason: signaling.DisconnectSlow,
		}
		c.end()
		return c.serverErr
	}
	c.updates = append(c.updates, update)
	poke(c.toClient)
	return nil
}

// Receive returns the client's next update, io.EOF when it has left, or a
// [*signaling.Error] when it was lost.
func (c *Conn) Receive(ctx context.Context) (signaling.Update, error) {
	for {
		c.mu.Lock()
		if c.dirty {
			u := c.pending
			local := c.local
			u.Participant = &local
			c.pending, c.dirty = signaling.Update{}, false
			c.mu.Unlock()
			return u, nil
		}
		err := c.serverErr
		c.mu.Unlock()
		if err != nil {
			return signaling.Update{}, err
		}
		select {
		case <-c.toServer:
		case <-c.gone:
		case <-ctx.Done():
			return signaling.Update{}, fmt.Errorf("signalingtest: receive: %w", ctx.Err())
		}
	}
}

// End ends the session: with err if it has a code, or plainly with the reason.
func (c *Conn) End(err *signaling.Error, reason signaling.DisconnectReason, retryAfter time.Duration) {
	e := &signaling.Error{Message: "signalingtest: server ended the session"}
	if err != nil {
		copied := *err
		e = &copied
	} else if reason == signaling.DisconnectCompleted {
		e = signaling.NewError(signaling.CodeRoomCompleted)
	}
	if reason != "" {
		e.Reason = reason
	}
	if retryAfter != 0 {
		e.RetryAfter = retryAfter
	}
	c.finish(e, e)
}

// Drop loses the connection: the client may resume.
func (c *Conn) Drop() { c.finish(lost("dropped"), lost("dropped")) }

// leave ends the session from the client's side.
func (c *Conn) leave(server error) { c.finish(errClosed, server) }

func (c *Conn) finish(client, server error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clientErr == nil {
		c.clientErr = client
	}
	if c.serverErr == nil {
		c.serverErr = server
	}
	c.end()
}

func (c *Conn) end() { c.goneOnce.Do(func() { close(c.gone) }) }

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// session is the client's side.
type session struct{ c *Conn }

func (s *session) Initial() signaling.State {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.state
}

func (s *session) Send(update signaling.Update) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clientErr != nil {
		return c.clientErr
	}
	if p := update.Participant; p != nil && p.Revision >= c.local.Revision {
		c.local, c.dirty = *p, true
	}
	w := &c.pending
	if n := update.Subscribe; n != nil && (w.Subscribe == nil || n.Revision >= w.Subscribe.Revision) {
		w.Subscribe, c.dirty = n, true
	}
	if update.BandwidthProfile != nil {
		w.BandwidthProfile, c.dirty = update.BandwidthProfile, true
	}
	for _, pc := range update.PeerConnections {
		w.PeerConnections, c.dirty = mergeConnection(w.PeerConnections, pc), true
	}
	if len(update.Channels) > 0 {
		w.Channels, c.dirty = append(w.Channels, update.Channels...), true
	}
	poke(c.toServer)
	return nil
}

// mergeConnection keeps the newest description and candidates of each peer
// connection. An answer is kept beside the offer that follows it: the server
// makes nothing of the offer while it waits for the answer.
func mergeConnection(waiting []signaling.PeerConnection, pc signaling.PeerConnection) []signaling.PeerConnection {
	last := -1
	for i := range waiting {
		if waiting[i].ID == pc.ID {
			last = i
		}
	}
	if last < 0 {
		return append(waiting, pc)
	}
	w := &waiting[last]
	if d := pc.Description; d != nil {
		switch {
		case w.Description == nil:
			w.Description = d
		case d.Revision < w.Description.Revision:
		case answers(w.Description) && !answers(d) && d.Revision > w.Description.Revision:
			return append(waiting, pc)
		default:
			w.Description = d
		}
	}
	if ice := pc.ICE; ice != nil && (w.ICE == nil || ice.Revision >= w.ICE.Revision) {
		w.ICE = ice
	}
	return waiting
}

func answers(d *signaling.Description) bool {
	return d.Type == signaling.DescriptionAnswer || d.Type == signaling.DescriptionPranswer
}

func (s *session) Receive(ctx context.Context) (signaling.Update, error) {
	c := s.c
	for {
		if err := ctx.Err(); err != nil {
			return signaling.Update{}, fmt.Errorf("signalingtest: receive: %w", err)
		}
		c.mu.Lock()
		closed := errors.Is(c.clientErr, errClosed)
		if len(c.updates) > 0 && !closed {
			u := c.updates[0]
			c.updates = c.updates[1:]
			c.mu.Unlock()
			return u, nil
		}
		err := c.clientErr
		c.mu.Unlock()
		if err != nil {
			return signaling.Update{}, err
		}
		select {
		case <-c.toClient:
		case <-c.gone:
		case <-ctx.Done():
		}
	}
}

func (s *session) Close(_ context.Context, reason signaling.Reason) error {
	if reason == signaling.ReasonReplaced {
		s.c.leave(lost("given up by the client"))
	} else {
		s.c.leave(io.EOF)
	}
	return nil
}
