package rsp

import (
	"net"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-rtc/parley/signaling"
)

// write sends what is queued, and heartbeats once the client is welcome.
func (c *ServerConn) write() {
	defer close(c.flushed)
	var ticks <-chan time.Time
	started := c.started
	for {
		data, last := c.out.next()
		if data != nil {
			if !c.writeFrame(data) {
				return
			}
			continue
		}
		if last {
			code, text := c.out.closing()
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text),
				time.Now().Add(c.opts.WriteTimeout)) // the socket goes either way
			_ = c.raw.SetReadDeadline(time.Now().Add(hangUpTimeout)) // for the client to hang up
			return
		}
		select {
		case <-c.out.wake:
		case <-started:
			started = nil
			c.mu.Lock()
			ticker := time.NewTicker(max(c.period-heartbeatLead, c.period/2))
			c.mu.Unlock()
			defer ticker.Stop()
			ticks = ticker.C
		case <-ticks:
			if !c.writeFrame(heartbeatFrame) {
				return
			}
		case <-c.done:
			return
		}
	}
}

func (c *ServerConn) writeFrame(data []byte) bool {
	deadline := time.Now().Add(c.opts.WriteTimeout)
	c.mu.Lock()
	if c.draining && c.flushBy.Before(deadline) {
		deadline = c.flushBy
	}
	c.mu.Unlock()
	_ = c.ws.SetWriteDeadline(deadline) // only stores it
	err := c.ws.WriteMessage(websocket.TextMessage, data)
	switch {
	case err == nil:
		c.mu.Lock()
		c.stats.MessagesOut++
		c.stats.BytesOut += uint64(len(data))
		c.mu.Unlock()
		return true
	case isTimeout(err):
		_ = c.dropSlow() // the connection keeps it as its end
	default:
		// The client may have said goodbye before it hung up: read that first.
		c.mu.Lock()
		c.broken = true
		_ = c.raw.SetReadDeadline(time.Now().Add(drainTimeout))
		c.mu.Unlock()
	}
	return false
}

// dropSlow cuts off a client that does not read. No close frame can reach it.
func (c *ServerConn) dropSlow() *signaling.Error {
	e := signaling.Errorf(signaling.CodeSignalingDisconnected, "rsp: client does not read what is sent to it")
	e.Reason = signaling.DisconnectSlow
	c.setCause(e)
	c.log.Debug("slow client dropped", "remote", c.RemoteAddr())
	if t, ok := c.raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // the kernel need not keep what is unread either
	}
	c.drop()
	return e
}

// welcome queues the welcome, once for each call, and starts the heartbeats.
func (c *ServerConn) welcome() {
	c.mu.Lock()
	if c.phase == phaseRejected {
		c.mu.Unlock()
		return
	}
	first := !c.welcomed
	c.welcomed = true
	period := c.period
	c.mu.Unlock()
	data, _ := encode(frame{Type: frameWelcome, NegotiatedTimeout: toMilliseconds(period)}) // cannot fail
	if !c.out.put(data) {
		_ = c.dropSlow() // the connection keeps it as its end
	}
	if first {
		close(c.started)
	}
}

func (c *ServerConn) sendMessage(m *serverMessage) error {
	if err := c.cause(); err != nil {
		return err
	}
	data, err := encodeMsg(m)
	if err != nil {
		return signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: %s: %w", m.Type, err)
	}
	if !c.out.put(data) {
		return c.dropSlow()
	}
	return nil
}

// Send queues the sections for the client, in order. It never blocks: a client
// for whom too much waits is cut off. Its error is the cause of the
// connection's end. Channel messages for a client that does not speak the
// extensions, and warnings for one that did not ask for them, are left out.
func (c *ServerConn) Send(update signaling.Update) error {
	if !validPayloads(update.Channels) {
		return signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: channel payload is not JSON")
	}
	c.mu.Lock()
	accepted, parley, warnings := c.phase == phaseAccepted, c.parley, c.warnings
	c.mu.Unlock()
	if !accepted {
		if err := c.cause(); err != nil {
			return err
		}
		return errNotAccepted
	}
	m := sectionsMessage(&update, parley)
	if !m.empty() {
		if err := c.sendMessage(m); err != nil {
			return err
		}
	}
	if w := update.Warnings; w != nil && warnings {
		return c.sendMessage(warningMessage(w))
	}
	return c.cause()
}

func (m *serverMessage) empty() bool {
	return m.Participants == nil && m.Connections == nil && m.Published == nil && m.Subscribed == nil &&
		m.Recording == nil && m.MediaSignaling == nil && m.Channels == nil
}

func warningMessage(w *signaling.Warnings) *serverMessage {
	states := &warningStates{Revision: w.Revision, Tracks: warningMap{}}
	for sid, noMedia := range w.NoMedia {
		states.Tracks[sid] = trackWarning{Recordings: "OK"}
		if noMedia {
			states.Tracks[sid] = trackWarning{Recordings: "NO_MEDIA"}
		}
	}
	return &serverMessage{Type: typeWarning, Version: rspVersion, States: states}
}

// errorFrames is the error message, after the welcome without which no client
// reads it.
func (c *ServerConn) errorFrames(e *signaling.Error) [][]byte {
	m := &serverMessage{
		Type: typeError, Version: rspVersion, Code: int(e.Code), Message: cut(e.Message),
		Reason: string(e.Reason),
	}
	setRetry(m, e.RetryAfter)
	if m.Message == "" {
		m.Message = e.Code.Text()
	}
	return c.welcomeThen(m)
}

func setRetry(m *serverMessage, after time.Duration) {
	if after != 0 {
		ms := retryMilliseconds(after)
		m.RetryAfter = &ms
	}
}

// retryMilliseconds gives -1 for never.
func retryMilliseconds(after time.Duration) float64 {
	if after < 0 {
		return -1
	}
	return toMilliseconds(after)
}

func (c *ServerConn) welcomeThen(m *serverMessage) [][]byte {
	c.mu.Lock()
	welcomed, period := c.welcomed, c.period
	c.mu.Unlock()
	if period == 0 {
		period = c.opts.Heartbeat
	}
	var frames [][]byte
	if !welcomed {
		data, _ := encode(frame{Type: frameWelcome, NegotiatedTimeout: toMilliseconds(period)}) // cannot fail
		frames = append(frames, data)
	}
	data, _ := encodeMsg(m) // cannot fail: it holds no raw JSON
	return append(frames, data)
}

// finish queues the last frames. What the client sends from here on is read for
// the sake of the socket only.
func (c *ServerConn) finish(code int, text string, frames ...[]byte) {
	c.mu.Lock()
	if !c.draining {
		c.draining = true
		c.flushBy = time.Now().Add(c.opts.WriteTimeout)
		close(c.ending)
	}
	c.mu.Unlock()
	c.out.finish(code, text, frames...)
}

// End ends an accepted session for good. The client gets err when it has a
// code, and otherwise a plain end with the reason; a retryAfter above zero asks
// it to come back. End waits for the client to read it no longer than the write
// timeout, and closes the connection.
func (c *ServerConn) End(err *signaling.Error, reason signaling.DisconnectReason, retryAfter time.Duration) {
	var cause *signaling.Error
	if err != nil {
		copied := *err
		cause = &copied
	} else {
		cause = &signaling.Error{Message: "rsp: session was ended"}
	}
	if reason != "" {
		cause.Reason = reason
	}
	if retryAfter != 0 {
		cause.RetryAfter = retryAfter
	}
	c.setCause(cause)
	code := websocket.CloseNormalClosure
	if cause.RetryAfter > 0 {
		code = websocket.CloseServiceRestart
	}
	switch {
	case cause.Code != 0 && cause.Code != signaling.CodeRoomCompleted:
		c.finish(code, "", c.errorFrames(cause)...)
	default:
		m := &serverMessage{
			Type: typeDisconnected, Version: rspVersion, Status: "disconnected", Reason: string(cause.Reason),
		}
		if cause.Reason == signaling.DisconnectCompleted || cause.Code == signaling.CodeRoomCompleted {
			m.Status = "completed"
		}
		setRetry(m, cause.RetryAfter)
		c.finish(code, "", c.welcomeThen(m)...)
	}
	c.flush()
}

// flush waits for the last words to be read, and closes.
func (c *ServerConn) flush() {
	timer := time.NewTimer(c.opts.WriteTimeout)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	}
	c.Close()
}

// Close drops the connection and waits for its goroutines. The client may come
// back. Close is idempotent and may be called from any goroutine.
func (c *ServerConn) Close() {
	c.drop()
	c.wg.Wait()
}
