package icetcp_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/icetcp"
	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	_ ice.TCPMux               = (*icetcp.Mux)(nil)
	_ ice.AllConnsGetter       = (*icetcp.Mux)(nil)
	_ ice.AllConnsGetter       = (*icetcp.Dialer)(nil)
	_ ice.TCPMux               = (*icetcp.Dialer)(nil)
	_ ice.AddrPortReaderWriter = packetConn(nil)
)

// packetConn is what pion wants of a candidate's connection.
type packetConn interface {
	net.PacketConn
	ice.AddrPortReaderWriter
}

// place is a mux on a virtual network, with somebody who was told of "ours".
type place struct {
	t      *testing.T
	server *faultnet.Host
	client *faultnet.Host
	mux    *icetcp.Mux
	ours   packetConn
}

const port = 7881

func inPlace(t *testing.T, f func(p *place), change ...func(*icetcp.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		world := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: 10 * time.Millisecond, Seed: 1})
		p := &place{t: t, server: world.Host("server"), client: world.Host("client")}
		ln, err := p.server.Listen("tcp", fmt.Sprintf(":%d", port))
		require.NoError(t, err)
		cfg := icetcp.Config{Listener: ln}
		for _, c := range change {
			c(&cfg)
		}
		p.mux = icetcp.NewMux(cfg)
		t.Cleanup(func() {
			require.NoError(t, p.mux.Close())
			require.Zero(t, p.mux.Figures().Streams)
		})
		p.ours = p.tell("ours")
		f(p)
	})
}

// tell has the mux wait for a ufrag.
func (p *place) tell(ufrag string) packetConn {
	p.t.Helper()
	conns, err := p.mux.GetAllConns(ufrag, false, p.server.Addresses()[0].AsSlice())
	require.NoError(p.t, err)
	require.Len(p.t, conns, 1)
	return conns[0].(packetConn)
}

func (p *place) address() netip.AddrPort { return netip.AddrPortFrom(p.server.Addresses()[0], port) }

// dial connects and sends frames.
func (p *place) dial(frames ...[]byte) net.Conn {
	p.t.Helper()
	conn, err := p.client.DialContext(p.t.Context(), "tcp", p.address().String())
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = conn.Close() }) // it may be closed
	for _, f := range frames {
		send(p.t, conn, f)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, packet []byte) {
	t.Helper()
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...))
	require.NoError(t, err)
}

func hello(t *testing.T, ufrag string) []byte {
	t.Helper()
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(ufrag+":theirs"), stun.Fingerprint)
	require.NoError(t, err)
	return m.Raw
}

// read reads a packet, if there is one within a second.
func read(t *testing.T, c packetConn) ([]byte, netip.AddrPort) {
	t.Helper()
	type packet struct {
		b    []byte
		from netip.AddrPort
	}
	got := make(chan packet, 1)
	go func() {
		b := make([]byte, 4096)
		n, from, err := c.ReadFromAddrPort(b)
		if err == nil {
			got <- packet{b[:n], from}
		}
		close(got)
	}()
	p := <-got
	return p.b, p.from
}

func readFrame(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	var length [2]byte
	_, err := io.ReadFull(conn, length[:])
	require.NoError(t, err)
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err = io.ReadFull(conn, b)
	require.NoError(t, err)
	return b
}

// endsAfter waits for the other side to close.
func endsAfter(t *testing.T, conn net.Conn, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	require.NoError(t, conn.SetReadDeadline(began.Add(limit)))
	_, err := io.Copy(io.Discard, conn)
	require.True(t, err == nil || !isTimeout(err), "it stays open")
	return time.Since(began)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestPacketsGoBothWays(t *testing.T) {
	inPlace(t, func(p *place) {
		first := hello(t, "ours")
		conn := p.dial(first, nil, []byte("second"))
		got, from := read(t, p.ours)
		require.Equal(t, first, got)
		require.Equal(t, p.client.Addresses()[0], from.Addr())
		got, _ = read(t, p.ours)
		require.Equal(t, "second", string(got))
		n, err := p.ours.WriteToAddrPort([]byte("answer"), from)
		require.NoError(t, err)
		require.Equal(t, 6, n)
		require.Equal(t, "answer", string(readFrame(t, conn)))
		_, err = p.ours.WriteToAddrPort([]byte("?"), netip.MustParseAddrPort("9.9.9.9:9"))
		require.ErrorIs(t, err, net.ErrClosed)

		require.NoError(t, conn.Close())
		time.Sleep(time.Second)
		require.Zero(t, p.mux.Figures().Streams)
		_, err = p.ours.WriteToAddrPort([]byte("?"), from)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// Each way of being nobody ends by itself, and soon.
func TestStrangersHaveToGo(t *testing.T) {
	inPlace(t, func(p *place) {
		long := func(c net.Conn) { _, _ = c.Write([]byte{0xff, 0xff, 0, 1, 2, 3}) } // it is about to be closed
		for _, c := range []struct {
			name  string
			do    func(net.Conn)
			limit time.Duration
		}{
			{"silence", func(net.Conn) {}, icetcp.HelloTime},
			{"half a frame", func(c net.Conn) { _, _ = c.Write([]byte{0}) }, icetcp.HelloTime},
			{"garbage", func(c net.Conn) { send(t, c, []byte("abcdefghijklmnopqrstuvwxyz")) }, 0},
			{"a request for nobody", func(c net.Conn) { send(t, c, hello(t, "nobody")) }, 0},
			{"an endless frame", long, 0},
			{"no password", func(c net.Conn) { send(t, c, hello(t, "ours")) }, icetcp.AnswerTime},
			{"an endless frame later", func(c net.Conn) { send(t, c, hello(t, "ours")); long(c) }, 0},
		} {
			conn := p.dial()
			c.do(conn)
			took := endsAfter(t, conn, c.limit+time.Second)
			require.LessOrEqual(t, took, c.limit+100*time.Millisecond, c.name)
		}
		time.Sleep(time.Second)
		require.Zero(t, p.mux.Figures().Streams)
	})
}

// Who drips keeps nothing open longer.
func TestSlowFramesEnd(t *testing.T) {
	inPlace(t, func(p *place) {
		conn := p.dial()
		ended := make(chan time.Duration, 1)
		go func() { ended <- endsAfter(t, conn, time.Minute) }()
		for _, b := range append([]byte{0, 100}, hello(t, "ours")...) {
			if _, err := conn.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(icetcp.HelloTime / 10)
		}
		require.LessOrEqual(t, <-ended, icetcp.HelloTime+100*time.Millisecond)
	})
}

// Strangers push each other out, and nobody who is known.
func TestStrangersAreFew(t *testing.T) {
	inPlace(t, func(p *place) {
		friend := p.dial(hello(t, "ours"))
		_, from := read(t, p.ours)
		_, err := p.ours.WriteToAddrPort([]byte("welcome"), from)
		require.NoError(t, err)
		require.Equal(t, "welcome", string(readFrame(t, friend)))
		var all sync.WaitGroup
		for range 20 { // as many as may wait to be accepted
			all.Go(func() {
				for range 50 {
					p.dial()
				}
			})
		}
		all.Wait()
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, icetcp.Strangers+1, p.mux.Figures().Streams)
		_, err = p.ours.WriteToAddrPort([]byte("still here"), from)
		require.NoError(t, err)
		require.Equal(t, "still here", string(readFrame(t, friend)))
		time.Sleep(icetcp.HelloTime)
		require.Equal(t, icetcp.Figures{Streams: 1, Refused: 1000}, p.mux.Figures())
	})
}

// Somebody who only knows the ufrag keeps nobody out who knows the password.
func TestConnectionsOfOneUfragAreFew(t *testing.T) {
	inPlace(t, func(p *place) {
		go func() {
			for b := make([]byte, 4096); ; {
				if _, _, err := p.ours.ReadFromAddrPort(b); err != nil {
					return
				}
			}
		}()
		for range 3 * icetcp.PerConnection {
			p.dial(hello(t, "ours"))
		}
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, icetcp.PerConnection, p.mux.Figures().Streams)
		conn := p.dial(hello(t, "ours"))
		time.Sleep(100 * time.Millisecond)
		_, err := p.ours.WriteToAddrPort([]byte("welcome"), netip.MustParseAddrPort(conn.LocalAddr().String()))
		require.NoError(t, err)
		require.Equal(t, "welcome", string(readFrame(t, conn)))
		require.NoError(t, p.ours.Close())
	})
}

func TestConnectionsOfOneNetworkAreFew(t *testing.T) {
	inPlace(t, func(p *place) {
		for range 5 {
			p.dial()
		}
		time.Sleep(time.Second)
		require.Equal(t, icetcp.Figures{Streams: 3, Refused: 2}, p.mux.Figures())
		time.Sleep(icetcp.HelloTime)
		p.dial()
		time.Sleep(time.Second)
		require.Equal(t, 1, p.mux.Figures().Streams, "places come back")
	}, func(c *icetcp.Config) { c.Acquire = (&admission.Sockets{PerNetwork: 3}).Acquire })
}

// A reader that stalls costs a bounded buffer, and its writer no time. It is
// given up later.
func TestStalledReaderIsGivenUp(t *testing.T) {
	inPlace(t, func(p *place) {
		p.dial(hello(t, "ours"))
		_, from := read(t, p.ours)
		packet := append([]byte{0x80}, make([]byte, 999)...)
		began := time.Now()
		const window = 256 << 10 // of the network
		for range 4 * (icetcp.QueueBytes + window) / len(packet) {
			_, err := p.ours.WriteToAddrPort(packet, from)
			require.NoError(t, err)
		}
		require.Equal(t, began, time.Now())
		require.Greater(t, p.mux.Figures().Lost, int64(1000))
		time.Sleep(icetcp.WriteTime + time.Second)
		require.Zero(t, p.mux.Figures().Streams)
		_, err := p.ours.WriteToAddrPort(packet, from)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// What was got for a ufrag ends with it, and with the mux.
func TestReadersEnd(t *testing.T) {
	inPlace(t, func(p *place) {
		ended := make(chan error, 3)
		reading := func(c packetConn) packetConn {
			go func() {
				_, _, err := c.ReadFrom(make([]byte, 10))
				ended <- err
			}()
			return c
		}
		again := reading(p.tell("ours"))
		require.NoError(t, again.Close())
		require.NoError(t, again.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed)
		conn := p.dial(hello(t, "ours"))
		read(t, p.ours) // the other one is there
		reading(p.ours)
		p.mux.RemoveConnByUfrag("ours")
		require.ErrorIs(t, <-ended, net.ErrClosed)
		endsAfter(t, conn, time.Second)
		require.NoError(t, p.ours.Close())
		reading(p.tell("another"))
		require.NoError(t, p.mux.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed)
		_, err := p.mux.GetConnByUfrag("late", false, p.server.Addresses()[0].AsSlice())
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestAddressesOfCandidates(t *testing.T) {
	inPlace(t, func(p *place) {
		here := p.server.Addresses()[0]
		for _, c := range []struct {
			ip   net.IP
			want int
		}{{here.AsSlice(), 1}, {net.IP(here.AsSlice()).To16(), 1}, {net.IPv4(192, 0, 2, 2), 0}, {net.ParseIP("fe80::1"), 0}} {
			conns, err := p.mux.GetAllConns("x", false, c.ip)
			require.NoError(t, err)
			require.Len(t, conns, c.want, c.ip.String())
			for _, conn := range conns {
				require.Equal(t, p.address().String(), conn.LocalAddr().String())
				require.NoError(t, conn.Close())
			}
		}
	}, func(c *icetcp.Config) {
		at, err := netip.ParseAddrPort(c.Listener.Addr().String())
		require.NoError(t, err)
		c.Addresses = []netip.Addr{at.Addr()}
	})
}
