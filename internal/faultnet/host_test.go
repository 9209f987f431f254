package faultnet_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/transport/v4"
	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/parley-rtc/parley/internal/faultnet"
)

func TestPipesAreConnsAsGoKnowsThem(t *testing.T) {
	n := faultnet.NewPipes()
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		client, server := connect(t, n)
		return client, server, func() { _, _ = client.Close(), server.Close() }, nil
	})
}

func TestHostIsANet(t *testing.T) {
	w := faultnet.NewWorld(t, faultnet.WorldConfig{})
	a, b := w.Host("a", "1.2.3.4"), w.Host("b", "1.2.3.5")
	require.Equal(t, "a", a.Name())

	eth0, err := a.InterfaceByName("eth0")
	require.NoError(t, err)
	same, err := a.InterfaceByIndex(eth0.Index)
	require.NoError(t, err)
	require.Equal(t, eth0, same)
	_, err = a.InterfaceByIndex(99)
	require.ErrorIs(t, err, transport.ErrInterfaceNotFound)
	ip, err := a.ResolveIPAddr("ip4", "localhost")
	require.NoError(t, err)
	require.True(t, ip.IP.IsLoopback())

	pc, err := b.CreateListenConfig(nil).ListenPacket(t.Context(), "udp", "1.2.3.5:5000")
	require.NoError(t, err)
	defer pc.Close()
	server := pc.(transport.UDPConn)
	conn, err := a.CreateDialer(nil).Dial("udp", "1.2.3.5:5000")
	require.NoError(t, err)
	defer conn.Close()
	client := conn.(transport.UDPConn)
	require.Equal(t, "1.2.3.5:5000", client.RemoteAddr().String())
	require.NoError(t, client.SetReadBuffer(1<<20))
	require.NoError(t, client.SetWriteBuffer(1<<20))

	_, err = client.Write([]byte("one"))
	require.NoError(t, err)
	buf := make([]byte, 10)
	n, from, err := server.ReadFromUDP(buf)
	require.NoError(t, err)
	require.Equal(t, "one", string(buf[:n]))
	require.Equal(t, client.LocalAddr().String(), from.String())

	_, err = server.WriteToUDP([]byte("two"), from)
	require.NoError(t, err)
	require.Equal(t, "two", readString(t, client))
	_, _, err = client.WriteMsgUDP([]byte("three"), nil, nil)
	require.NoError(t, err)
	n, _, _, from, err = server.ReadMsgUDP(buf, nil)
	require.NoError(t, err)
	require.Equal(t, "three", string(buf[:n]))
	_, _, err = server.WriteMsgUDP([]byte("four"), nil, from)
	require.NoError(t, err)
	require.Equal(t, "four", readString(t, client))

	_, err = server.Write([]byte("to whom?"))
	require.Error(t, err)
	require.NoError(t, server.SetDeadline(time.Unix(1, 0)))
	_, _, err = server.ReadFromUDP(buf)
	require.ErrorContains(t, err, "timeout")
	_, err = a.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(1, 2, 3, 5)})
	require.Error(t, err, "another host's address")
	local := &net.UDPAddr{IP: net.IPv4(1, 2, 3, 4)}
	again, err := a.ListenUDP("udp", local)
	require.NoError(t, err)
	require.NoError(t, again.Close())
	require.Zero(t, local.Port, "the caller's address is left alone")
}

func TestHostTCPIsATCPConn(t *testing.T) {
	w := faultnet.NewWorld(t, faultnet.WorldConfig{})
	a, b := w.Host("a", "1.2.3.4"), w.Host("b", "1.2.3.5")
	l, err := b.CreateListenConfig(nil).Listen(t.Context(), "tcp", "1.2.3.5:80")
	require.NoError(t, err)
	c, err := a.Dial("tcp", "1.2.3.5:80")
	require.NoError(t, err)
	s, err := l.Accept()
	require.NoError(t, err)
	client, server := c.(transport.TCPConn), s.(transport.TCPConn)
	require.NoError(t, client.SetNoDelay(true))
	require.NoError(t, client.SetKeepAlive(true))
	require.NoError(t, client.SetKeepAlivePeriod(time.Second))
	require.NoError(t, client.SetLinger(0))
	require.NoError(t, client.SetReadBuffer(1))
	require.NoError(t, client.SetWriteBuffer(1))
	require.Equal(t, "1.2.3.4", client.LocalAddr().(*net.TCPAddr).IP.String())
	n, err := client.ReadFrom(strings.NewReader("hello"))
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
	require.NoError(t, client.CloseWrite())
	got, err := io.ReadAll(server)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	require.NoError(t, client.Close())
	require.NoError(t, server.Close())
	require.ErrorIs(t, l.(transport.TCPListener).SetDeadline(time.Time{}), transport.ErrNotSupported)
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// TestTURNOverTCPInABubble connects a host whose network lets no UDP through,
// by a TURN server over TCP.
func TestTURNOverTCPInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: 10 * time.Millisecond})
		hotel := w.LAN("hotel", faultnet.PortRestricted, "").Host("guest")
		hotel.BlockUDP(true)
		relay, other := w.Host("relay", "1.2.3.50"), w.Host("other")
		l, err := relay.Listen("tcp", "1.2.3.50:443")
		require.NoError(t, err)
		server, err := turn.NewServer(turn.ServerConfig{
			Realm: "test",
			AuthHandler: func(r *turn.RequestAttributes) (string, []byte, bool) {
				return r.Username, turn.GenerateAuthKey(r.Username, r.Realm, "secret"), true
			},
			ListenerConfigs: []turn.ListenerConfig{{
				Listener: l,
				RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
					RelayAddress: net.IPv4(1, 2, 3, 50), Address: "1.2.3.50", Net: relay,
				},
			}},
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, server.Close()) }()

		p := &peers{offerer: newPeer(t, hotel), answerer: newPeer(t, other), got: make(chan string, 1)}
		require.NoError(t, p.offerer.SetConfiguration(webrtc.Configuration{ICEServers: []webrtc.ICEServer{{
			URLs: []string{"turn:1.2.3.50:443?transport=tcp"}, Username: "guest", Credential: "secret",
		}}}))
		p.answerer.OnDataChannel(func(d *webrtc.DataChannel) {
			d.OnMessage(func(m webrtc.DataChannelMessage) { p.got <- string(m.Data) })
		})
		p.channel, err = p.offerer.CreateDataChannel("c", nil)
		require.NoError(t, err)
		opened := make(chan struct{})
		p.channel.OnOpen(func() { close(opened) })
		p.negotiate(t, false)
		<-opened
		require.NoError(t, p.channel.SendText("by TCP"))
		require.Equal(t, "by TCP", <-p.got)
		pair, err := p.offerer.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
		require.NoError(t, err)
		require.Equal(t, webrtc.ICECandidateTypeRelay, pair.Local.Typ)
		require.NoError(t, p.offerer.GracefulClose())
		require.NoError(t, p.answerer.GracefulClose())
	})
}
