//go:build unix

package screen

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// A server that takes longer than this for an answer is gone.
const patience = 10 * time.Second

// conn is a connection to an X server on which one request is under way at a
// time: what is asked for is answered before the next is asked. That is all
// that capturing needs, and makes no garbage.
//
// An error of the connection leaves it in the middle of an answer: it is used
// no more.
type conn struct {
	net    net.Conn
	seq    uint16
	out    []byte   // the request being made
	head   [32]byte // of the last answer
	rest   [512]byte
	resize bool // the screen or window has changed since it was last looked at
	setup  setup
}

// xError is what the server says about a request.
type xError struct {
	code  byte
	major byte
}

// Codes of errors (X protocol, appendix B).
const (
	badWindow   = 3
	badMatch    = 8
	badDrawable = 9
	badAccess   = 10
)

func (e *xError) Error() string {
	return fmt.Sprintf("the X server answers error %d to request %d", e.code, e.major)
}

func isXError(err error, codes ...byte) bool {
	if err == nil {
		return false
	}
	var x *xError
	if !errors.As(err, &x) {
		return false
	}
	for _, c := range codes {
		if x.code == c {
			return true
		}
	}
	return false
}

// dial connects and greets.
func dial(ctx context.Context, a address) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, a.network, a.dial)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDisplay, err)
	}
	c := &conn{net: raw, out: make([]byte, 0, 64)}
	if err := c.greet(ctx, a); err != nil {
		_ = raw.Close() // the greeting's error says more
		return nil, err
	}
	return c, nil
}

// greet is the connection setup (X protocol, section 8).
func (c *conn) greet(ctx context.Context, a address) error {
	var ip net.IP
	if tcp, ok := c.net.RemoteAddr().(*net.TCPAddr); ok {
		ip = tcp.IP
	}
	key := cookie(ip, a.display)
	name := ""
	if key != nil {
		name = cookieName
	}
	hello := []byte{'l', 0, 11, 0, 0, 0, byte(len(name)), 0, byte(len(key)), 0, 0, 0}
	hello = append(hello, name...)
	hello = append(hello, make([]byte, pad(len(name)))...)
	hello = append(hello, key...)
	hello = append(hello, make([]byte, pad(len(key)))...)
	if err := c.write(hello); err != nil {
		return fmt.Errorf("%w: %w", ErrDisplay, err)
	}
	var head [8]byte
	if err := c.readFull(ctx, head[:]); err != nil {
		return fmt.Errorf("%w: %w", ErrDisplay, err)
	}
	rest := make([]byte, 4*int(binary.LittleEndian.Uint16(head[6:])))
	if err := c.readFull(ctx, rest); err != nil {
		return fmt.Errorf("%w: %w", ErrDisplay, err)
	}
	if head[0] != 1 {
		reason := rest[:min(int(head[1]), len(rest))]
		return fmt.Errorf("%w: the server says %q", ErrDisplay, reason)
	}
	var err error
	c.setup, err = parseSetup(rest)
	return err
}

// pad is how many bytes are missing to a multiple of four.
func pad(n int) int { return -n & 3 }

// begin starts a request: the opcode, a byte of its own, and room for the
// length.
func (c *conn) begin(major, minor byte) { c.out = append(c.out[:0], major, minor, 0, 0) }

func (c *conn) u8(v ...byte) { c.out = append(c.out, v...) }

func (c *conn) u16(v ...uint16) {
	for _, v := range v {
		c.out = binary.LittleEndian.AppendUint16(c.out, v)
	}
}

func (c *conn) u32(v ...uint32) {
	for _, v := range v {
		c.out = binary.LittleEndian.AppendUint32(c.out, v)
	}
}

// ask sends the request and waits for its reply, of which it returns the first
// 32 bytes, and how many follow: the caller reads those.
func (c *conn) ask(ctx context.Context) (head []byte, more int, err error) {
	if err := c.send(); err != nil {
		return nil, 0, err
	}
	for {
		if err := c.readFull(ctx, c.head[:]); err != nil {
			return nil, 0, err
		}
		h := c.head[:]
		switch h[0] {
		case 0:
			if binary.LittleEndian.Uint16(h[2:]) == c.seq {
				return nil, 0, &xError{code: h[1], major: h[10]}
			}
			// An earlier request's, whose failing does not matter.
		case 1:
			// The length counts words and is the server's: what is asked for
			// is smaller than 2 GiB.
			words := binary.LittleEndian.Uint32(h[4:])
			if words > 1<<29 || binary.LittleEndian.Uint16(h[2:]) != c.seq {
				return nil, 0, fmt.Errorf("%w: an answer that fits no question", ErrGone)
			}
			return h, 4 * int(words), nil
		default:
			c.event(h)
		}
	}
}

// do sends a request that has no reply and finds out whether it failed, by
// asking for something harmless behind it.
func (c *conn) do(ctx context.Context) error {
	if err := c.send(); err != nil {
		return err
	}
	first := c.seq
	c.begin(43, 0) // GetInputFocus
	if err := c.send(); err != nil {
		return err
	}
	var failed error
	for {
		if err := c.readFull(ctx, c.head[:]); err != nil {
			return err
		}
		h := c.head[:]
		switch h[0] {
		case 0:
			if binary.LittleEndian.Uint16(h[2:]) == first {
				failed = &xError{code: h[1], major: h[10]}
			}
		case 1:
			return failed
		default:
			c.event(h)
		}
	}
}

// Events that are asked for (StructureNotify), numbered as in appendix B. The
// top bit says that another client sent it.
func (c *conn) event(h []byte) {
	switch h[0] & 0x7f {
	case 17, 18, 19, 22: // DestroyNotify, UnmapNotify, MapNotify, ConfigureNotify
		c.resize = true
	}
}

func (c *conn) send() error {
	for len(c.out)%4 != 0 {
		c.out = append(c.out, 0)
	}
	binary.LittleEndian.PutUint16(c.out[2:], uint16(len(c.out)/4))
	c.seq++
	return c.write(c.out)
}

func (c *conn) write(b []byte) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return gone(err)
	}
	if _, err := c.net.Write(b); err != nil {
		return gone(err)
	}
	return nil
}

// readFull fills b. It looks at ctx only when the server is slow, because
// watching a context costs an allocation.
func (c *conn) readFull(ctx context.Context, b []byte) error {
	const quick = 50 * time.Millisecond
	n, err := c.readUntil(b, time.Now().Add(quick))
	if err == nil {
		return nil
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return gone(err)
	}
	if err := c.net.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return gone(err)
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		_ = c.net.SetReadDeadline(time.Now()) // fails only when closed
	})
	defer func() {
		if !stop() {
			<-fired // or it would cut off a later read
		}
	}()
	for n < len(b) {
		m, err := c.net.Read(b[n:])
		n += m
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return gone(err)
		}
	}
	return nil
}

func (c *conn) readUntil(b []byte, deadline time.Time) (n int, err error) {
	if err := c.net.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	for n < len(b) {
		m, err := c.net.Read(b[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// skip reads what is of no interest.
func (c *conn) skip(ctx context.Context, n int) error {
	for n > 0 {
		m := min(n, len(c.rest))
		if err := c.readFull(ctx, c.rest[:m]); err != nil {
			return err
		}
		n -= m
	}
	return nil
}

// gone is an error of the connection.
func gone(err error) error { return fmt.Errorf("%w: the connection to the display: %w", ErrGone, err) }
