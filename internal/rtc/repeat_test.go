package rtc

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/pion/ice/v4"
	"github.com/stretchr/testify/require"
)

func TestRepeatingSendsHandshakesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := faultnet.NewWorld(t, faultnet.WorldConfig{})
		a, b := w.Host("a"), w.Host("b")
		to, err := b.ListenUDP("udp", &net.UDPAddr{IP: net.IP(b.Addresses()[0].AsSlice())})
		require.NoError(t, err)
		defer to.Close()
		n := Repeating(a)
		packets, err := n.ListenPacket("udp", a.Addresses()[0].String()+":0")
		require.NoError(t, err)
		udp, err := n.ListenUDP("udp", &net.UDPAddr{IP: net.IP(a.Addresses()[0].AsSlice())})
		require.NoError(t, err)
		for _, c := range []net.PacketConn{packets, udp} {
			for first, copies := range map[byte]int{0: 1, 20: 3, 21: 1, 22: 3, 23: 1, 128: 1} {
				packet := []byte{first, 2, 3}
				_, err = c.WriteTo(packet, to.LocalAddr())
				require.NoError(t, err)
				clear(packet) // it is the caller's again
				require.NoError(t, to.SetReadDeadline(time.Now().Add(time.Second)))
				got := 0
				for buf := make([]byte, 10); ; got++ {
					m, _, err := to.ReadFrom(buf)
					if err != nil {
						break
					}
					require.Equal(t, []byte{first, 2, 3}, buf[:m])
				}
				require.Equal(t, copies, got, "packets that begin with %d", first)
			}
			_, err = c.WriteTo([]byte{22}, to.LocalAddr())
			require.NoError(t, err)
			require.NoError(t, c.Close()) // before the copies are due
			require.NoError(t, to.SetReadDeadline(time.Now().Add(time.Second)))
			for err == nil {
				_, _, err = to.ReadFrom(make([]byte, 10))
			}
		}
	})
}

func TestRepeatingOnRealSockets(t *testing.T) {
	mux := NewUDPMux(loopbackSocket(t), nil, nil)
	require.NoError(t, mux.Close())
	c := repeating(loopbackSocket(t))
	defer c.Close()
	to := loopbackSocket(t)
	defer to.Close()
	_, err := c.WriteTo([]byte{22}, to.LocalAddr())
	require.NoError(t, err)
	require.NoError(t, to.SetReadDeadline(time.Now().Add(5*time.Second)))
	for range 3 {
		_, _, err := to.ReadFrom(make([]byte, 10))
		require.NoError(t, err)
	}
	require.Implements(t, (*ice.AddrPortReaderWriter)(nil), c, "it stays as fast as it was")
}

// Each packet of media goes through it.
func TestRepeatingDoesNotAllocate(t *testing.T) {
	to := loopbackSocket(t)
	defer to.Close()
	c := repeating(loopbackSocket(t)).(fastRepeater)
	defer c.Close()
	packet, addr := make([]byte, 1200), to.LocalAddr().(*net.UDPAddr).AddrPort()
	packet[0] = 128
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := c.WriteToAddrPort(packet, addr); err != nil {
			t.Error(err)
		}
	}))
}

func loopbackSocket(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	return c
}
