//go:build e2e

package interop_test

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
)

// deaf is a socket on a network that blocks UDP: nothing arrives, here or there.
type deaf struct{ net.PacketConn }

func (d deaf) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		if n, from, err := d.PacketConn.ReadFrom(b); err != nil {
			return n, from, err
		}
	}
}

func (deaf) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

// kept is a listener that keeps what it accepted, to cut it.
type kept struct {
	net.Listener

	mu  sync.Mutex
	all []net.Conn
}

func (k *kept) Accept() (net.Conn, error) {
	conn, err := k.Listener.Accept()
	if err == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.all = append(k.all, conn)
	}
	return conn, err
}

func (k *kept) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, conn := range k.all {
		_ = conn.Close() // it may be closed
	}
	k.all = nil
}

// TestBrowserByTCP has a browser, and a program, reach a server by TCP alone, and
// again when that was cut.
func TestBrowserByTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	tcp := &kept{Listener: ln}
	w := newWorld(t, func(c *sfu.Config) {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		c.Media.Conn, c.Media.TCP = deaf{udp}, tcp
	})
	alice := w.program("alice", clip(t, media.VP8, "picture"), clip(t, media.Opus, "sound"))
	p := w.join("browser", options{"tracks": []options{track("audio", "microphone"), track("video", "camera"), track("data", "chat")}})
	protocol := `spied.connections.at(-1).getStats().then((all) => {
		const transport = [...all.values()].find((s) => s.type === "transport");
		return all.get(all.get(transport.selectedCandidatePairId).localCandidateId).protocol;
	})`
	flows := func() {
		t.Helper()
		p.plays("alice", "picture")
		p.plays("alice", "sound")
		require.Equal(t, "tcp", p.text(protocol))
	}
	flows()
	video := receives[*parley.RemoteVideoTrack](alice, "browser", "camera")
	frames := func() {
		t.Helper()
		count := 0
		for _, err := range video.Samples(t.Context()) {
			require.NoError(t, err)
			if count++; count == 30 {
				break
			}
		}
	}
	frames()
	tcp.cut()
	heard(alice, func(parley.Reconnected) bool { return true })
	flows()
	frames()
	p.quiet()
}
