package rsp

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-rtc/parley/signaling"
)

// ServerOptions configure [Upgrade]. The zero value has the defaults.
type ServerOptions struct {
	// Logger gets debug records without any token in them; nil is silent.
	Logger *slog.Logger
	// CheckOrigin decides about a browser's Origin header. By default there
	// must be none, or one of the same host.
	CheckOrigin func(*http.Request) bool
	// HelloTimeout bounds the time to the first complete frame; 5 s.
	HelloTimeout time.Duration
	// JoinTimeout bounds the time from there to the join; 30 s.
	JoinTimeout time.Duration
	// WriteTimeout bounds the sending of one message; 2 s.
	WriteTimeout time.Duration
	// Heartbeat is the longest heartbeat period to agree to; 5 s. A client
	// that is silent for three periods is lost.
	Heartbeat time.Duration
	// ReadLimit bounds one message of the client; 512 KiB.
	ReadLimit int64
	// QueueMessages and QueueBytes bound what waits for a slow client;
	// 256 and 1 MiB.
	QueueMessages int
	QueueBytes    int
	// Rate and Burst bound the messages of a client, heartbeats and pings
	// included; 50 a second and 200 at once.
	Rate  float64
	Burst int
	// SendBuffer is the size asked of the kernel for the socket's send
	// buffer, which waits in front of the queue; 128 KiB.
	SendBuffer int
}

func (o *ServerOptions) setDefaults() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.HelloTimeout = orDefault(o.HelloTimeout, 5*time.Second)
	o.JoinTimeout = orDefault(o.JoinTimeout, 30*time.Second)
	o.WriteTimeout = orDefault(o.WriteTimeout, 2*time.Second)
	o.Heartbeat = orDefault(o.Heartbeat, 5*time.Second)
	if o.ReadLimit <= 0 {
		o.ReadLimit = 512 << 10
	}
	if o.QueueMessages <= 0 {
		o.QueueMessages = 256
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 1 << 20
	}
	if o.Rate <= 0 {
		o.Rate = 50
	}
	if o.Burst <= 0 {
		o.Burst = 200
	}
	if o.SendBuffer <= 0 {
		o.SendBuffer = 128 << 10
	}
}

// Close codes of the server. Anything but 1000 lets a browser come back.
const (
	closeRejected = 1008
	closeTryLater = 1013
)

// ServerConn is the server's end of a client's socket. Call ReadJoin first,
// answer the join with Accept or Reject, then use Receive from one goroutine
// and Send from any; End or Close when done, always. It runs two goroutines
// until it is closed.
type ServerConn struct {
	ws   *websocket.Conn
	raw  net.Conn // below TLS: closing it cannot block
	opts ServerOptions
	log  *slog.Logger
	out  *queue
	rate bucket // of the reading goroutine

	in      chan *clientMessage // closed by read when there is no more
	started chan struct{}       // closed when the heartbeats begin
	ending  chan struct{}       // closed when the last words are queued
	flushed chan struct{}       // closed by write at its end
	done    chan struct{}       // closed with the socket
	wg      sync.WaitGroup

	mu       sync.Mutex
	err      error // first cause
	closed   bool
	draining bool // the last words are queued
	flushBy  time.Time
	broken   bool // a write failed; what has arrived is still read
	phase    joinPhase
	welcomed bool
	period   time.Duration // agreed at the first hello
	joinBy   time.Time
	resume   bool
	parley   bool
	warnings bool
	agent    string
	stats    Stats
}

// Stats counts what crossed a connection.
type Stats struct {
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64
	// Queued messages and bytes wait for the client.
	Queued, QueuedBytes int
}

// Upgrade takes over the HTTP request as a WebSocket. When it fails it has
// answered the request: 403 for a foreign origin, 400 for what is no WebSocket
// handshake.
func Upgrade(w http.ResponseWriter, r *http.Request, opts ServerOptions) (*ServerConn, error) {
	opts.setDefaults()
	upgrader := websocket.Upgrader{
		HandshakeTimeout: opts.WriteTimeout,
		CheckOrigin:      opts.CheckOrigin, // nil is the default that we document
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, signaling.Errorf(signaling.CodeSignalingConnection, "rsp: upgrade: %w", err)
	}
	c := &ServerConn{
		ws: ws, raw: bareConn(ws.NetConn()), opts: opts, log: opts.Logger,
		out:     newQueue(opts.QueueMessages, opts.QueueBytes),
		rate:    bucket{rate: opts.Rate, burst: float64(opts.Burst)},
		in:      make(chan *clientMessage, inboxSize),
		started: make(chan struct{}),
		ending:  make(chan struct{}),
		flushed: make(chan struct{}),
		done:    make(chan struct{}),
	}
	if s, ok := c.raw.(interface{ SetWriteBuffer(int) error }); ok {
		_ = s.SetWriteBuffer(opts.SendBuffer) // a wish; the kernel's default does as well
	}
	ws.SetReadLimit(opts.ReadLimit)
	ws.SetPingHandler(c.ping)
	ws.SetPongHandler(c.pong)
	_ = c.raw.SetReadDeadline(time.Now().Add(opts.HelloTimeout)) // shows in the read
	c.wg.Go(c.read)
	c.wg.Go(c.write)
	return c, nil
}

// bareConn is the connection below TLS, whose Close does not wait.
func bareConn(conn net.Conn) net.Conn {
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return t.NetConn()
	}
	return conn
}

// RemoteAddr is the address of the other end of the socket.
func (c *ServerConn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// Agent names the client's software, once ReadJoin has returned.
func (c *ServerConn) Agent() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.agent
}

// Extended reports whether the client speaks the extensions of PROTOCOL.md,
// once ReadJoin has returned.
func (c *ServerConn) Extended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parley
}

// Stats returns the counts of this moment.
func (c *ServerConn) Stats() Stats {
	c.mu.Lock()
	s := c.stats
	c.mu.Unlock()
	s.Queued, s.QueuedBytes = c.out.size()
	return s
}

// bucket is a token bucket.
type bucket struct {
	rate, burst float64
	tokens      float64
	last        time.Time
}

func (b *bucket) take() bool {
	now := time.Now()
	if b.last.IsZero() {
		b.tokens = b.burst
	} else {
		b.tokens = min(b.burst, b.tokens+now.Sub(b.last).Seconds()*b.rate)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
