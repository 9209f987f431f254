// Package rtc is the only place that builds pion peer connections. It holds
// what the client and the server share of the media plane: tuned settings, the
// live interface list, send and receive sections ([Outlet], [Inlet]), loss
// recovery and reports. It knows neither rooms nor signaling.
package rtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/parley-rtc/parley/internal/icetcp"
	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"
)

// Silence is how long a connection hears nothing before State says that it is
// disconnected.
const Silence = iceDisconnected

// Config says how the peer connections of one API are built. The zero value
// is the tuned default.
type Config struct {
	// Net is the network to use; nil is the operating system's, with the
	// interfaces listed afresh on every gathering.
	Net transport.Net
	// UDPMux carries all connections over one socket; nil opens one each.
	UDPMux ice.UDPMux
	// TCPMux is where others may call by TCP; nil: nowhere. CallTCP lets peers
	// call others by TCP, those that ask for it. Not both.
	TCPMux  ice.TCPMux
	CallTCP bool
	// Logger receives pion's log; nil silences it.
	Logger *slog.Logger

	// Interfaces and IPs keep the local interfaces and addresses to gather
	// candidates from, RemoteIPs the remote ones to talk to; nil keeps all.
	Interfaces func(name string) bool
	IPs        func(net.IP) bool
	RemoteIPs  func(net.IP) bool
	// NetworkTypes restricts address families and protocols.
	NetworkTypes []webrtc.NetworkType
	// RelayOnly says that there will be no candidates but relayed ones, so that
	// nobody waits for others.
	RelayOnly bool
	// Loopback gathers candidates on loopback interfaces too.
	Loopback bool
	// PublicIPs replace the host candidates' addresses behind a 1:1 NAT.
	PublicIPs []string
	// PortMin and PortMax bound the UDP ports, when both are set.
	PortMin, PortMax uint16
	// Configure may change any setting, last.
	Configure func(*webrtc.SettingEngine)
}

// The settings that decide how joins and calls fare on bad networks. Measured
// with 20 % loss both ways, they take the 90th percentile of a join from 12.6 s
// to 2.8 s.
const (
	dtlsRetransmit          = 100 * time.Millisecond // doubled each time; see repeat.go
	sctpRTOMax              = 500 * time.Millisecond
	iceBindingRequests      = 100
	iceDisconnected         = 2 * time.Second
	iceFailed               = 20 * time.Second
	iceKeepalive            = 500 * time.Millisecond
	sctpReceiveBuffer       = 1 << 20
	sctpMaxMessage          = 64 << 10
	receiveMTU         uint = 1460
	srtpReplayWindow   uint = 1024 // packets that may arrive behind later ones: 1 s of 8 Mbit/s
)

// API builds peer connections that share settings and a certificate. It is
// safe for concurrent use.
type API struct {
	media    *webrtc.MediaEngine
	settings webrtc.SettingEngine
	cert     webrtc.Certificate
	log      *slog.Logger

	batch   *batch         // of the sockets
	dialer  *icetcp.Dialer // of calls by TCP; nil: there are none
	tcpWait time.Duration  // what UDP has on top of it
}

// New returns an API for the configuration.
func New(cfg Config) (*API, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a DTLS key: %w", err)
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("making a DTLS certificate: %w", err)
	}

	media := &webrtc.MediaEngine{}
	if err := registerCodecs(media); err != nil {
		return nil, err
	}
	if err := registerLevel(media); err != nil {
		return nil, err
	}
	if err := registerNumbers(media); err != nil {
		return nil, err
	}
	var dialer *icetcp.Dialer
	if cfg.CallTCP {
		dialer = icetcp.NewDialer(nil)
		cfg.TCPMux = dialer
	}
	all := &batch{}
	settings := cfg.settings(all)
	if cfg.Configure != nil {
		cfg.Configure(&settings)
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &API{
		media:    media,
		settings: settings,
		cert:     *cert,
		log:      log,
		batch:    all,
		dialer:   dialer,
		tcpWait:  cfg.tcpWait(),
	}, nil
}

// build returns pion's API for one peer connection; nil: for none.
func (a *API) build(p *Peer) *webrtc.API {
	registry := &interceptor.Registry{}
	registry.Add(&listening{peer: p})
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(a.media),
		webrtc.WithSettingEngine(a.settings),
		webrtc.WithInterceptorRegistry(registry),
	)
}

func (cfg Config) settings(all *batch) webrtc.SettingEngine {
	s := webrtc.SettingEngine{LoggerFactory: logFactory{cfg.Logger}}
	s.SetDTLSRetransmissionInterval(dtlsRetransmit)
	s.SetSCTPRTOMax(sctpRTOMax)
	s.SetICEMaxBindingRequests(iceBindingRequests)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	s.SetHostAcceptanceMinWait(0)
	s.SetPrflxAcceptanceMinWait(0)
	s.SetSTUNGatherTimeout(callTime)
	if cfg.RelayOnly {
		s.SetRelayAcceptanceMinWait(0)
	} else {
		s.SetRelayAcceptanceMinWait(relayWait)
	}
	s.SetSCTPMaxReceiveBufferSize(sctpReceiveBuffer)
	s.SetSCTPMaxMessageSize(sctpMaxMessage)
	s.EnableSCTPZeroChecksum(true)
	s.SetReceiveMTU(receiveMTU)
	s.SetSRTPReplayProtectionWindow(srtpReplayWindow)
	s.BufferFactory = newBuffer
	s.SetFireOnTrackBeforeFirstRTP(true)
	s.DisableCloseByDTLS(true) // see NewPeer
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	s.SetIncludeLoopbackCandidate(cfg.Loopback)
	if cfg.Net != nil {
		s.SetNet(repeatingNet{cfg.Net, all})
	} else if n, err := newLiveNet(); err == nil {
		s.SetNet(repeatingNet{n, all})
	}
	if cfg.UDPMux != nil {
		s.SetICEUDPMux(&restartMux{cfg.UDPMux, cfg.Loopback})
	}
	if cfg.TCPMux != nil {
		s.SetICETCPMux(cfg.TCPMux)
	}
	s.DisableActiveTCP(true) // see package icetcp
	if cfg.Interfaces != nil {
		s.SetInterfaceFilter(cfg.Interfaces)
	}
	if cfg.IPs != nil {
		s.SetIPFilter(cfg.IPs)
	}
	if cfg.RemoteIPs != nil {
		s.SetRemoteIPFilter(cfg.RemoteIPs)
	}
	types := cfg.NetworkTypes
	if len(types) == 0 {
		types = []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
		if cfg.TCPMux != nil {
			types = append(types, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
		}
	}
	s.SetNetworkTypes(types)
	if len(cfg.PublicIPs) > 0 {
		_ = s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
			External:        cfg.PublicIPs,
			AsCandidateType: webrtc.ICECandidateTypeHost,
			Mode:            webrtc.ICEAddressRewriteReplace,
		})
	}
	if cfg.PortMin != 0 && cfg.PortMax != 0 {
		_ = s.SetEphemeralUDPPortRange(cfg.PortMin, cfg.PortMax)
	}
	return s
}

// NewUDPMux serves many connections over the one socket. Closing the mux
// closes the socket.
func NewUDPMux(conn net.PacketConn, n transport.Net, logger *slog.Logger) ice.UDPMux {
	return ice.NewUDPMuxDefault(ice.UDPMuxParams{
		UDPConn: repeating(conn),
		Logger:  logFactory{logger}.NewLogger("mux"),
		Net:     n,
	})
}
