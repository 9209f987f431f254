package faultnet_test

import (
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/stretchr/testify/require"
)

// heard is what a tap was told.
type heard struct {
	mu   sync.Mutex
	list []passage
}

type passage struct {
	after         time.Duration
	local, remote string
	data          string
	fate          faultnet.Fate
}

func (h *heard) tap(began time.Time) faultnet.Tap {
	return func(now time.Time, local, remote net.Addr, data []byte, fate faultnet.Fate) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = append(h.list, passage{now.Sub(began), local.String(), remote.String(), string(data), fate})
	}
}

func (h *heard) all() []passage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list
}

func TestTapHearsEachCopyAndEachLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay = 10 * time.Millisecond
		began := time.Now()
		w := faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: delay})
		var here, there heard
		a, b := w.Host("a", "1.2.3.1"), w.Host("b", "1.2.3.2")
		a.SetTap(here.tap(began))
		b.SetTap(there.tap(began))
		from, err := a.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(1, 2, 3, 1), Port: 11})
		require.NoError(t, err)
		defer from.Close()
		to, err := b.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(1, 2, 3, 2), Port: 22})
		require.NoError(t, err)
		defer to.Close()
		send := func(text string) {
			_, err := from.WriteTo([]byte(text), to.LocalAddr())
			require.NoError(t, err)
			time.Sleep(2 * delay)
		}
		send("plain")
		a.Impair(func(out, _ *faultnet.Faults) { out.Duplicate = 1000 })
		send("twice")
		a.Impair(func(out, _ *faultnet.Faults) { out.Duplicate = 0 })
		b.SetLoss(1000)
		send("lost there")
		a.SetBlackhole(true)
		send("lost here")

		out := func(n int, text string, lost bool) passage {
			return passage{time.Duration(n) * 2 * delay, "1.2.3.1:11", "1.2.3.2:22", text, faultnet.Fate{Sent: true, Lost: lost}}
		}
		in := func(n int, text string, lost bool) passage {
			return passage{time.Duration(n)*2*delay + delay, "1.2.3.2:22", "1.2.3.1:11", text, faultnet.Fate{Lost: lost}}
		}
		require.Equal(t, []passage{
			out(0, "plain", false), out(1, "twice", false), out(1, "twice", false), out(2, "lost there", false), out(3, "lost here", true),
		}, here.all())
		require.Equal(t, []passage{
			in(0, "plain", false), in(1, "twice", false), in(1, "twice", false), in(2, "lost there", true),
		}, there.all())
	})
}

func TestTapCanBeTakenAway(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	s := faultnet.Impair(conn, 0)
	defer s.Close()
	s.SetFaults(faultnet.Faults{Blackhole: true})
	var h heard
	s.SetTap(h.tap(time.Now()))
	_, err = s.WriteTo([]byte("one"), s.LocalAddr())
	require.NoError(t, err)
	s.SetTap(nil)
	_, err = s.WriteTo([]byte("two"), s.LocalAddr())
	require.NoError(t, err)
	require.Len(t, h.all(), 1)
}
