package rsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-rtc/parley/signaling"
)

const (
	minServerPeriod = time.Second
	// What a client may still send, and for how long, once its connection
	// is ending: enough to read its goodbye, so that the socket is not reset
	// over the last words to it.
	maxDiscarded  = 8192 // messages
	hangUpTimeout = 500 * time.Millisecond
)

// joinPhase is how far a connection has come:
//
//	awaiting -> joining -> accepted
//	      \--------\-----> rejected
type joinPhase int

const (
	phaseAwaiting joinPhase = iota // no join was read
	phaseJoining                   // a join was read and not answered
	phaseAccepted
	phaseRejected
)

// read runs until the socket ends.
func (c *ServerConn) read() {
	c.setCause(c.readMessages())
	if !c.isDraining() {
		// Whoever receives learns of a client that left now, not when its
		// socket is gone. Where we have the last word it must be out first:
		// the answer to the error is Close.
		close(c.in)
		c.discard()
	} else {
		c.discard()
		defer close(c.in)
	}
	c.drop()
}

// readMessages hands on the client's messages until it leaves or misbehaves.
func (c *ServerConn) readMessages() error {
	for {
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			return c.readError(err)
		}
		c.count(len(data))
		if c.isDraining() {
			return c.cause()
		}
		if !c.rate.take() {
			return c.violation(errors.New("message rate exceeded"))
		}
		if kind != websocket.TextMessage {
			return c.violation(errors.New("binary message"))
		}
		f, err := decodeFrame(data)
		if err != nil {
			return c.violation(err)
		}
		switch f.Type {
		case frameHello:
			err = c.readHello(f)
		case frameMsg:
			err = c.readMsg(f.Body)
		case frameHeartbeat:
		default: // bye too: the end of the socket says the same
			continue
		}
		if err != nil {
			return err
		}
		c.alive()
	}
}

// readHello answers a hello. One that carries a join is welcomed with the
// answer to it, so that the answer can still be "busy". A repeated one says
// that the client is getting impatient; its body was read before.
func (c *ServerConn) readHello(f frame) error {
	if f.Version != tcmpVersion {
		data, _ := encode(frame{Type: frameBad, Reason: "unsupported version"}) // cannot fail
		c.finish(closeRejected, "unsupported version", data)
		return protocolError(fmt.Errorf("hello of version %d", f.Version))
	}
	c.mu.Lock()
	first := c.period == 0
	if first {
		least := min(minServerPeriod, c.opts.Heartbeat)
		c.period = min(max(milliseconds(f.Timeout), least), c.opts.Heartbeat)
		if f.Timeout <= 0 {
			c.period = c.opts.Heartbeat
		}
		c.joinBy = time.Now().Add(c.opts.JoinTimeout)
	}
	c.mu.Unlock()

	if !first || f.Body == nil {
		c.welcome()
		return nil
	}
	m, err := decodeClientMessage(f.Body)
	if err != nil {
		return c.violation(err)
	}
	if m.Type != typeConnect && m.Type != typeSync {
		c.welcome()
	}
	return c.handle(m)
}

func (c *ServerConn) readMsg(body []byte) error {
	c.mu.Lock()
	greeted := c.period != 0
	c.mu.Unlock()
	if !greeted {
		return nil
	}
	m, err := decodeClientMessage(body)
	if err != nil {
		return c.violation(err)
	}
	return c.handle(m)
}

// handle hands a message on if this is the time for it. A join counts once for
// each socket.
func (c *ServerConn) handle(m *clientMessage) error {
	c.mu.Lock()
	phase := c.phase
	pass := false
	switch m.Type {
	case typeConnect, typeSync:
		if pass = phase == phaseAwaiting; pass {
			c.phase = phaseJoining
			c.resume = m.Type == typeSync
			c.parley = m.Parley != nil
			c.agent = agentOf(m.Publisher)
			for _, w := range m.Participant.MediaWarnings {
				c.warnings = c.warnings || w == "recordings"
			}
		}
	case typeICE:
		pass = phase == phaseAwaiting
	case typeUpdate:
		pass = phase == phaseAccepted || phase == phaseJoining
	}
	c.mu.Unlock()

	if m.Type == typeDisconnect {
		c.log.Debug("client leaves", "remote", c.RemoteAddr())
		return io.EOF
	}
	if !pass {
		return nil
	}
	select {
	case c.in <- m:
		return nil
	case <-c.ending:
	case <-c.done:
	}
	return c.cause()
}

// alive notes a sign of life of the client.
func (c *ServerConn) alive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining || c.broken || c.period == 0 {
		return
	}
	now := time.Now()
	deadline := now.Add(missedHeartbeats * c.period)
	switch c.phase {
	case phaseAwaiting:
		if c.joinBy.Before(deadline) {
			deadline = c.joinBy
		}
	case phaseJoining:
		// The client owes nothing before it is welcome.
		deadline = now.Add(max(c.opts.JoinTimeout, missedHeartbeats*c.period))
	}
	_ = c.raw.SetReadDeadline(deadline) // shows in the next read
}

// violation ends the connection of a client that breaks the protocol.
func (c *ServerConn) violation(err error) error {
	e := protocolError(err)
	c.finish(closeRejected, "protocol", c.errorFrames(e)...)
	return e
}

func protocolError(err error) *signaling.Error {
	e := signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: invalid message: %w", err)
	e.Reason = signaling.DisconnectProtocol
	return e
}

var errRate = errors.New("control frame rate exceeded")

func (c *ServerConn) ping(data string) error {
	if !c.rate.take() {
		return errRate
	}
	err := c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(closeGrace))
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) && !isTimeout(err) {
		return err
	}
	return nil
}

func (c *ServerConn) pong(string) error {
	if !c.rate.take() {
		return errRate
	}
	return nil
}

// readError explains why reading from the client ended.
func (c *ServerConn) readError(err error) error {
	c.mu.Lock()
	greeted, phase, broken := c.period != 0, c.phase, c.broken
	c.mu.Unlock()
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed) && closed.Code == websocket.CloseNormalClosure:
		return io.EOF
	case errors.Is(err, websocket.ErrReadLimit):
		return protocolError(err) // gorilla has sent 1009
	case errors.Is(err, errRate):
		return c.violation(err)
	case broken:
		return signaling.Errorf(signaling.CodeSignalingDisconnected, "rsp: connection lost while sending: %w", err)
	case isTimeout(err) && !greeted:
		return signaling.Errorf(signaling.CodeSignalingTimeout, "rsp: no hello within %v", c.opts.HelloTimeout)
	case isTimeout(err) && phase == phaseAwaiting:
		return signaling.Errorf(signaling.CodeSignalingTimeout, "rsp: no join came")
	}
	e := lostError(err)
	if e.Code == signaling.CodeSignalingIncomingInvalid {
		return protocolError(err)
	}
	return e
}

// discard reads on, within bounds, until the client hangs up as well.
func (c *ServerConn) discard() {
	wait := hangUpTimeout
	if c.isDraining() {
		wait += c.opts.WriteTimeout
	}
	c.mu.Lock()
	c.broken = true
	_ = c.raw.SetReadDeadline(time.Now().Add(wait))
	c.mu.Unlock()
	for range maxDiscarded {
		if _, _, err := c.ws.NextReader(); err != nil {
			break
		}
	}
	if !c.out.finished() {
		return
	}
	// Reading may have ended before the last words were written.
	select {
	case <-c.flushed:
	case <-c.done:
	}
}

// Receive returns the client's next update. It returns io.EOF when the client
// has left in order, and a [*signaling.Error] otherwise: the client was lost
// ([signaling.CodeSignalingDisconnected], with [signaling.DisconnectSlow] as
// the reason when it did not read), or it broke the protocol
// ([signaling.CodeSignalingOutgoingInvalid]) and was told so. These are final;
// the context's error is not.
func (c *ServerConn) Receive(ctx context.Context) (signaling.Update, error) {
	if err := ctx.Err(); err != nil {
		return signaling.Update{}, fmt.Errorf("rsp: receive: %w", err)
	}
	for {
		select {
		case m, ok := <-c.in:
			if !ok {
				return signaling.Update{}, c.cause()
			}
			if m.Type == typeUpdate {
				return m.clientUpdate(), nil
			}
		case <-ctx.Done():
			return signaling.Update{}, fmt.Errorf("rsp: receive: %w", ctx.Err())
		}
	}
}

// clientUpdate translates the sections of an update.
func (m *clientMessage) clientUpdate() signaling.Update {
	u := signaling.Update{
		Subscribe:        subscribeFromWire(m.Subscribe),
		BandwidthProfile: profileFromWire(m.Profile),
		PeerConnections:  connectionsFromWire(m.Connections),
		Channels:         channelsFromWire(nil, m.Channels),
	}
	if m.Participant != nil {
		p := localFromWire(m.Participant)
		u.Participant = &p
	}
	return u
}

func (c *ServerConn) count(n int) {
	c.mu.Lock()
	c.stats.MessagesIn++
	c.stats.BytesIn += uint64(n)
	c.mu.Unlock()
}

func (c *ServerConn) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

func (c *ServerConn) setCause(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
}

func (c *ServerConn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// drop closes the socket.
func (c *ServerConn) drop() {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	if c.err == nil {
		c.err = errClosed
	}
	c.mu.Unlock()
	if first {
		close(c.done)
		_ = c.raw.Close() // there is nothing to do about a failing Close
	}
}
