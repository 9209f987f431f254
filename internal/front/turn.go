package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/internal/sfu/relay"
)

// TURN says where the relay listens. With no address there is none.
type TURN struct {
	// UDP, TCP and TLS are addresses, as in :3478. TLS uses the certificate of
	// the server.
	UDP, TCP, TLS string
	// Host is by what name or address clients find it; "": by the address at
	// which it listens, or else that of media, and for TLS by the first name in
	// the certificate.
	Host string
	// Allow and Deny: see relay.Config.
	Allow, Deny []netip.Prefix
}

func (t *TURN) on() bool { return t.UDP != "" || t.TCP != "" || t.TLS != "" }

// RelayURLs are where clients find the relay; nil: there is none.
func (s *Server) RelayURLs() []string {
	if s.relay == nil {
		return nil
	}
	return s.relay.ICEServers("")[0].URLs
}

// startRelay starts the relay, if there is to be one, and has clients told.
func (s *Server) startRelay(cfg *Config, certs *tls.Config) error {
	t := &cfg.TURN
	if !t.on() {
		return nil
	}
	c := relay.Config{Host: t.Host, TLSHost: t.Host, Allow: t.Allow, Deny: t.Deny, Logger: cfg.SFU.Logger}
	if err := place(&c, s.SFU.MediaAddresses(), cfg.SFU.Media.PublicIPs); err != nil {
		return err
	}
	if t.TLS != "" && certs == nil {
		return errors.New("TURN over TLS needs a certificate and its key")
	}
	if certs != nil {
		c.Certs = &tls.Config{Certificates: certs.Certificates, MinVersion: tls.VersionTLS12}
		if c.TLSHost == "" {
			c.TLSHost = nameIn(certs)
		}
	}
	var err error
	if c.UDP, c.TCP, c.TLS, err = t.listen(); err != nil {
		return err
	}
	if s.relay, err = relay.Start(c); err != nil {
		return err
	}
	s.SFU.OfferRelay(s.relay.ICEServers)
	return nil
}

// place puts the relayed sockets beside media: on its first address, an IPv4
// one if there is any, since clients ask for those.
func place(c *relay.Config, media []sfu.MediaAddress, public []string) error {
	for _, m := range media {
		c.Peers = append(c.Peers, relay.Peer(m))
		if !c.IP.IsValid() || m.IP.Is4() && !c.IP.Is4() {
			c.IP = m.IP
		}
	}
	if !c.IP.IsValid() {
		return errors.New("TURN: the addresses of media are not known")
	}
	for _, text := range public {
		if ip, err := netip.ParseAddr(text); err == nil && ip.Is4() == c.IP.Is4() {
			c.PublicIP = ip
			break
		}
	}
	return nil
}

// listen opens what there is an address for, or nothing.
func (t *TURN) listen() (udp net.PacketConn, tcp, secure net.Listener, err error) {
	ctx := context.Background() // it does not wait
	var config net.ListenConfig
	if t.UDP != "" {
		udp, err = config.ListenPacket(ctx, "udp", t.UDP)
	}
	if t.TCP != "" && err == nil {
		tcp, err = config.Listen(ctx, "tcp", t.TCP)
	}
	if t.TLS != "" && err == nil {
		secure, err = config.Listen(ctx, "tcp", t.TLS)
	}
	if err != nil {
		if udp != nil {
			_ = udp.Close() // nothing came through it
		}
		if tcp != nil {
			_ = tcp.Close() // likewise
		}
		return nil, nil, nil, fmt.Errorf("TURN: %w", err)
	}
	return udp, tcp, secure, nil
}

// nameIn is the first name in the certificate by which one host is found.
func nameIn(certs *tls.Config) string {
	for _, c := range certs.Certificates {
		if c.Leaf == nil {
			continue
		}
		for _, name := range c.Leaf.DNSNames {
			if !strings.Contains(name, "*") {
				return name
			}
		}
	}
	return ""
}
