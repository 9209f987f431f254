package sfu_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/pion/ice/v4"
	"github.com/stretchr/testify/require"
)

// addresses are where the server tells a client to send media to.
func (c *client) addresses() (list []netip.AddrPort) {
	c.t.Helper()
	for line := range strings.Lines(c.initial.Update.PeerConnections[0].Description.SDP) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "a=candidate:"); ok {
			candidate, err := ice.UnmarshalCandidate(text)
			require.NoError(c.t, err)
			ip, err := netip.ParseAddr(candidate.Address())
			require.NoError(c.t, err)
			list = append(list, netip.AddrPortFrom(ip, uint16(candidate.Port())))
		}
	}
	require.NotEmpty(c.t, list)
	return list
}

// call sends pictures from one client to another, and returns both.
func (w *world) call() (alice, bob *client) {
	w.t.Helper()
	alice, bob = w.client("alice", "demo"), w.client("bob", "demo")
	out := alice.publish(signaling.KindVideo, "cam")
	require.NoError(w.t, alice.dial())
	alice.connected()
	alice.stream(out, media.VP8, 1)
	mid := bob.slot(media.Video)
	require.NoError(w.t, bob.dial())
	bob.connected()
	read(w.t, bob.inlet(mid), 20)
	return alice, bob
}

// One port for everybody, unless a range is given: then each has one of it.
func TestMediaPorts(t *testing.T) {
	t.Run("one", func(t *testing.T) {
		alice, bob := newWorld(t).call()
		require.Equal(t, alice.addresses(), bob.addresses())
	})
	t.Run("range", func(t *testing.T) {
		const low, high = 21300, 21399
		w := newWorld(t, func(cfg *sfu.Config) { cfg.Media.PortMin, cfg.Media.PortMax = low, high })
		alice, bob := w.call()
		ports := map[uint16]bool{}
		for _, a := range append(alice.addresses(), bob.addresses()...) {
			require.GreaterOrEqual(t, a.Port(), uint16(low))
			require.LessOrEqual(t, a.Port(), uint16(high))
			ports[a.Port()] = true
		}
		require.GreaterOrEqual(t, len(ports), 2, "each connection has its own")
	})
}

// Behind a NAT clients are told its address, and nothing of what is behind it.
func TestPublicAddressIsTold(t *testing.T) {
	const public = "203.0.113.7"
	w := newWorld(t, func(cfg *sfu.Config) { cfg.Media.PublicIPs = []string{public} })
	c := w.client("alice", "demo")
	c.slot(media.Video)
	require.NoError(t, c.dial())
	for _, a := range c.addresses() {
		require.Equal(t, public, a.Addr().String())
	}
}
