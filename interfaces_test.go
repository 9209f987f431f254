package parley_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/pion/ice/v4"
	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// bridged is a machine with two addresses on its network, a bridge to nowhere,
// as container tools leave it behind, and IPv6.
type bridged struct {
	*faultnet.Host

	mu   sync.Mutex
	used []string // where sockets were asked for
}

const (
	firstIP, secondIP = "1.2.7.1", "1.2.7.2"
	bridgeIP          = "172.17.0.1"
	sixIP             = "2001:db8::7"
)

func (b *bridged) Interfaces() ([]*transport.Interface, error) {
	add := func(name string, ips ...string) *transport.Interface {
		ifc := transport.NewInterface(net.Interface{Name: name, Flags: net.FlagUp | net.FlagMulticast})
		for _, ip := range ips {
			ifc.AddAddress(&net.IPNet{IP: net.ParseIP(ip), Mask: net.CIDRMask(24, 32)})
		}
		return ifc
	}
	return []*transport.Interface{add("eth0", firstIP, secondIP, sixIP), add("docker0", bridgeIP)}, nil
}

func (b *bridged) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	b.mu.Lock()
	b.used = append(b.used, local.IP.String())
	b.mu.Unlock()
	return b.Host.ListenUDP(network, local)
}

func (b *bridged) sockets() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(b.used)))
}

// candidates are those that the client sent, in descriptions and apart.
func (s *spy) candidates() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.sent {
		for line := range strings.Lines(d.SDP) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "a=candidate:"); ok {
				list = append(list, text)
			}
		}
	}
	for _, c := range s.ice {
		if c.Candidate != "" { // or there are no more
			list = append(list, c.Candidate)
		}
	}
	return list
}

// Who restricts interfaces, addresses or families opens no socket elsewhere and
// tells the server of no other address, before and after ICE is restarted.
func TestInterfacesCanBeRestricted(t *testing.T) {
	for name, c := range map[string]struct {
		restrict func(*parley.ConnectOptions)
		sockets  []string // sorted
		told     []string
	}{
		"not at all": {func(*parley.ConnectOptions) {}, []string{firstIP, secondIP, bridgeIP, sixIP}, []string{firstIP, secondIP}},
		"interface": {func(o *parley.ConnectOptions) {
			o.Interfaces = func(name string) bool { return name != "docker0" }
		}, []string{firstIP, secondIP, sixIP}, []string{firstIP, secondIP}},
		"address": {func(o *parley.ConnectOptions) {
			o.IPs = func(ip net.IP) bool { return ip.String() == secondIP }
		}, []string{secondIP}, []string{secondIP}},
		"family": {func(o *parley.ConnectOptions) {
			o.NetworkTypes = []webrtc.NetworkType{webrtc.NetworkTypeUDP4}
		}, []string{firstIP, secondIP, bridgeIP}, []string{firstIP, secondIP}},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 11, func(l *lab) {
				l.join("alice", picture(l.t))
				var ear *spy
				hosts.Lock()
				machine := &bridged{Host: l.world.Host("bob", firstIP, secondIP)}
				hosts.Unlock()
				bob, err := l.dialFrom(l.t.Context(), machine.Host, "bob", c.restrict, func(o *parley.ConnectOptions) {
					ear = &spy{Transport: o.Transport}
					o.Transport = ear
					o.ConfigureWebRTC = func(e *webrtc.SettingEngine) { e.SetNet(machine) }
				})
				require.NoError(l.t, err)
				view := bob.watch("alice", "picture")
				view.after(l.t, time.Now())
				bob.room.NetworkChanged()
				time.Sleep(5 * time.Second)
				view.after(l.t, time.Now())

				require.Equal(l.t, c.sockets, machine.sockets())
				var told []string
				for _, text := range ear.candidates() {
					candidate, err := ice.UnmarshalCandidate(text)
					require.NoError(l.t, err)
					told = append(told, candidate.Address())
				}
				require.Equal(l.t, c.told, slices.Compact(slices.Sorted(slices.Values(told))))
			})
		})
	}
}
