// Package relay is the TURN server beside the reference server, for those whose
// networks let nothing else through. [Start] serves listeners that the caller
// has opened; [Server.ICEServers] makes what a client is to use it with.
//
// It is no way into anybody's network: media goes to the SFU and from relay to
// relay, by address and port, and nowhere else unless the operator allows it.
package relay

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/turn/v5"
)

// What a client can hold.
const (
	// MaxAllocations are those of one identity; the next one is answered with
	// error 486.
	MaxAllocations = 12
	// Lifetime is how long an allocation lasts that is not refreshed, whatever
	// its client asks for.
	Lifetime = 600 * time.Second
	// CredentialTime is how long allocations can be made with a credential.
	CredentialTime = 300 * time.Second
)

// realm names what credentials are for; it is said in the clear.
const realm = "parley"

// Config says where a relay listens and for whom.
type Config struct {
	// UDP, TCP and TLS are what clients reach the relay by; nil: not that way.
	// TLS is the same as TCP, with Certs. They are closed with the server, also
	// when it does not start.
	UDP   net.PacketConn
	TCP   net.Listener
	TLS   net.Listener
	Certs *tls.Config
	// Host is by what name or address clients find the relay, and TLSHost the
	// one that is in the certificate; "": where the listener is, or PublicIP,
	// and Host.
	Host, TLSHost string

	// Net is the network of the relayed sockets; nil is the system's.
	Net transport.Net
	// IP is the address of the relayed sockets.
	IP netip.Addr
	// PublicIP is what others know IP as, behind a 1:1 NAT; zero: it is IP.
	PublicIP netip.Addr

	// Peers are where the media of the SFU is received, on IP's machine.
	Peers []Peer
	// Allow are other addresses that may be reached through the relay. Those
	// that never are public, private and local ones, are refused all the same.
	Allow []netip.Prefix
	// Deny wins over all the others.
	Deny []netip.Prefix

	// Secret signs the credentials; nil: a random one.
	Secret []byte
	// Now judges their time; nil: time.Now.
	Now func() time.Time
	// MaxAllocations is how many allocations there may be together; 10 000.
	MaxAllocations int
	// SocketsPerNetwork is how many TCP connections there may be from one
	// address; 100.
	SocketsPerNetwork int
	// Logger gets what happens, without secrets; nil is silent.
	Logger *slog.Logger
}

// Peer is an address where the SFU receives media, on the ports from First to
// Last.
type Peer struct {
	IP          netip.Addr
	First, Last uint16
}

// Server is a running relay. Its methods may be called by any goroutine. It
// owns a goroutine for each listener, TCP connection and allocation; they end
// with Close.
type Server struct {
	cfg     Config
	turn    *turn.Server
	policy  admission.AddressPolicy
	sockets admission.Sockets

	mu      sync.RWMutex
	streams map[tuple]*stream
	relays  map[netip.AddrPort]*relayed // by their local address
	byTuple map[tuple]*relayed
	closed  bool
}

// tuple is the connection by which a client reaches the relay.
type tuple string

func tupleOf(client, server net.Addr) tuple {
	return tuple(client.Network() + " " + client.String() + " " + server.String())
}

// Start serves the listeners. The server must be closed.
func Start(cfg Config) (*Server, error) {
	s := &Server{
		cfg: cfg, sockets: admission.Sockets{PerNetwork: cfg.SocketsPerNetwork},
		streams: map[tuple]*stream{}, relays: map[netip.AddrPort]*relayed{}, byTuple: map[tuple]*relayed{},
	}
	if err := s.start(); err != nil {
		s.closeListeners()
		return nil, fmt.Errorf("relay: %w", err)
	}
	return s, nil
}

func (s *Server) start() error {
	c := &s.cfg
	switch {
	case c.UDP == nil && c.TCP == nil && c.TLS == nil:
		return errors.New("nothing to listen on")
	case !c.IP.IsValid() || c.IP.IsUnspecified():
		return fmt.Errorf("%v is not an address to relay from", c.IP)
	case c.TLS != nil && c.Certs == nil:
		return errors.New("TLS needs a certificate")
	}
	c.IP = c.IP.Unmap()
	if c.PublicIP = c.PublicIP.Unmap(); !c.PublicIP.IsValid() {
		c.PublicIP = c.IP
	}
	if c.TLSHost == "" {
		c.TLSHost = c.Host
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxAllocations == 0 {
		c.MaxAllocations = 10_000
	}
	if c.Secret == nil {
		c.Secret = make([]byte, 32)
		if _, err := rand.Read(c.Secret); err != nil {
			return fmt.Errorf("making a secret: %w", err)
		}
	}
	if c.Net == nil {
		n, err := stdnet.NewNet()
		if err != nil {
			return fmt.Errorf("looking at the network: %w", err)
		}
		c.Net = n
	}
	config := turn.ServerConfig{
		Realm: realm, AuthHandler: s.authorize, QuotaHandler: s.mayAllocate,
		AllocationLifetime: Lifetime, LoggerFactory: rtc.LoggerFactory(c.Logger),
		EventHandler: turn.EventHandler{
			OnAuth:              s.authorized,
			OnAllocationCreated: s.allocated,
			OnAllocationDeleted: s.released,
		},
	}
	if c.UDP != nil {
		config.PacketConnConfigs = []turn.PacketConnConfig{{
			PacketConn: c.UDP, RelayAddressGenerator: generator{s}, PermissionHandler: s.permits,
		}}
	}
	for _, l := range []net.Listener{c.TCP, c.TLS} {
		if l == nil {
			continue
		}
		streams := &streams{Listener: l, server: s}
		if l == c.TLS {
			streams.certs = c.Certs
		}
		config.ListenerConfigs = append(config.ListenerConfigs, turn.ListenerConfig{
			Listener: streams, RelayAddressGenerator: generator{s}, PermissionHandler: s.permits,
		})
	}
	var err error
	s.turn, err = turn.NewServer(config)
	return err
}

func (s *Server) closeListeners() {
	if s.cfg.UDP != nil {
		_ = s.cfg.UDP.Close() // what it held is gone either way
	}
	for _, l := range []net.Listener{s.cfg.TCP, s.cfg.TLS} {
		if l != nil {
			_ = l.Close() // likewise
		}
	}
}

// Close ends all allocations and connections at once. It is idempotent.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var open []interface{ Close() error }
	for _, c := range s.streams {
		open = append(open, c)
	}
	for _, r := range s.relays {
		open = append(open, r)
	}
	s.mu.Unlock()
	s.closeListeners()
	for _, c := range open {
		_ = c.Close() // its peer sees that it is gone
	}
	return nil
}

// Allocations is how many there are.
func (s *Server) Allocations() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.relays)
}
