package front_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/parley-rtc/parley/internal/front"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/signaling"
	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/parley-rtc/parley/signaling/rsp"
	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"
)

// TestTURNLeadsToMediaOnly takes what a client is told of ICE servers, by both
// ways in which it is, and calls the relay with it.
func TestTURNLeadsToMediaOnly(t *testing.T) {
	srv, key := start(t, front.Config{TURN: front.TURN{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0"}})
	off, err := srv.SFU.OpenRoom(sfu.RoomOptions{Name: "without", DisableTURN: true})
	require.NoError(t, err)
	require.True(t, off.Options.DisableTURN)
	token := sign(t, key)
	servers, err := rsp.NewTransport(rsp.Options{URL: srv.SignalingURL(), AcquireICE: true}).Prepare(t.Context(), token)
	require.NoError(t, err)
	require.Len(t, servers, 2)
	require.Equal(t, srv.RelayURLs(), servers[0].URLs)
	require.Regexp(t, `^\d+:alice$`, servers[0].Username)

	session, err := rsp.NewTransport(rsp.Options{URL: srv.SignalingURL()}).Dial(t.Context(), signaling.Join{
		Token: token, Slots: true, Participant: signaling.LocalParticipant{Revision: 1},
	})
	require.NoError(t, err)
	require.Equal(t, servers[0].URLs, session.Initial().ICEServers[0].URLs)
	require.NoError(t, session.Close(context.Background(), signaling.ReasonLeave))

	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	at := servers[0].URLs[0][len("turn:") : len(servers[0].URLs[0])-len("?transport=udp")]
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: at, TURNServerAddr: at, Conn: conn, Username: servers[0].Username, Password: servers[0].Credential,
	})
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.Listen())
	relayed, err := client.Allocate()
	require.NoError(t, err)
	defer relayed.Close()
	media := srv.SFU.MediaAddresses()
	require.Len(t, media, 1)
	require.NoError(t, client.CreatePermission(net.UDPAddrFromAddrPort(netip.AddrPortFrom(media[0].IP, media[0].First))))
	require.ErrorContains(t, client.CreatePermission(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 80}), "403")
}

// TestRoomsWithoutTURN leaves it out where a room has it off, also before the
// join, if the token says which room that will be.
func TestRoomsWithoutTURN(t *testing.T) {
	own := signaling.ICEServer{URLs: []string{"stun:stun.example"}}
	srv, key := start(t, front.Config{
		TURN: front.TURN{TCP: "127.0.0.1:0"}, SFU: sfu.Config{ICEServers: []signaling.ICEServer{own}},
	})
	acquire := func() []signaling.ICEServer {
		servers, err := rsp.NewTransport(rsp.Options{URL: srv.SignalingURL(), AcquireICE: true}).Prepare(t.Context(), sign(t, key))
		require.NoError(t, err)
		return servers
	}
	require.Len(t, acquire(), 2)
	_, err := srv.SFU.OpenRoom(sfu.RoomOptions{Name: "lab", DisableTURN: true})
	require.NoError(t, err)
	require.Equal(t, []signaling.ICEServer{own}, acquire())
	session, err := rsp.NewTransport(rsp.Options{URL: srv.SignalingURL()}).Dial(t.Context(), signaling.Join{
		Token: sign(t, key), Slots: true, Participant: signaling.LocalParticipant{Revision: 1},
	})
	require.NoError(t, err)
	require.Equal(t, []signaling.ICEServer{own}, session.Initial().ICEServers)
	require.NoError(t, session.Close(context.Background(), signaling.ReasonLeave))
}

// TestTURNCannotStart leaves nothing open.
func TestTURNCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	key := accesstoken.NewKey()
	for name, c := range map[string]front.TURN{
		"taken":          {UDP: "127.0.0.1:0", TCP: taken.Addr().String()},
		"no certificate": {TLS: "127.0.0.1:0"},
		"nonsense":       {UDP: "here"},
	} {
		_, err := front.Start(front.Config{
			Listen: "127.0.0.1:0", TURN: c,
			SFU: sfu.Config{
				AccountSID: key.AccountSID, Keys: map[string]accesstoken.Secret{key.SID: key.Secret}, Media: sfu.Media{Loopback: true},
			},
		})
		require.ErrorContains(t, err, "TURN", name)
	}
}
