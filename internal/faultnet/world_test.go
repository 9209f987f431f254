package faultnet_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/faultnet"
)

func listen(t *testing.T, h *faultnet.Host, ip string) net.PacketConn {
	t.Helper()
	c, err := h.ListenPacket("udp", ip+":0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// arrives reports whether a packet gets from one socket to the other, and how
// long it takes.
func arrives(t *testing.T, from, to net.PacketConn, addr net.Addr) (took time.Duration, by net.Addr, ok bool) {
	t.Helper()
	start := time.Now()
	_, err := from.WriteTo([]byte("x"), addr)
	require.NoError(t, err)
	require.NoError(t, to.SetReadDeadline(start.Add(time.Second)))
	_, by, err = to.ReadFrom(make([]byte, 10))
	return time.Since(start), by, err == nil
}

func TestWorldDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: 25 * time.Millisecond, Jitter: 5 * time.Millisecond, Seed: 1})
		a, b := listen(t, w.Host("a"), "0.0.0.0"), listen(t, w.Host("b", "9.8.7.6"), "9.8.7.6")
		for range 100 {
			took, _, ok := arrives(t, a, b, b.LocalAddr())
			require.True(t, ok)
			require.GreaterOrEqual(t, took, 25*time.Millisecond)
			require.Less(t, took, 30*time.Millisecond)
		}
	})
}

func TestWorldLossPerHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{Seed: 1})
		ha, hb, hc := w.Host("a"), w.Host("b"), w.Host("c")
		ips := func(h *faultnet.Host) string { return h.Addresses()[0].String() }
		a, b, c := listen(t, ha, ips(ha)), listen(t, hb, ips(hb)), listen(t, hc, ips(hc))
		ha.SetLoss(300)
		for range 500 {
			_, _, ok := arrives(t, b, c, c.LocalAddr())
			require.True(t, ok, "others are not touched")
			arrives(t, a, b, b.LocalAddr())
			arrives(t, b, a, a.LocalAddr())
		}
		require.InDelta(t, 150, ha.Sent().Lost, 40)
		require.InDelta(t, 150, ha.Received().Lost, 40)
		require.Zero(t, hb.Sent().Lost+hb.Received().Lost)

		w.SetLoss(0)
		w.SetBlackhole(true)
		_, _, ok := arrives(t, b, c, c.LocalAddr())
		require.False(t, ok)
		w.SetBlackhole(false)
		_, _, ok = arrives(t, a, c, c.LocalAddr())
		require.True(t, ok)
	})
}

func TestWorldImpair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: 10 * time.Millisecond})
		ha, hb := w.Host("a"), w.Host("b")
		a, b := listen(t, ha, "0.0.0.0"), listen(t, hb, hb.Addresses()[0].String())
		hb.Impair(func(_, receive *faultnet.Faults) { receive.Rate = 8 })
		took, _, ok := arrives(t, a, b, b.LocalAddr())
		require.False(t, ok)
		require.Equal(t, time.Second, took, "one byte takes as long")
		require.Equal(t, 10*time.Millisecond, func() (d time.Duration) {
			ha.Impair(func(send, _ *faultnet.Faults) { d = send.Delay })
			return d
		}())
	})
}

func TestWorldBlocksTwoHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{})
		a, b, c := w.Host("a"), w.Host("b"), w.Host("c")
		at := func(h *faultnet.Host) net.PacketConn { return listen(t, h, h.Addresses()[0].String()) }
		sa, sb, sc := at(a), at(b), at(c)
		reaches := func(from, to net.PacketConn) bool {
			_, _, ok := arrives(t, from, to, to.LocalAddr())
			return ok
		}
		a.Block(b, true)
		a.Block(b, true)
		require.False(t, reaches(sa, sb))
		require.False(t, reaches(sb, sa))
		require.True(t, reaches(sa, sc))
		require.True(t, reaches(sc, sb))
		b.Block(a, false)
		require.True(t, reaches(sa, sb))
		require.True(t, reaches(sb, sa))
	})
}

func TestWorldSwitchAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{Seed: 1})
		client, server := w.Host("client", "1.2.3.4"), w.Host("server", "1.2.3.10")
		old, srv := listen(t, client, "1.2.3.4"), listen(t, server, "1.2.3.10")
		_, _, ok := arrives(t, old, srv, srv.LocalAddr())
		require.True(t, ok)

		client.SwitchAddress("5.6.7.8")
		require.Equal(t, "[5.6.7.8]", fmt.Sprint(client.Addresses()))
		eth0, err := client.InterfaceByName("eth0")
		require.NoError(t, err)
		addrs, err := eth0.Addrs()
		require.NoError(t, err)
		require.Equal(t, "[5.6.7.8/24]", fmt.Sprint(addrs))
		_, _, ok = arrives(t, old, srv, srv.LocalAddr())
		require.False(t, ok, "from the address that is gone")
		_, _, ok = arrives(t, srv, old, old.LocalAddr())
		require.False(t, ok, "to the address that is gone")
		_, err = client.ListenPacket("udp", "1.2.3.4:0")
		require.Error(t, err)

		fresh := listen(t, client, "5.6.7.8")
		_, by, ok := arrives(t, fresh, srv, srv.LocalAddr())
		require.True(t, ok)
		require.Equal(t, fresh.LocalAddr().String(), by.String())
	})
}

func TestWorldNAT(t *testing.T) {
	for name, test := range map[string]struct {
		nat                faultnet.NAT
		stranger, sameHost bool
	}{
		"full cone":       {faultnet.FullCone, true, true},
		"restricted":      {faultnet.Restricted, false, true},
		"port restricted": {faultnet.PortRestricted, false, false},
		"symmetric":       {faultnet.Symmetric, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: time.Millisecond})
				lan := w.LAN("home", test.nat, "")
				inside := lan.Host("inside")
				server := w.Host("server", "1.2.3.200", "1.2.3.201")
				in := listen(t, inside, inside.Addresses()[0].String())
				srv, other := listen(t, server, "1.2.3.200"), listen(t, server, "1.2.3.200")
				stranger := listen(t, server, "1.2.3.201")

				_, seen, ok := arrives(t, in, srv, srv.LocalAddr())
				require.True(t, ok)
				require.Equal(t, lan.PublicIP().String(), seen.(*net.UDPAddr).IP.String())
				_, _, ok = arrives(t, srv, in, seen)
				require.True(t, ok, "the way back")
				_, _, ok = arrives(t, other, in, seen)
				require.Equal(t, test.sameHost, ok, "from another port")
				_, _, ok = arrives(t, stranger, in, seen)
				require.Equal(t, test.stranger, ok, "from another address")
				_, again, ok := arrives(t, in, other, other.LocalAddr())
				require.True(t, ok)
				require.Equal(t, test.nat != faultnet.Symmetric, seen.String() == again.String())

				neighbor := listen(t, lan.Host("neighbor", lan.Prefix()+"77"), lan.Prefix()+"77")
				_, _, ok = arrives(t, in, neighbor, neighbor.LocalAddr())
				require.True(t, ok, "inside the LAN")
			})
		})
	}
}

func TestWorldTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: 20 * time.Millisecond})
		lan := w.LAN("home", faultnet.Symmetric, "")
		client, server := lan.Host("client"), w.Host("server", "1.2.3.200")
		var l net.Listener
		l, err := server.Listen("tcp", "0.0.0.0:443")
		require.NoError(t, err)
		defer l.Close()
		require.Equal(t, "1.2.3.200:443", l.Addr().String())

		start := time.Now()
		near, err := client.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(1, 2, 3, 200), Port: 443})
		require.NoError(t, err)
		defer near.Close()
		require.Equal(t, 40*time.Millisecond, time.Since(start))
		far, err := l.(transport.TCPListener).AcceptTCP()
		require.NoError(t, err)
		defer far.Close()
		require.Equal(t, lan.PublicIP().String(), far.RemoteAddr().(*net.TCPAddr).IP.String())
		_, err = near.Write([]byte("x"))
		require.NoError(t, err)
		require.Equal(t, "x", readString(t, far))
		require.Equal(t, 60*time.Millisecond, time.Since(start))

		client.BlockUDP(true)
		_, err = near.Write([]byte("web only"))
		require.NoError(t, err)
		require.Equal(t, "web only", readString(t, far))

		client.SetBlackhole(true)
		_, err = near.Write([]byte("late"))
		require.NoError(t, err)
		require.NoError(t, far.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = far.Read(make([]byte, 1))
		require.ErrorContains(t, err, "timeout")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.DialContext(ctx, "tcp", "1.2.3.200:443")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		client.SetBlackhole(false)
		require.NoError(t, far.SetReadDeadline(time.Time{}))
		require.Equal(t, "late", readString(t, far))

		client.SwitchAddress(lan.Prefix() + "99")
		_, err = near.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, far.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = far.Read(make([]byte, 1))
		require.ErrorContains(t, err, "timeout", "the address of the connection is gone")

		_, err = server.Dial("tcp", client.Addresses()[0].String()+":1")
		require.ErrorContains(t, err, "no route", "into a LAN")
		_, err = client.Dial("tcp", "1.2.3.200:444")
		require.ErrorContains(t, err, "refused")
		_, err = client.Listen("tcp", "1.2.3.200:1")
		require.ErrorContains(t, err, "cannot assign")
	})
}

// recorder is a TB that keeps what it is told.
type recorder struct {
	cleanups []func()
	errors   []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, a ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, a...))
}
func (r *recorder) Fatalf(format string, a ...any) { r.Errorf(format, a...) }
func (r *recorder) Cleanup(f func())               { r.cleanups = append(r.cleanups, f) }

func TestWorldNamesWhatIsLeftOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := &recorder{}
		w := faultnet.NewWorld(tb, faultnet.WorldConfig{})
		h := w.Host("leaky", "1.2.3.4")
		_, err := h.ListenPacket("udp", "1.2.3.4:5000")
		require.NoError(t, err)
		l, err := h.Listen("tcp", ":80")
		require.NoError(t, err)
		near, err := h.Dial("tcp", "1.2.3.4:80")
		require.NoError(t, err)
		closing, err := h.ListenPacket("udp", "1.2.3.4:5001")
		require.NoError(t, err)
		time.AfterFunc(time.Second/2, func() { _ = closing.Close() })
		require.Len(t, tb.cleanups, 1)
		tb.cleanups[0]()
		w.Close()
		require.Equal(t, []string{
			"faultnet: host leaky still has the socket 1.2.3.4:5000 open",
			"faultnet: the connection " + near.LocalAddr().String() + " to 1.2.3.4:80 is still open",
		}, tb.errors)
		require.NoError(t, l.Close())
	})
}

func TestWorldRefusesNonsense(t *testing.T) {
	tb := &recorder{}
	w := faultnet.NewWorld(tb, faultnet.WorldConfig{})
	defer w.Close()
	a, _ := w.Host("a", "1.1.1.1"), w.Host("b", "2.2.2.2")
	a.AddAddress("2.2.2.2")
	a.AddAddress("nowhere")
	a.RemoveAddress("3.3.3.3")
	require.Len(t, tb.errors, 3)
	_, err := a.Dial("udp", "2.2.2.2")
	require.Error(t, err)
	_, err = a.Dial("sctp", "2.2.2.2:1")
	require.Error(t, err)
	a.RemoveAddress("1.1.1.1")
	_, err = a.Dial("udp", "2.2.2.2:1")
	require.Error(t, err)
}

// peers are two peer connections with a data channel, in the world's time.
type peers struct {
	offerer, answerer *webrtc.PeerConnection
	channel           *webrtc.DataChannel
	got               chan string
}

func newPeers(t *testing.T, a, b transport.Net) *peers {
	t.Helper()
	p := &peers{offerer: newPeer(t, a), answerer: newPeer(t, b), got: make(chan string, 1000)}
	p.answerer.OnDataChannel(func(d *webrtc.DataChannel) {
		d.OnMessage(func(m webrtc.DataChannelMessage) { p.got <- string(m.Data) })
	})
	var err error
	p.channel, err = p.offerer.CreateDataChannel("c", nil)
	require.NoError(t, err)
	return p
}

func newPeer(t *testing.T, n transport.Net) *webrtc.PeerConnection {
	t.Helper()
	se := webrtc.SettingEngine{}
	se.SetNet(n)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetDTLSRetransmissionInterval(100 * time.Millisecond)
	se.SetSCTPRTOMax(500 * time.Millisecond)
	se.SetICEMaxBindingRequests(100)
	se.SetICETimeouts(2*time.Second, 30*time.Second, 500*time.Millisecond)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pc.GracefulClose()) })
	return pc
}

func (p *peers) negotiate(t *testing.T, restart bool) {
	t.Helper()
	offer, err := p.offerer.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	require.NoError(t, err)
	done := webrtc.GatheringCompletePromise(p.offerer)
	require.NoError(t, p.offerer.SetLocalDescription(offer))
	<-done
	require.NoError(t, p.answerer.SetRemoteDescription(*p.offerer.LocalDescription()))
	answer, err := p.answerer.CreateAnswer(nil)
	require.NoError(t, err)
	done = webrtc.GatheringCompletePromise(p.answerer)
	require.NoError(t, p.answerer.SetLocalDescription(answer))
	<-done
	require.NoError(t, p.offerer.SetRemoteDescription(*p.answerer.LocalDescription()))
}

// TestPeerConnectionInABubble connects at 20 % loss, survives a pulled cable
// and a change of network, and leaves nothing behind, all in virtual time.
func TestPeerConnectionInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: 25 * time.Millisecond, Jitter: 5 * time.Millisecond, Seed: 7})
		lan := w.LAN("home", faultnet.PortRestricted, "")
		client, server := lan.Host("client"), w.Host("server")
		client.SetLoss(200)
		p := newPeers(t, client, server)
		opened := make(chan struct{})
		p.channel.OnOpen(sync.OnceFunc(func() { close(opened) }))

		start := time.Now()
		p.negotiate(t, false)
		<-opened
		require.Less(t, time.Since(start), 10*time.Second)
		expect := func(n int) {
			t.Helper()
			for i := range n {
				require.NoError(t, p.channel.SendText(fmt.Sprint(i)))
			}
			for i := range n {
				require.Equal(t, fmt.Sprint(i), <-p.got)
			}
		}
		expect(100)

		client.SetLoss(0)
		client.SetBlackhole(true)
		time.Sleep(6 * time.Second)
		client.SetBlackhole(false)
		expect(100)

		client.SwitchAddress(lan.Prefix() + "200")
		p.negotiate(t, true)
		expect(100)
		require.Less(t, time.Since(start), 40*time.Second)
	})
}
