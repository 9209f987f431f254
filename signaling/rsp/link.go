package rsp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-rtc/parley/signaling"
)

// Close codes of the client. 1000 is a normal end.
const (
	closeNoWelcome    = 3000
	closeSilence      = 3001
	closeBad          = 3002
	closeBusy         = 3005
	closeTerminalBusy = 3006
)

const (
	missedHeartbeats = 3
	heartbeatLead    = 200 * time.Millisecond
	minPeriod        = 250 * time.Millisecond
	maxPeriod        = 60 * time.Second
	closeGrace       = 100 * time.Millisecond // to write a close frame
	leaveTimeout     = 600 * time.Millisecond // to write a farewell
	lingerTimeout    = 250 * time.Millisecond // for the server to hang up after it
	drainTimeout     = 250 * time.Millisecond // to read on after a failed write
	inboxSize        = 16                     // messages read ahead; more wait in the socket
	sendRate         = 40                     // messages a second, kept below what servers allow
	sendBurst        = 100
)

// link is the client's end of one socket. It runs two goroutines until close:
// read decodes what arrives, write sends the outbox and heartbeats. Whatever
// ends the link first is its cause for ever.
type link struct {
	ws   *websocket.Conn
	raw  net.Conn // below TLS: closing it cannot block
	opts Options
	log  *slog.Logger
	out  *outbox

	in      chan inbound  // closed by read at its end
	opened  chan struct{} // closed by read at the first welcome
	leaving chan struct{} // closed when what arrives is of no interest any more
	written chan struct{} // closed by write at its end
	done    chan struct{} // closed with the socket
	wg      sync.WaitGroup

	mu     sync.Mutex
	err    *signaling.Error
	closed bool
	left   bool
	broken error         // a write failed; read empties the socket
	period time.Duration // between heartbeats; 0 before welcome
}

// inbound is a message of the server, or a frame of the handshake.
type inbound struct {
	frame frame
	msg   *serverMessage
}

func newLink(ws *websocket.Conn, raw net.Conn, opts Options) *link {
	ws.SetReadLimit(maxIncoming)
	l := &link{
		ws: ws, raw: raw, opts: opts, log: opts.Logger, out: newOutbox(),
		in:      make(chan inbound, inboxSize),
		opened:  make(chan struct{}),
		leaving: make(chan struct{}),
		written: make(chan struct{}),
		done:    make(chan struct{}),
	}
	l.wg.Go(l.read)
	l.wg.Go(l.write)
	return l
}

// read runs until the socket ends or the server says the last word.
func (l *link) read() {
	defer close(l.in)
	open := false
	for {
		kind, data, err := l.ws.ReadMessage()
		if err != nil {
			if failed := l.writeError(); failed != nil {
				err = failed // and nothing that explains it came in
			} else if isTimeout(err) {
				l.sendClose(closeSilence, "heartbeats missed")
			}
			l.fail(lostError(err))
			return
		}
		if kind != websocket.TextMessage {
			l.fail(invalidError(errors.New("binary message")))
			return
		}
		f, err := decodeFrame(data)
		if err != nil {
			l.fail(invalidError(err))
			return
		}
		switch f.Type {
		case frameWelcome:
			if open {
				continue
			}
			open = true
			l.open(f)
			l.deliver(inbound{frame: f})
		case frameBusy, frameBad:
			if !open {
				l.deliver(inbound{frame: f})
			}
		case frameMsg:
			if !open {
				continue
			}
			m, err := decodeServerMessage(f.Body)
			if err != nil {
				l.fail(invalidError(err))
				return
			}
			if m.Type == typeError || m.Type == typeDisconnected {
				l.log.Debug("signaling ended by the server", "type", m.Type, "code", m.Code)
				l.fail(m.ending())
				return
			}
			l.deliver(inbound{msg: m})
			l.alive()
		case frameHeartbeat:
			if open {
				l.alive()
			}
		}
	}
}

func (l *link) writeError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// open begins the heartbeats.
func (l *link) open(f frame) {
	period := milliseconds(f.NegotiatedTimeout)
	if period <= 0 {
		period = l.opts.Heartbeat
	}
	l.mu.Lock()
	l.period = min(max(period, minPeriod), maxPeriod)
	l.mu.Unlock()
	close(l.opened)
	l.alive()
}

// alive notes a sign of life of the server.
func (l *link) alive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		// An error here shows in the next read.
		_ = l.raw.SetReadDeadline(time.Now().Add(missedHeartbeats * l.period))
	}
}

// deliver hands on what was read. It waits for a slow reader, so that the
// network holds the server back.
func (l *link) deliver(in inbound) {
	select {
	case <-l.leaving:
		return
	default:
	}
	select {
	case l.in <- in:
	case <-l.leaving:
	case <-l.done:
	}
}

// write sends the outbox until the farewell or the end.
func (l *link) write() {
	defer close(l.written)
	idle := time.NewTimer(time.Hour)
	defer idle.Stop()
	opened := l.opened
	// A client that is busy must not be taken for one that floods: beyond the
	// rate, what is sent merges a little longer.
	pace := bucket{rate: sendRate, burst: sendBurst}
	for {
		for l.out.waiting() && !pace.take() {
			if !l.pause(time.Second / sendRate) {
				return
			}
		}
		frames, leave, err := l.out.take()
		if err != nil {
			l.fail(signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: encoding: %w", err))
			return
		}
		for _, data := range frames {
			if !l.send(data) {
				return
			}
		}
		if leave {
			l.sendClose(websocket.CloseNormalClosure, "Normal")
			return
		}
		if len(frames) > 0 {
			idle.Reset(l.idle())
		}
		select {
		case <-l.out.wake:
		case <-opened:
			opened = nil
			idle.Reset(l.idle())
		case <-idle.C:
			if opened == nil && !l.send(heartbeatFrame) {
				return
			}
			idle.Reset(l.idle())
		case <-l.done:
			return
		}
	}
}

// pause waits, and reports whether the link is still up.
func (l *link) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

// idle is how long nothing may be sent.
func (l *link) idle() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.period == 0 {
		return time.Hour
	}
	return max(l.period-heartbeatLead, l.period/2)
}

func (l *link) send(data []byte) bool {
	_ = l.ws.SetWriteDeadline(time.Now().Add(l.opts.WriteTimeout)) // only stores it
	if err := l.ws.WriteMessage(websocket.TextMessage, data); err != nil {
		// The server may have said why before it hung up: read that first.
		l.log.Debug("signaling write failed", "err", err)
		l.mu.Lock()
		l.broken = fmt.Errorf("%w: %w", errWrite, err)
		_ = l.raw.SetReadDeadline(time.Now().Add(drainTimeout))
		l.mu.Unlock()
		return false
	}
	return true
}

// sendClose tells the server why the socket is about to go, best effort.
func (l *link) sendClose(code int, text string) {
	_ = l.ws.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(code, text), time.Now().Add(closeGrace))
}

// fail ends the link with its cause and drops the socket.
func (l *link) fail(err *signaling.Error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	first := !l.closed
	l.closed = true
	l.mu.Unlock()
	if first {
		close(l.done)
		_ = l.raw.Close() // there is nothing to do about a failing Close
	}
}

// cause is what ended the link.
func (l *link) cause() *signaling.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// close drops the socket and waits for the goroutines.
func (l *link) close() {
	l.fail(errClosed)
	l.wg.Wait()
}

func (l *link) closeWith(code int, text string) {
	l.sendClose(code, text)
	l.close()
}

// hangUp says goodbye in order, within the context and a second at most, and closes.
func (l *link) hangUp(ctx context.Context, farewell *disconnectMessage) {
	l.leave()
	l.out.leave(farewell)
	limit := time.NewTimer(leaveTimeout)
	defer limit.Stop()
	select {
	case <-l.written:
		// A socket that is closed with unread data in it is reset, and takes
		// the farewell with it: let the server hang up first.
		limit.Reset(lingerTimeout)
		select {
		case <-l.done:
		case <-limit.C:
		case <-ctx.Done():
		}
	case <-limit.C:
	case <-ctx.Done():
	}
	l.close()
}

// leave makes the local end the cause and lets no more messages in.
func (l *link) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = errClosed
	}
	if !l.left {
		l.left = true
		close(l.leaving)
	}
}

var errWrite = errors.New("sending")

// errClosed is what a session ends with when its own side closed it.
var errClosed = &signaling.Error{Message: "rsp: session is closed", Cause: net.ErrClosed}

func invalidError(err error) *signaling.Error {
	return signaling.Errorf(signaling.CodeSignalingIncomingInvalid, "rsp: invalid message: %w", err)
}

// lostError explains why reading from the server ended.
func lostError(err error) *signaling.Error {
	e := &signaling.Error{Code: signaling.CodeSignalingDisconnected, Cause: err}
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed) && closed.Code == websocket.CloseNormalClosure:
		// The peer's clients take this for an end without an error.
		e.Code, e.Message = 0, "rsp: server closed the session"
	case errors.As(err, &closed):
		e.Message = "rsp: connection lost: " + cut(closed.Error())
	case errors.Is(err, websocket.ErrReadLimit):
		return invalidError(err)
	case errors.Is(err, errWrite):
		e.Message = "rsp: connection lost: " + err.Error()
	case isTimeout(err):
		e.Message = "rsp: connection lost: heartbeats missed"
	case strings.HasPrefix(err.Error(), "websocket: "):
		return invalidError(err) // gorilla has no type for protocol errors
	default:
		e.Message = "rsp: connection lost: " + err.Error()
	}
	return e
}
