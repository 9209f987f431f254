// Package front puts the reference server on a TCP port: an HTTP server with
// bounds for strangers, TLS where there is a certificate, and an orderly end.
package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/parley-rtc/parley/internal/callback"
	"github.com/parley-rtc/parley/internal/rest"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sfu/relay"
	"github.com/parley-rtc/parley/internal/watch"
	"github.com/parley-rtc/parley/signaling/accesstoken"
)

// What a client that says nothing, or too much, can hold.
const (
	headerTime  = 2 * time.Second
	headerBytes = 16 << 10
	idleTime    = time.Minute
)

// tlsHello is how long a client behind TLS has for its first frame, and for
// the handshake and the request before it: they take round trips, and work.
const tlsHello = 5 * time.Second

// Config says what is served where.
type Config struct {
	SFU sfu.Config
	// Listen is the TCP address, as in 127.0.0.1:7880. With port 0 the system
	// chooses one.
	Listen string
	// CertFile and KeyFile turn TLS on. Both or neither.
	CertFile, KeyFile string
	// NoPages leaves the page out at which a browser watches a room.
	NoPages bool
	// ICETCP is where media is taken by TCP, for those whose networks block UDP:
	// an address, as in :7881; "" for the port of Listen, or NoICETCP.
	ICETCP string
	// TURN relays media for those whose networks let nothing else through.
	TURN TURN
	// Recorded says that something else records the rooms as their recording
	// rules have it. Without it nobody can set such rules.
	Recorded bool
	// PrivateCallbacks lets status callbacks go to addresses of private
	// networks and of this machine. They are signed with the secret of the first
	// of the API keys, by their SIDs.
	PrivateCallbacks bool
}

// NoICETCP is the address of nowhere: see Config.ICETCP.
const NoICETCP = "off"

// Server is a running server. It owns the goroutine that accepts connections;
// Shutdown ends it.
type Server struct {
	SFU *sfu.Server

	web    *http.Server
	told   *callback.Sender
	relay  *relay.Server // nil: there is none
	ln     net.Listener
	media  net.Addr // where media is taken by TCP; nil: nowhere
	secure bool
	failed chan error // one slot: what ended the accepting
}

// Start opens the ports and serves. Nothing is left open when it fails.
func Start(cfg Config) (*Server, error) {
	s := &Server{failed: make(chan error, 1)}
	var certs *tls.Config
	headers := headerTime
	if cfg.CertFile != "" || cfg.KeyFile != "" {
		if cfg.CertFile == "" || cfg.KeyFile == "" {
			return nil, errors.New("TLS needs both a certificate and its key")
		}
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("loading the TLS certificate %s and its key %s, PEM files that belong together: %w",
				cfg.CertFile, cfg.KeyFile, err)
		}
		certs = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		s.secure, headers = true, tlsHello
		if cfg.SFU.Limits.HelloTimeout == 0 {
			cfg.SFU.Limits.HelloTimeout = tlsHello
		}
	}
	s.told = callback.New(callback.Config{
		AccountSID: cfg.SFU.AccountSID, AuthToken: signer(cfg.SFU.Keys), Logger: cfg.SFU.Logger,
		AllowPrivate: cfg.PrivateCallbacks, AllowLoopback: cfg.PrivateCallbacks,
	})
	cfg.SFU.Tell = s.told.Tell
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", cfg.Listen) // does not wait
	if err != nil {
		return nil, err
	}
	s.ln = ln
	if cfg.SFU.Media.TCP, err = s.listenICE(cfg.ICETCP); err != nil {
		_ = ln.Close() // nothing came through it
		return nil, err
	}
	if cfg.SFU.Media.TCP != nil {
		s.media = cfg.SFU.Media.TCP.Addr()
	}
	if s.SFU, err = sfu.New(cfg.SFU); err != nil {
		_ = ln.Close() // nothing came through it
		return nil, err
	}
	if err := s.startRelay(&cfg, certs); err != nil {
		_ = ln.Close() // nothing came through it
		_ = s.SFU.Close()
		return nil, err
	}
	rooms := rest.New(s.SFU, rest.Config{
		AccountSID: cfg.SFU.AccountSID, Keys: cfg.SFU.Keys, Region: cfg.SFU.Region,
		MaxParticipants: cfg.SFU.MaxParticipants, Recorded: cfg.Recorded,
		CheckCallback: s.told.Check, CheckOrigin: cfg.SFU.CheckOrigin,
	})
	s.SFU.Handle("/v1/Rooms", rooms)
	s.SFU.Handle("/v1/Rooms/", rooms)
	if !cfg.NoPages {
		s.SFU.Handle("/watch/", watch.Handler())
	}
	logger := cfg.SFU.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	var only http.Protocols
	only.SetHTTP1(true) // a WebSocket takes over its connection
	s.web = &http.Server{
		Handler: s.SFU, TLSConfig: certs, Protocols: &only,
		ReadHeaderTimeout: headers, MaxHeaderBytes: headerBytes, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	go func() {
		if s.secure {
			s.failed <- s.web.ServeTLS(s.ln, "", "")
			return
		}
		s.failed <- s.web.Serve(s.ln)
	}()
	return s, nil
}

// listenICE returns the listener for media by TCP; nil: there is none.
func (s *Server) listenICE(address string) (net.Listener, error) {
	switch address {
	case NoICETCP:
		return nil, nil
	case "":
		both := share(s.ln)
		s.ln = both
		return &both.media, nil
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address) // does not wait
	if err != nil {
		return nil, fmt.Errorf("ICE over TCP: %w", err)
	}
	return ln, nil
}

// signer is the secret that signs status callbacks.
func signer(keys map[string]accesstoken.Secret) accesstoken.Secret {
	if len(keys) == 0 {
		return ""
	}
	return keys[slices.Min(slices.Collect(maps.Keys(keys)))]
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// ICETCP is where media is taken by TCP; nil: nowhere.
func (s *Server) ICETCP() net.Addr { return s.media }

// WatchURL is the address at which a browser watches a room. The token is in
// the fragment, which browsers keep to themselves.
func (s *Server) WatchURL(token string) string { return s.URL("/watch/") + "#token=" + token }

// URL is the address of a page.
func (s *Server) URL(path string) string { return s.url("http", path) }

// SignalingURL is the address for clients.
func (s *Server) SignalingURL() string { return s.url("ws", "/signaling") }

func (s *Server) url(scheme, path string) string {
	if s.secure {
		scheme += "s"
	}
	host := s.Addr()
	if a, ok := s.ln.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		host = fmt.Sprintf("localhost:%d", a.Port)
	}
	return scheme + "://" + host + path
}

// Failed tells when the server can accept no more connections, and why.
func (s *Server) Failed() <-chan error { return s.failed }

// Shutdown tells every client that the server goes down and when to come back,
// and returns when all of it has ended, or ctx.
func (s *Server) Shutdown(ctx context.Context, retryAfter time.Duration) error {
	err := errors.Join(s.SFU.Shutdown(ctx, retryAfter), s.web.Close(), s.told.Close(ctx))
	if s.relay != nil {
		err = errors.Join(err, s.relay.Close())
	}
	return err
}
