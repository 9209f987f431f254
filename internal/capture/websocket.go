package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"sync"
)

const (
	maxHead    = 64 << 10 // of HTTP
	maxMessage = 1 << 20
)

// Conn returns the server's end of a connection, the messages of which are kept
// if it becomes a WebSocket.
func (r *Recorder) Conn(c net.Conn) net.Conn {
	n := r.messages.conn()
	return &conn{
		Conn: c,
		in:   stream{emit: func(text []byte) { r.messages.add(n, dirIn, text) }},
		out:  stream{emit: func(text []byte) { r.messages.add(n, dirOut, text) }},
	}
}

type conn struct {
	net.Conn
	in, out stream
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.feed(b[:n])
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.out.feed(b[:n])
	return n, err
}

// stream finds the messages in one direction of a connection. What it does not
// understand makes it deaf, not noisy: the test is about something else.
type stream struct {
	emit func(text []byte)

	mu       sync.Mutex
	buf      []byte // what is not whole yet
	upgraded bool
	deaf     bool
	message  []byte // of frames so far
}

func (s *stream) feed(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf || len(b) == 0 {
		return
	}
	s.buf = append(s.buf, b...)
	rest := s.buf
	for !s.deaf {
		n := s.step(rest)
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	if s.deaf || len(rest) == 0 {
		s.buf = nil
		return
	}
	if len(rest) < len(s.buf) {
		s.buf = append(s.buf[:0], rest...)
	}
}

// step takes the head or a frame from the front of b and returns its length, 0
// if it is not whole.
func (s *stream) step(b []byte) int {
	if !s.upgraded {
		return s.head(b)
	}
	// RFC 6455, section 5.2.
	if len(b) < 2 {
		return 0
	}
	final, compressed, opcode := b[0]&0x80 != 0, b[0]&0x70 != 0, b[0]&0x0F
	masked, length, n := b[1]&0x80 != 0, uint64(b[1]&0x7F), 2
	switch length {
	case 126:
		if len(b) < 4 {
			return 0
		}
		length, n = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return 0
		}
		length, n = binary.BigEndian.Uint64(b[2:]), 10
	}
	var mask [4]byte
	if masked {
		if len(b) < n+4 {
			return 0
		}
		n += copy(mask[:], b[n:])
	}
	if compressed || length > maxMessage || len(s.message) > maxMessage {
		s.deaf, s.message = true, nil
		return 0
	}
	end := n + int(length)
	if len(b) < end {
		return 0
	}
	payload := bytes.Clone(b[n:end])
	if masked {
		for i := range payload {
			payload[i] ^= mask[i%4]
		}
	}
	s.frame(opcode, final, payload)
	return end
}

// head takes the HTTP request or response.
func (s *stream) head(b []byte) int {
	i := bytes.Index(b, []byte("\r\n\r\n"))
	if i < 0 {
		s.deaf = len(b) > maxHead
		return 0
	}
	if !bytes.Contains(bytes.ToLower(b[:i]), []byte("upgrade: websocket")) {
		s.deaf = true
		return 0
	}
	s.upgraded = true
	return i + 4
}

const (
	opContinuation = 0
	opText         = 1
	opClose        = 8
)

func (s *stream) frame(opcode byte, final bool, payload []byte) {
	switch opcode {
	case opContinuation, opText:
		s.message = append(s.message, payload...)
		if final {
			s.emit(s.message)
			s.message = nil
		}
	case opClose:
		var code uint16
		if len(payload) >= 2 {
			code = binary.BigEndian.Uint16(payload)
			payload = payload[2:]
		}
		// Written like a message, so that the last word is seen.
		text, err := json.Marshal(map[string]any{"close": code, "reason": string(payload)})
		if err == nil {
			s.emit(text)
		}
	}
}
