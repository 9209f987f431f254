package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/parley-rtc/parley/internal/front"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/spf13/cobra"
)

// shutdownTime bounds the orderly end: clients hear of it in the first second.
const shutdownTime = 2 * time.Second

// iceServersKey is the one setting that only the file can say.
const iceServersKey = "ice_servers"

// serveSettings are the flags that the environment and the file can set.
var serveSettings = append([]string{
	"listen", "tls-cert", "tls-key", "public-ip", "media-ip", "udp-port", "udp-port-min", "udp-port-max", "ice-tcp",
	"allow-private", "origin", "default-room-type", "disable-ad-hoc-rooms", "max-rooms", "max-participants", "max-tracks", "region",
	"session-timeout", "empty-room-timeout", "retry-after", "no-pages", "max-joins-per-second", "max-sockets-per-ip",
	"turn-udp", "turn-tcp", "turn-tls", "turn-host", "turn-allow", "turn-deny",
	"recorded-elsewhere", "private-callbacks", "max-data-bytes-per-second", "max-data-messages-per-second", "log-level", "log-format",
}, keySettings...)

// serveFlags are the settings of the server.
type serveFlags struct {
	keys             keyFlags
	front            front.Config
	minPort, maxPort uint16
	origins          []string
	allow, deny      []string // of TURN
	retryAfter       time.Duration
	log              logFlags
	endWithStdin     bool
}

func newServe() *cobra.Command {
	var s serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the reference server",
		Long: "Runs the reference server until it gets SIGTERM or Ctrl-C; then it tells its clients to come back later.\n" +
			"Signaling is at /signaling, the API for rooms at /v1/Rooms, health at /healthz, figures for Prometheus at\n" +
			"/metrics; what browser clients tell of their calls (option wsServerInsights) goes to /v1/VideoEvents.\n" +
			"Each setting can also be an environment variable (--api-key is PARLEY_API_KEY) or a line of the\n" +
			"YAML file (api_key: …). A flag wins over the environment, and that over the file.\n" +
			"Without keys it makes development keys and prints them.",
		Example: "  parley serve --listen 127.0.0.1:7880",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := settle(cmd, serveSettings)
			if err != nil {
				return err
			}
			return s.serve(cmd, file)
		},
	}
	s.keys.register(cmd)
	f, c := cmd.Flags(), &s.front.SFU
	f.StringVar(&s.front.Listen, "listen", "127.0.0.1:7880", "TCP address for signaling and pages; port 0: any")
	f.StringVar(&s.front.CertFile, "tls-cert", "", "TLS certificate, PEM")
	f.StringVar(&s.front.KeyFile, "tls-key", "", "key of the TLS certificate, PEM")
	f.StringSliceVar(&c.Media.PublicIPs, "public-ip", nil, "address that clients see instead of ours, behind a 1:1 NAT")
	f.StringSliceVar(&c.Media.IPs, "media-ip", nil, "address to receive media at (default that of --listen, or all)")
	f.IntVar(&c.Media.Port, "udp-port", 0, "UDP port for all media (default chosen by the system)")
	f.Uint16Var(&s.minPort, "udp-port-min", 0, "with --udp-port-max: a UDP port for each connection, from here")
	f.Uint16Var(&s.maxPort, "udp-port-max", 0, "with --udp-port-min: a UDP port for each connection, up to here")
	f.StringVar(&s.front.ICETCP, "ice-tcp", "", "TCP address for media where UDP is blocked, as in :7881, or off (default that of --listen)")
	t := &s.front.TURN
	f.StringVar(&t.UDP, "turn-udp", "", "UDP address of a TURN server, as in :3478, for clients whose networks need one")
	f.StringVar(&t.TCP, "turn-tcp", "", "TCP address of the same, as in :3478")
	f.StringVar(&t.TLS, "turn-tls", "", "TLS address of the same, as in :443; needs --tls-cert")
	f.StringVar(&t.Host, "turn-host", "", "name or address by which clients find it (default where it listens, the name in the certificate)")
	f.StringSliceVar(&s.allow, "turn-allow", nil, "public addresses, as in 203.0.113.0/24, to which it leads besides this server")
	f.StringSliceVar(&s.deny, "turn-deny", nil, "addresses to which it never leads")
	f.BoolVar(&c.Media.AllowPrivate, "allow-private", false, "let clients name addresses of private networks")
	f.StringSliceVar(&s.origins, "origin", nil, "web origin that may connect, as in https://app.example; * is every one")
	f.StringVar(&c.DefaultRoomType, "default-room-type", "group", "type of rooms: group (media through the server) or peer-to-peer")
	f.BoolVar(&c.DisableAdHocRooms, "disable-ad-hoc-rooms", false, "refuse rooms that were not created before")
	f.IntVar(&c.MaxRooms, "max-rooms", 10_000, "rooms at a time")
	f.IntVar(&c.MaxParticipants, "max-participants", 50, "participants in a room; in a peer-to-peer room 10 at most")
	f.IntVar(&c.MaxTracks, "max-tracks", 16, "tracks of a participant")
	f.StringVar(&c.Region, "region", "", "name of the place, for clients that show it")
	f.DurationVar(&c.SessionTimeout, "session-timeout", 30*time.Second, "how long a vanished client keeps its place")
	f.DurationVar(&c.EmptyRoomTimeout, "empty-room-timeout", 5*time.Minute, "how long a created room may stay empty")
	f.BoolVar(&s.front.NoPages, "no-pages", false, "leave out the page at /watch/, where a browser watches a room")
	f.BoolVar(&s.front.Recorded, "recorded-elsewhere", false,
		"accept recording rules, and tell participants that they are recorded: something else has to do it")
	f.BoolVar(&s.front.PrivateCallbacks, "private-callbacks", false,
		"let status callbacks of rooms go to addresses of private networks and of this machine")
	f.DurationVar(&s.retryAfter, "retry-after", time.Second, "when clients are to come back after a shutdown")
	f.Float64Var(&c.Limits.JoinRate, "max-joins-per-second", 10, "joins of one address; -1: any")
	f.IntVar(&c.Limits.Sockets, "max-sockets-per-ip", 100, "open connections of one address; -1: any")
	f.IntVar(&c.Limits.DataBytes, "max-data-bytes-per-second", 1_000_000, "message bytes of one participant; -1: any")
	f.IntVar(&c.Limits.DataMessages, "max-data-messages-per-second", 500, "messages of one participant; -1: any")
	f.BoolVar(&s.endWithStdin, "end-with-stdin", false, "end when the standard input does, as when a parent process dies")
	s.log.register(cmd, "info")
	return cmd
}

func (s *serveFlags) serve(cmd *cobra.Command, file map[string]any) error {
	stderr := cmd.ErrOrStderr()
	if err := s.config(stderr, file); err != nil {
		return err
	}
	key, made := s.developmentKeys()
	srv, err := front.Start(s.front)
	if err != nil {
		return s.explain(err)
	}
	if made {
		fmt.Fprintf(stderr, "no API key was given; these are for development and end with this server:\n%s"+
			"then, in another shell with these lines: parley token --identity NAME --room ROOM\n", exports(key))
	}
	greet(stderr, srv)
	orphaned := make(chan struct{})
	if s.endWithStdin {
		go func() { // ends with the input, or with the program
			_, _ = io.Copy(io.Discard, cmd.InOrStdin()) // its end is all that matters
			close(orphaned)
		}()
	}
	select {
	case <-cmd.Context().Done():
	case <-orphaned:
	case err = <-srv.Failed():
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return errors.Join(err, srv.Shutdown(ctx, s.retryAfter))
}

// config completes the configuration, and says what is wrong with it.
func (s *serveFlags) config(stderr io.Writer, file map[string]any) error {
	c := &s.front.SFU
	var err error
	if c.Logger, err = s.log.logger(stderr); err != nil {
		return err
	}
	if !s.keys.empty() {
		if err := s.keys.check(); err != nil {
			return err
		}
		c.AccountSID, c.Keys = s.keys.account, s.keys.all()
	}
	host, err := checkAddress("listen", s.front.Listen, "127.0.0.1:7880")
	if err != nil {
		return err
	}
	if at := s.front.ICETCP; at != "" && at != front.NoICETCP {
		if _, _, err := net.SplitHostPort(at); err != nil {
			return usagef("--ice-tcp %q: it has to be an address and a port, as in :7881, or off", at)
		}
	}
	if (s.front.CertFile == "") != (s.front.KeyFile == "") {
		return usagef("TLS needs both --tls-cert and --tls-key")
	}
	if c.DefaultRoomType != sfu.Group && c.DefaultRoomType != sfu.PeerToPeer {
		return usagef("--default-room-type %q: it has to be group or peer-to-peer", c.DefaultRoomType)
	}
	if err := s.limits(); err != nil {
		return err
	}
	if err := s.media(host); err != nil {
		return err
	}
	if c.CheckOrigin, err = originCheck(s.origins); err != nil {
		return err
	}
	if err := s.turn(); err != nil {
		return err
	}
	c.ICEServers, err = iceServers(file[iceServersKey])
	return err
}

// media says where media is received, from what is said about signaling.
func (s *serveFlags) media(host string) error {
	m := &s.front.SFU.Media
	m.PortMin, m.PortMax = s.minPort, s.maxPort
	switch {
	case m.Port < 0 || m.Port > 65535:
		return usagef("--udp-port %d: a port is a number from 1 to 65535, or 0 for any", m.Port)
	case (m.PortMin == 0) != (m.PortMax == 0) || m.PortMin > m.PortMax:
		return usagef("--udp-port-min %d and --udp-port-max %d: give both, the smaller one first", m.PortMin, m.PortMax)
	case m.PortMin != 0 && m.Port != 0:
		return usagef("--udp-port and --udp-port-min exclude each other")
	}
	for _, ip := range slices.Concat(m.IPs, m.PublicIPs) {
		if net.ParseIP(ip) == nil {
			return usagef("%q: --media-ip and --public-ip take IP addresses, as in 203.0.113.7", ip)
		}
	}
	ip := net.ParseIP(host)
	switch {
	case strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback()):
		m.Loopback = len(m.IPs) == 0
		m.SameMachine = m.Loopback
	case ip != nil && !ip.IsUnspecified() && len(m.IPs) == 0:
		m.IPs = []string{ip.String()}
	}
	return nil
}

func originCheck(origins []string) (func(*http.Request) bool, error) {
	if len(origins) == 0 {
		return nil, nil
	}
	for _, o := range origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "") {
			return nil, usagef("--origin %q: it has to be like https://app.example, or *", o)
		}
	}
	return func(r *http.Request) bool {
		from := r.Header.Get("Origin")
		u, err := url.Parse(from)
		if from == "" || (err == nil && strings.EqualFold(u.Host, r.Host)) {
			return true // no browser, or our own page
		}
		return slices.ContainsFunc(origins, func(o string) bool {
			return o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), from)
		})
	}, nil
}

// iceServers reads the list of the file.
func iceServers(value any) ([]signaling.ICEServer, error) {
	if value == nil {
		return nil, nil
	}
	var list []struct {
		URLs       []string `yaml:"urls"`
		Username   string   `yaml:"username"`
		Credential string   `yaml:"credential"`
	}
	data, err := yaml.Marshal(value)
	if err == nil {
		err = yaml.UnmarshalWithOptions(data, &list, yaml.DisallowUnknownField())
	}
	if err != nil {
		return nil, usagef("%s: it has to be a list of urls, username and credential", iceServersKey)
	}
	servers := make([]signaling.ICEServer, 0, len(list))
	for _, s := range list {
		if len(s.URLs) == 0 {
			return nil, usagef("%s: a server without urls", iceServersKey)
		}
		servers = append(servers, signaling.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	return servers, nil
}

// explain says how to mend what kept the server from starting.
func (s *serveFlags) explain(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return usagef("%w; choose another --listen, --udp-port, --ice-tcp or --turn-…, or end the program that has it", err)
	case errors.Is(err, syscall.EACCES):
		return usagef("%w; ports below 1024 need privileges", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return usagef("%w; --listen, --media-ip, --ice-tcp and --turn-… have to be addresses of this machine", err)
	}
	return fmt.Errorf("starting the server: %w", err)
}

// developmentKeys makes keys for a server that has none.
func (s *serveFlags) developmentKeys() (accesstoken.Key, bool) {
	if !s.keys.empty() {
		return accesstoken.Key{}, false
	}
	key := accesstoken.NewKey()
	s.front.SFU.AccountSID, s.front.SFU.Keys = key.AccountSID, map[string]accesstoken.Secret{key.SID: key.Secret}
	return key, true
}

func greet(w io.Writer, srv *front.Server) {
	fmt.Fprintf(w, "signaling at %s\n", srv.SignalingURL())
	if at := srv.ICETCP(); at != nil {
		fmt.Fprintf(w, "media by UDP, or where that is blocked by TCP at %s\n", at)
	}
	fmt.Fprintf(w, "a page to watch a room at %s\n", srv.WatchURL("TOKEN"))
	for _, url := range srv.RelayURLs() {
		fmt.Fprintf(w, "TURN at %s\n", url)
	}
	fmt.Fprintf(w, "health at %s, figures at %s\n", srv.URL("/healthz"), srv.URL("/metrics"))
}
