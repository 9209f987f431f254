// Package callback tells an application's web server what happens in its rooms,
// in the form of the hosted service's status callbacks.
//
// Each fact is one request, a form in the body of a POST or in the query of a
// GET, with the header X-Twilio-Signature. The facts of a room arrive in their
// order, one after the other; those of different rooms at the same time. What
// is not answered with 2xx is sent again after 1, 2, 4, 8 and 16 seconds, unless
// the answer is one that no repetition changes, and then given up. A room keeps
// at most 500 facts waiting, all rooms together 20 000; what is more is dropped
// and logged. Redirects are not followed, and requests go to public addresses
// only, whatever a name resolves to.
package callback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

// What receivers can cost.
const (
	mostURL     = 2000
	mostOfRoom  = 500
	mostOfAll   = 20_000
	atOnce      = 64 // requests
	requestTime = 10 * time.Second
	attempts    = 6
	firstPause  = time.Second // it doubles
)

// Config says how to call. AccountSID and AuthToken are required.
type Config struct {
	AccountSID string
	AuthToken  accesstoken.Secret // signs
	// AllowPrivate and AllowLoopback let requests go to addresses of private
	// networks, and of this machine.
	AllowPrivate, AllowLoopback bool
	// Logger gets what could not be delivered; nil is silent.
	Logger *slog.Logger
	// Transport carries the requests; nil: the network, within the bounds above.
	Transport http.RoundTripper
}

// Sender delivers. It owns a goroutine for each room of which something waits;
// Close ends them. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	log    *slog.Logger
	policy admission.AddressPolicy
	client *http.Client
	places chan struct{}   // as many as may be under way
	ctx    context.Context //nolint:containedctx // ends with the sender; its goroutines' requests end with it
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	lanes   map[string][]message // by room; there is a goroutine for each
	waiting int
	closed  bool
}

// message is one request.
type message struct {
	url, method string
	form        url.Values
}

// New returns a sender, which must be closed.
func New(cfg Config) *Sender {
	s := &Sender{cfg: cfg, log: cfg.Logger, lanes: map[string][]message{}, places: make(chan struct{}, atOnce)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.policy = admission.AddressPolicy{AllowPrivate: cfg.AllowPrivate, AllowLoopback: cfg.AllowLoopback}
	if !cfg.AllowPrivate {
		addrs, _ := net.InterfaceAddrs() // without them the rest still holds
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					s.policy.Own = append(s.policy.Own, ip.Unmap())
				}
			}
		}
	}
	transport := cfg.Transport
	if transport == nil {
		dialer := net.Dialer{Timeout: requestTime, Control: s.mayDial}
		transport = &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: requestTime,
			MaxIdleConnsPerHost: 4, MaxIdleConns: 100, IdleConnTimeout: 30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	s.client = &http.Client{
		Transport: transport, Timeout: requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

var errInside = errors.New("the address is not a public one")

// mayDial judges the address that a name led to, just before it is used.
func (s *Sender) mayDial(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !s.policy.Allows(a.Addr()) {
		return errInside
	}
	return nil
}

// Check refuses addresses that are none or point inside, with the code
// [signaling.CodeStatusCallbackInvalid]. What a name resolves to is judged when
// it is called.
func (s *Sender) Check(address string) error {
	refuse := func(why string) error {
		return signaling.Errorf(signaling.CodeStatusCallbackInvalid, "the status callback's address %s", why)
	}
	if len(address) > mostURL {
		return refuse(fmt.Sprintf("is longer than %d bytes", mostURL))
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return refuse("has to be like https://app.example/path, without a user and a fragment")
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		if !s.policy.Allows(ip) {
			return refuse("is not a public one")
		}
	} else if !s.cfg.AllowLoopback && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return refuse("is not a public one")
	}
	return nil
}

// Tell queues a fact for whom the room wants to hear of it. It never waits.
func (s *Sender) Tell(f sfu.Fact) {
	if f.Room.Options.StatusCallback == "" {
		return
	}
	m := message{f.Room.Options.StatusCallback, f.Room.Options.StatusCallbackMethod, s.form(&f)}
	room := f.Room.SID
	s.mu.Lock()
	lane, working := s.lanes[room]
	full := len(lane) >= mostOfRoom || s.waiting >= mostOfAll || s.closed
	if !full {
		s.lanes[room] = append(lane, m)
		s.waiting++
		if !working {
			s.wg.Go(func() { s.work(room) })
		}
	}
	s.mu.Unlock()
	if full {
		s.log.Warn("status callback dropped: too many wait", "room", room, "event", string(f.Event))
	}
}

// work delivers what waits for a room, until nothing does.
func (s *Sender) work(room string) {
	for {
		s.mu.Lock()
		lane := s.lanes[room]
		if len(lane) == 0 {
			delete(s.lanes, room)
			s.mu.Unlock()
			return
		}
		m := lane[0]
		s.lanes[room] = lane[1:]
		s.waiting--
		s.mu.Unlock()
		err := s.deliver(m)
		if err != nil && s.ctx.Err() != nil {
			s.abandon(room)
			return
		}
		if err != nil {
			s.log.Warn("status callback given up", "room", room, "event", m.form.Get("StatusCallbackEvent"), "err", err)
		}
	}
}

// abandon forgets what waits for a room, as the sender ends.
func (s *Sender) abandon(room string) {
	s.mu.Lock()
	left := len(s.lanes[room])
	s.waiting -= left
	delete(s.lanes, room)
	s.mu.Unlock()
	s.log.Warn("status callbacks given up: the server ends", "room", room, "callbacks", left+1)
}

// deliver sends a message until it has arrived, or never will.
func (s *Sender) deliver(m message) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		final, err := s.send(m)
		if err == nil || final || attempt == attempts {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
			return s.ctx.Err()
		}
		pause *= 2
	}
}

// send makes one request. A final error is one that the next would have too.
func (s *Sender) send(m message) (final bool, err error) {
	select {
	case s.places <- struct{}{}:
	case <-s.ctx.Done():
		return true, s.ctx.Err()
	}
	defer func() { <-s.places }()
	r, err := m.request(s.ctx, s.cfg.AuthToken)
	if err != nil {
		return true, err
	}
	res, err := s.client.Do(r)
	if err != nil {
		return errors.Is(err, errInside) || s.ctx.Err() != nil, err
	}
	_ = res.Body.Close() // what it says is of no interest
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return true, nil
	default:
		again := code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
		return !again, fmt.Errorf("the receiver answered %s", res.Status)
	}
}

// Close waits for what is queued to be delivered, or given up, and ends at the
// latest with the context. Nothing more is taken.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	s.wg.Wait()
	s.cancel()
	s.client.CloseIdleConnections()
	return nil
}
