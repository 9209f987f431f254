package rsp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/parley-rtc/parley/signaling"
)

const (
	maxHellos    = 3                     // in a row without a welcome
	maxPostpone  = 32                    // busy answers in one dial
	minPostpone  = 50 * time.Millisecond // whatever a busy server says
	abandonGrace = 50 * time.Millisecond // to say goodbye when a dial is canceled
	maxHTTPBytes = 256 << 10             // of the opening handshake, TLS included
	maxIncoming  = 1 << 20               // bytes of one message
)

// handshake opens a socket, says hello with the body and waits for the message
// of type want. It follows a busy server's wishes. On success the caller owns
// the link.
func (t *Transport) handshake(ctx context.Context, body []byte, want string) (*link, *serverMessage, error) {
	cookie := ""
	postponed := 0
	for {
		l, err := t.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		h := &greeting{t: t, l: l, body: body, want: want, cookie: cookie, postponed: postponed}
		m, err := h.run(ctx)
		if err == nil {
			return l, m, nil
		}
		var again *redialError
		if !errors.As(err, &again) {
			if ctx.Err() != nil {
				// The server may have heard us: take the join back.
				farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonGrace)
				l.hangUp(farewell, &disconnectMessage{Type: typeDisconnect, Version: rspVersion})
				cancel()
				return nil, nil, fmt.Errorf("rsp: joining: %w", ctx.Err())
			}
			l.close()
			return nil, nil, err
		}
		l.closeWith(closeBusy, "busy")
		cookie, postponed = h.cookie, h.postponed
		timer := time.NewTimer(again.after)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, fmt.Errorf("rsp: waiting for a busy server: %w", ctx.Err())
		}
	}
}

// redialError asks for a new socket later.
type redialError struct{ after time.Duration }

func (e *redialError) Error() string { return "server is busy, dial again in " + e.after.String() }

// open dials the WebSocket and starts the link on it.
func (t *Transport) open(ctx context.Context) (*link, error) {
	u, err := checkURL(t.opts.URL)
	if err != nil {
		return nil, signaling.Errorf(signaling.CodeSignalingConnection, "rsp: %w", err)
	}
	var raw *guardedConn
	var stop func() bool
	dialer := websocket.Dialer{
		HandshakeTimeout: t.opts.OpenTimeout,
		TLSClientConfig:  t.opts.TLSConfig,
		NetDialContext: func(dialCtx context.Context, network, addr string) (net.Conn, error) {
			c, err := t.opts.NetDialContext(dialCtx, network, addr)
			if err != nil {
				return nil, err
			}
			raw = &guardedConn{Conn: c}
			raw.left.Store(maxHTTPBytes)
			// The handshake itself does not look at the context.
			stop = context.AfterFunc(ctx, func() { _ = c.Close() }) // the dial fails with it
			return raw, nil
		},
	}
	//nolint:bodyclose // the dialer has read what there is and closed it
	ws, resp, err := dialer.DialContext(ctx, u.String(), t.opts.Header)
	canceled := stop != nil && !stop()
	if err == nil && resp.Header.Get("Sec-Websocket-Extensions") != "" {
		// We offered none. A compressed stream would evade the read limit.
		err = errors.New("server uses a WebSocket extension that was not offered")
	}
	if err != nil || canceled {
		if raw != nil {
			_ = raw.Close() // it was not opened for good
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("rsp: dialing %s: %w", u.Host, ctx.Err())
		}
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			// The socket has the same deadline and may notice first.
			return nil, fmt.Errorf("rsp: dialing %s: %w", u.Host, context.DeadlineExceeded)
		}
		return nil, dialError(u.Host, resp, err)
	}
	raw.left.Store(-1)
	t.opts.Logger.Debug("signaling socket open", "host", u.Host)
	return newLink(ws, raw.Conn, t.opts), nil
}

// dialError explains a socket that did not open. Its cause never matches the
// errors of a context: the caller's was not the reason.
func dialError(host string, resp *http.Response, err error) *signaling.Error {
	e := &signaling.Error{Code: signaling.CodeSignalingConnection}
	switch {
	case errors.Is(err, websocket.ErrBadHandshake) && resp != nil:
		e.Message = fmt.Sprintf("rsp: dialing %s: server answered %d %s",
			host, resp.StatusCode, http.StatusText(resp.StatusCode))
		if s, convErr := strconv.Atoi(resp.Header.Get("Retry-After")); convErr == nil && s > 0 {
			e.RetryAfter = milliseconds(float64(s) * 1000)
		}
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || isTimeout(err):
		e.Message = fmt.Sprintf("rsp: dialing %s: timed out", host)
	default:
		e.Message = fmt.Sprintf("rsp: dialing %s: %v", host, err)
		e.Cause = err
	}
	return e
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// guardedConn bounds what the opening handshake may read: HTTP headers of a
// hostile server have no other end.
type guardedConn struct {
	net.Conn
	left atomic.Int64 // bytes; negative: no limit
}

func (c *guardedConn) Read(p []byte) (int, error) {
	left := c.left.Load()
	if left == 0 {
		return 0, errors.New("opening handshake is too long")
	}
	if left > 0 && int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.Conn.Read(p)
	if left > 0 {
		c.left.CompareAndSwap(left, left-int64(n))
	}
	return n, err
}

// greeting is the exchange from hello to the answer on one socket.
type greeting struct {
	t         *Transport
	l         *link
	body      []byte
	want      string
	cookie    string
	postponed int

	hellos int
	timer  *time.Timer
}

// The phases of a greeting.
type phase int

const (
	phaseHello   phase = iota // hello sent, no welcome yet
	phaseWaiting              // told to come back on this socket
	phaseOpen                 // welcome, awaiting the answer
)

func (g *greeting) run(ctx context.Context) (*serverMessage, error) {
	opts := &g.t.opts
	g.timer = time.NewTimer(opts.WelcomeTimeout)
	defer g.timer.Stop()
	if err := g.hello(); err != nil {
		return nil, err
	}
	at := phaseHello
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case in, ok := <-g.l.in:
			if !ok {
				return nil, joinError(g.l.cause())
			}
			switch {
			case in.msg != nil && in.msg.Type == g.want:
				return in.msg, nil
			case in.frame.Type == frameWelcome:
				at = phaseOpen
				g.timer.Reset(opts.AnswerTimeout)
			case in.frame.Type == frameBad:
				g.l.closeWith(closeBad, "bad")
				return nil, &signaling.Error{
					Code:    signaling.CodeSignalingConnection,
					Message: "rsp: server rejected the hello: " + cut(in.frame.Reason),
				}
			case in.frame.Type == frameBusy && at == phaseHello:
				if err := g.busy(ctx, in.frame); err != nil {
					return nil, err
				}
				at = phaseWaiting
			}
		case <-g.timer.C:
			switch {
			case at == phaseOpen:
				return nil, signaling.Errorf(signaling.CodeSignalingConnection,
					"rsp: server did not answer the join within %v", opts.AnswerTimeout)
			case g.hellos >= maxHellos:
				g.l.closeWith(closeNoWelcome, "no welcome")
				return nil, signaling.Errorf(signaling.CodeSignalingConnection,
					"rsp: server did not answer %d hellos", g.hellos)
			}
			at = phaseHello
			g.timer.Reset(opts.WelcomeTimeout)
			if err := g.hello(); err != nil {
				return nil, err
			}
		}
	}
}

func (g *greeting) hello() error {
	data, err := encode(helloFrame{
		Type: frameHello, ID: uuid.NewString(), Version: tcmpVersion,
		Timeout: toMilliseconds(g.t.opts.Heartbeat), Cookie: g.cookie, Body: g.body,
	})
	if err != nil {
		return signaling.Errorf(signaling.CodeSignalingOutgoingInvalid, "rsp: hello: %w", err)
	}
	g.hellos++
	g.l.out.frame(data)
	return nil
}

// busy obeys a busy frame: it arms the timer for the next hello on this socket,
// or returns the error to end with.
func (g *greeting) busy(ctx context.Context, f frame) error {
	busy := signaling.NewError(signaling.CodeServerBusy)
	if f.RetryAfter == nil || *f.RetryAfter < 0 {
		busy.RetryAfter = -1
		g.l.closeWith(closeTerminalBusy, "busy")
		return busy
	}
	after := milliseconds(*f.RetryAfter)
	busy.RetryAfter = max(after, minPostpone)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < after {
		// Better to say now when to come back than to wait for nothing.
		g.l.closeWith(closeTerminalBusy, "busy")
		return busy
	}
	if g.postponed++; g.postponed > maxPostpone {
		g.l.closeWith(closeTerminalBusy, "busy")
		return busy
	}
	after = max(after, minPostpone)
	if f.Cookie != "" {
		g.cookie = f.Cookie
	}
	g.hellos = 0
	if f.KeepAlive != nil && *f.KeepAlive {
		g.timer.Reset(after)
		return nil
	}
	return &redialError{after: after}
}

// joinError turns the end of a link before the answer into the error of a dial.
func joinError(err *signaling.Error) error {
	lost := err.Cause != nil // and not ended by a message of the server
	switch {
	case lost && (err.Code == 0 || err.Code == signaling.CodeSignalingDisconnected):
		return &signaling.Error{
			Code:    signaling.CodeSignalingConnection,
			Message: "rsp: connection ended before the answer: " + err.Message,
			Cause:   err.Cause,
		}
	case err.Code == 0:
		e := *err
		e.Code = signaling.CodeSignalingDisconnected
		return &e
	}
	return err
}
