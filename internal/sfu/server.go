// Package sfu is the reference server: rooms, signaling and the forwarding of
// media and messages. A [Server] is an http.Handler.
//
// Each room has a goroutine that owns who is in it, each participant one that
// owns its signaling and its peer connection; they post to each other. Media
// takes neither road: the goroutine that reads a publisher's section writes
// directly to all its subscribers.
package sfu

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/parley-rtc/parley/internal/icetcp"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/pion/ice/v4"
	"github.com/pion/transport/v4"
)

// Config says how a server works. AccountSID and Keys are required.
type Config struct {
	AccountSID string
	// Keys are the secrets of the account's API keys, by key SID.
	Keys map[string]accesstoken.Secret
	// Now judges the lifetime of tokens; nil: time.Now.
	Now func() time.Time
	// Logger gets what happens, without secrets; nil is silent.
	Logger *slog.Logger

	// DisableAdHocRooms refuses rooms that were not created with CreateRoom.
	DisableAdHocRooms bool
	// DefaultRoomType is that of rooms of which nothing else is said, as of
	// those that come into being by themselves: Group or PeerToPeer; Group.
	DefaultRoomType string
	MaxRooms        int // 10 000
	MaxParticipants int // in a room; 50, and 10 in peer-to-peer rooms
	MaxTracks       int // of a participant; 16
	// SessionTimeout is how long a vanished client keeps its place; 30 s.
	SessionTimeout time.Duration
	// MaxParticipantDuration is how long anybody may stay; 4 h.
	MaxParticipantDuration time.Duration
	// EmptyRoomTimeout is how long a created room may stay empty; 5 min.
	EmptyRoomTimeout time.Duration
	// Region is the name of the place, for clients that show it.
	Region string
	Limits Limits

	// Tell is called with each thing that happens in a room, in its order; nil:
	// nobody wants to know. It is called by the goroutines of all rooms and
	// must not wait.
	Tell func(Fact)

	// ICEServers are what clients are told to use.
	ICEServers []signaling.ICEServer
	// CheckOrigin decides about browsers on foreign pages; nil: none.
	CheckOrigin func(*http.Request) bool
	// ServerOffers makes the server offer to every client, as it does to those
	// that know no slots.
	ServerOffers bool
	Media        Media
}

// Media says where media is received. The zero value is one UDP port on every
// address of this machine that is not a loopback one.
type Media struct {
	// Net is the network; nil is the operating system's. With another one,
	// and no IPs, each connection has a socket of its own.
	Net transport.Net
	// Conn is the one socket to use, bound to a concrete address.
	Conn net.PacketConn
	// UDPMux is used instead of all of the above and not closed.
	UDPMux ice.UDPMux
	// IPs and Port are where to listen; the port is chosen by the system when
	// it is 0.
	IPs  []string
	Port int
	// TCP also takes media over TCP, from those whose networks block UDP; nil:
	// nowhere. It is closed with the server, also when that does not start.
	TCP net.Listener
	// PortMin and PortMax give each connection a socket of its own within
	// them.
	PortMin, PortMax uint16
	// PublicIPs replace the addresses behind a 1:1 NAT.
	PublicIPs []string
	// Loopback listens on 127.0.0.1, and trusts loopback addresses.
	Loopback bool
	// SameMachine, with Loopback, also listens where this machine goes out
	// from, for packets from this machine only: Firefox sends nothing over the
	// loopback interface.
	SameMachine bool
	// AllowPrivate lets clients name addresses of private networks.
	AllowPrivate bool
	// KeyLog gets the keys of all media, for tests that show their packets.
	KeyLog io.Writer
}

func (c *Config) setDefaults() {
	fill(&c.DefaultRoomType, Group)
	fill(&c.MaxRooms, 10_000)
	fill(&c.MaxParticipants, 50)
	fill(&c.MaxTracks, 16)
	fill(&c.MaxParticipantDuration, 4*time.Hour)
	fill(&c.SessionTimeout, 30*time.Second)
	fill(&c.EmptyRoomTimeout, 5*time.Minute)
	c.Limits.setDefaults()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Server is a running server. It owns a goroutine for each room, each
// participant, each socket and each section that a participant publishes;
// Close waits for all of them.
type Server struct {
	cfg          Config
	log          *slog.Logger
	verifier     *accesstoken.Verifier
	api          *rtc.API
	muxes        []ice.UDPMux // ours to close
	tcp          *icetcp.Mux  // likewise; nil: there is none
	media        []MediaAddress
	relay        func(identity string) []signaling.ICEServer // see OfferRelay
	metrics      *metrics
	gate         *gate
	insightsGate *gate
	policy       admission.AddressPolicy
	pages        *http.ServeMux
	ctx          context.Context //nolint:containedctx // ends with the server; its sockets' goroutines read with it
	cancel       context.CancelFunc
	wg           sync.WaitGroup
	faults       faults

	mu       sync.Mutex
	rooms    map[string]*room // by name and by SID
	count    int
	made     uint64               // rooms, so far
	ended    map[string]endedRoom // the last that were completed, by SID
	order    []string             // of their completion
	sessions map[string]*peer
	endings  endings
	closing  bool
	retry    time.Duration
}

// New starts a server. It must be closed.
func New(cfg Config) (*Server, error) {
	cfg.setDefaults()
	verifier, err := accesstoken.NewVerifier(cfg.AccountSID, cfg.Keys, &accesstoken.VerifierOptions{Now: cfg.Now})
	if err != nil {
		if cfg.Media.TCP != nil {
			_ = cfg.Media.TCP.Close() // nothing came through it
		}
		return nil, fmt.Errorf("sfu: %w", err)
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, verifier: verifier, pages: http.NewServeMux(),
		rooms: map[string]*room{}, ended: map[string]endedRoom{}, sessions: map[string]*peer{},
	}
	s.gate, s.insightsGate, s.policy = newGate(&s.cfg.Limits), newGate(&s.cfg.Limits), s.addressPolicy()
	if err := s.listenMedia(); err != nil {
		return nil, fmt.Errorf("sfu: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.metrics = newMetrics(s)
	s.pages.HandleFunc("GET /signaling", s.serveSignaling)
	s.pages.HandleFunc("GET /v1/VideoEvents", s.serveInsights)
	s.pages.HandleFunc("GET /healthz", s.serveHealth)
	s.pages.Handle("GET /metrics", s.metrics.handler())
	return s, nil
}

// Handle adds a page or an API beside signaling. It must be called before the
// first request.
func (s *Server) Handle(pattern string, h http.Handler) { s.pages.Handle(pattern, h) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "server is shutting down", http.StatusServiceUnavailable)
		return
	}
	defer s.wg.Done()
	s.pages.ServeHTTP(w, r)
}

func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n")) // the client has gone otherwise
}

// begin counts a piece of work that Close waits for, unless it is too late.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.wg.Add(1)
	return true
}

// spawn runs f on a goroutine that Close waits for. The caller is itself
// waited for.
func (s *Server) spawn(f func()) { s.wg.Go(f) }

// Shutdown tells every client that the server goes down and, when retryAfter
// is above zero, when to come back, and closes the server when they have heard
// or the context is done.
func (s *Server) Shutdown(ctx context.Context, retryAfter time.Duration) error {
	s.mu.Lock()
	s.closing, s.retry = true, retryAfter
	peers := make([]*peer, 0, len(s.sessions))
	for _, p := range s.sessions {
		peers = append(peers, p)
	}
	s.mu.Unlock()
	for _, p := range peers {
		p.post(func() { p.finish(nil, signaling.DisconnectShutdown, retryAfter) })
	}
	var err error
	for _, p := range peers {
		select {
		case <-p.gone:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.close()
	return err
}

// Close ends the server at once: clients see their connections break.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx, 0) // the context's error, which is ours
	return nil
}

func (s *Server) close() {
	s.cancel()
	s.mu.Lock()
	rooms := make(map[*room]bool, s.count)
	for _, r := range s.rooms {
		rooms[r] = true
	}
	s.mu.Unlock()
	for r := range rooms {
		r.complete()
	}
	s.wg.Wait()
	s.closeMedia()
}

// goingDown is what clients are told that come too late.
func (s *Server) goingDown() *signaling.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := signaling.Errorf(signaling.CodeServerBusy, "server is shutting down")
	err.RetryAfter = max(s.retry, time.Second)
	return err
}

func (s *Server) lookup(nameOrSID string) *room {
	if nameOrSID == "" {
		return nil
	}
	return s.rooms[nameOrSID]
}

// addRoom is called with the lock held.
func (s *Server) addRoom(o RoomOptions, adHoc bool) (r *room, made RoomStatus, refusal *signaling.Error) {
	switch {
	case s.closing:
		return nil, made, signaling.NewError(signaling.CodeRoomCreateFailed)
	case s.count >= s.cfg.MaxRooms:
		return nil, made, signaling.Errorf(signaling.CodeRoomCreateFailed, "there are too many rooms")
	}
	o.setDefaults(&s.cfg)
	s.made++
	r = newRoom(s, o, adHoc, s.made)
	made = r.info()
	s.rooms[r.sid], s.rooms[r.name] = r, r
	s.count++
	r.post(func() { r.report(RoomCreated, ParticipantStatus{}, TrackStatus{}) })
	s.wg.Go(r.run)
	return r, made, nil
}

func (s *Server) forgetRoom(r *room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.sid] == r {
		delete(s.rooms, r.sid)
		delete(s.rooms, r.name)
		s.count--
		s.remember(endedRoom{r.info(), r.past})
	}
}

// addPeer makes the session known, unless the server goes down.
func (s *Server) addPeer(p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.sessions[p.session] = p
	return true
}

func (s *Server) forgetPeer(p *peer, err *signaling.Error, reason signaling.DisconnectReason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, p.session)
	s.endings.add(p, err, reason)
}

func (s *Server) session(id string) *peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}
