//go:build e2e

package e2e_test

import (
	"net"
	"net/http/httptest"
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// six is an address that the test gives this machine for a while: ICE takes no
// part in ::1.
const six = "fd70:6172:6c65:79::1"

// A server with both address families, a publisher that has IPv6 alone and a
// subscriber that has IPv4 alone: each is where its family is, and the picture
// goes from one to the other.
func TestMediaOverIPv6(t *testing.T) {
	lo, err := netlink.LinkByName("lo")
	require.NoError(t, err)
	addr, err := netlink.ParseAddr(six + "/128")
	require.NoError(t, err)
	addr.Flags = unix.IFA_F_NODAD
	require.NoError(t, netlink.AddrReplace(lo, addr), "it takes root")
	t.Cleanup(func() { require.NoError(t, netlink.AddrDel(lo, addr)) })
	ln, err := net.Listen("tcp6", "["+six+"]:0")
	require.NoError(t, err)
	key := accesstoken.NewKey()
	srv, err := sfu.New(sfu.Config{
		AccountSID: key.AccountSID, Keys: map[string]accesstoken.Secret{key.SID: key.Secret},
		Media: sfu.Media{Loopback: true, IPs: []string{"127.0.0.1", six}},
	})
	require.NoError(t, err)
	web := httptest.NewUnstartedServer(srv)
	require.NoError(t, web.Listener.Close())
	web.Listener = ln
	web.Start()
	defer web.Close()
	defer srv.Close()

	join := func(who string, family webrtc.NetworkType, tracks ...parley.LocalTrack) *parley.Room {
		token, err := (&accesstoken.Token{Identity: who, Room: "six"}).Sign(key)
		require.NoError(t, err)
		room, err := parley.ConnectContext(t.Context(), token, &parley.ConnectOptions{
			URL: "ws://" + ln.Addr().String() + "/signaling", Tracks: tracks, NetworkTypes: []webrtc.NetworkType{family},
			ConfigureWebRTC: func(e *webrtc.SettingEngine) {
				e.SetIncludeLoopbackCandidate(true)
				e.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() || ip.Equal(net.ParseIP(six)) })
			},
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, room.Disconnect()) })
		return room
	}
	track, err := parley.NewLocalVideoTrack(synth.Video(), nil)
	require.NoError(t, err)
	defer track.Stop()
	publisher := join("six", webrtc.NetworkTypeUDP6, track)
	subscriber := join("four", webrtc.NetworkTypeUDP4)
	roomtest.Next[parley.TrackStarted](t, subscriber.Events())
	for room, want := range map[*parley.Room]string{publisher: `udp6.*fd70`, subscriber: `udp4.*127\.0\.0\.1`} {
		stats, err := room.Stats(t.Context())
		require.NoError(t, err)
		require.Regexp(t, want, stats.CandidatePair)
	}
}
