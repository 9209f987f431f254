package sfu

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/parley-rtc/parley/internal/icetcp"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// listenMedia opens the media sockets and makes the API that connections are
// built with.
func (s *Server) listenMedia() error {
	m := &s.cfg.Media
	cfg := rtc.Config{
		Net: m.Net, UDPMux: m.UDPMux, Logger: s.cfg.Logger, Loopback: m.Loopback,
		PublicIPs: m.PublicIPs, PortMin: m.PortMin, PortMax: m.PortMax,
	}
	if m.KeyLog != nil {
		cfg.Configure = func(e *webrtc.SettingEngine) { e.SetDTLSKeyLogWriter(m.KeyLog) }
	}
	if m.TCP != nil {
		s.listenTCP()
		cfg.TCPMux = s.tcp
	}
	own := m.UDPMux == nil && m.PortMin == 0
	switch {
	case m.UDPMux == nil && !own:
		s.noteRange()
	case !own:
	case m.Conn != nil:
		s.noteMedia(m.Conn)
		s.muxes = append(s.muxes, rtc.NewUDPMux(m.Conn, m.Net, s.cfg.Logger))
	case m.Net == nil || len(m.IPs) > 0:
		if err := s.listenUDP(); err != nil {
			s.closeMedia()
			return err
		}
		if m.Loopback && m.SameMachine && m.Net == nil && len(m.IPs) == 0 {
			s.listenSameMachine(m.Port)
		}
	}
	switch len(s.muxes) {
	case 0:
	case 1:
		cfg.UDPMux = s.muxes[0]
	default:
		all := ice.NewMultiUDPMuxDefault(s.muxes...)
		cfg.UDPMux, s.muxes = all, []ice.UDPMux{all}
	}
	api, err := rtc.New(cfg)
	if err != nil {
		s.closeMedia()
		return err
	}
	s.api = api
	return nil
}

func (s *Server) closeMedia() {
	for _, m := range s.muxes {
		_ = m.Close() // the sockets are gone either way
	}
	if s.tcp != nil {
		_ = s.tcp.Close() // likewise
	}
}

// tcpPerSocket is how many TCP connections for media there may be for each socket
// of signaling: browsers open one from each of their networks to each of our
// addresses, also where UDP works.
const tcpPerSocket = 4

// listenTCP takes media from the TCP listener.
func (s *Server) listenTCP() {
	m := &s.cfg.Media
	cfg := icetcp.Config{Listener: m.TCP, Logger: s.cfg.Logger}
	for _, text := range m.IPs {
		if ip, err := netip.ParseAddr(text); err == nil {
			cfg.Addresses = append(cfg.Addresses, ip.Unmap())
		}
	}
	if most := s.cfg.Limits.Sockets; most >= 0 {
		cfg.Acquire = (&admission.Sockets{PerNetwork: most * tcpPerSocket}).Acquire
	}
	s.tcp = icetcp.NewMux(cfg)
}

// listenUDP opens one socket on each address: only one that is bound to an
// address answers from where it was asked.
func (s *Server) listenUDP() error {
	m := &s.cfg.Media
	ips := m.IPs
	if len(ips) == 0 {
		var err error
		if ips, err = localIPs(m.Loopback); err != nil {
			return err
		}
	}
	port := m.Port
	for _, text := range ips {
		ip := net.ParseIP(text)
		if ip == nil || ip.IsUnspecified() {
			return fmt.Errorf("listening for media: %q is not an address to bind to", text)
		}
		addr := &net.UDPAddr{IP: ip, Port: port}
		var conn net.PacketConn
		var err error
		if m.Net != nil {
			conn, err = m.Net.ListenUDP("udp", addr)
		} else {
			conn, err = net.ListenUDP("udp", addr)
		}
		if err != nil {
			return fmt.Errorf("listening for media: %w", err)
		}
		if port == 0 { // the same one everywhere
			port = conn.LocalAddr().(*net.UDPAddr).Port
		}
		s.noteMedia(conn)
		s.muxes = append(s.muxes, rtc.NewUDPMux(conn, m.Net, s.cfg.Logger))
	}
	return nil
}

// localIPs lists this machine's addresses to listen on.
func localIPs(loopback bool) ([]string, error) {
	if loopback {
		return []string{"127.0.0.1"}, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("listing the addresses to listen on: %w", err)
	}
	var ips []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() && !n.IP.IsMulticast() {
			ips = append(ips, n.IP.String())
		}
	}
	if len(ips) == 0 {
		return []string{"127.0.0.1"}, nil
	}
	return ips, nil
}
