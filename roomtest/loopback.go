package roomtest

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"
)

// loopback is the loopback interface of this machine.
type loopback struct {
	tb     testing.TB
	seed   uint64
	wire   *wiretap
	target string // where signaling is

	mu       sync.Mutex
	socket   *faultnet.Impaired // of the server's media
	stations []*loopbackStation
}

func newLoopback(tb testing.TB, seed uint64, wire *wiretap) network {
	return &loopback{tb: tb, seed: seed, wire: wire}
}

func (l *loopback) listen() (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(l.tb.Context(), "tcp", "127.0.0.1:0")
	if err == nil {
		l.target = ln.Addr().String()
	}
	return ln, err
}

func (l *loopback) media() (sfu.Media, error) {
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return sfu.Media{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.socket = faultnet.Impair(udp, l.seed)
	l.socket.SetTap(l.wire.server())
	return sfu.Media{Conn: l.socket, Loopback: true}, nil
}

func (l *loopback) mute(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.socket.SetFaults(faultnet.Faults{Blackhole: on})
}

func (l *loopback) station(name string) (station, error) {
	base, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	proxy, err := faultnet.NewTCPProxy(l.target)
	if err != nil {
		return nil, err
	}
	st := &loopbackStation{
		Net: base, name: name, proxy: proxy, seed: l.seed, tap: l.wire.participant(name),
		sockets: map[*socket]struct{}{}, closed: make(chan struct{}, 1),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stations = append(l.stations, st)
	return st, nil
}

func (l *loopback) close() {
	l.tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, st := range l.stations {
		st.close(l.tb)
	}
}

// loopbackStation is the network of one participant: signaling goes through a
// proxy, and media through sockets with faults. It is a transport.Net that
// knows the loopback interface only.
type loopbackStation struct {
	transport.Net
	name  string
	proxy *faultnet.Proxy
	lines lines
	seed  uint64
	tap   faultnet.Tap

	mu      sync.Mutex
	faults  faultnet.Faults
	sockets map[*socket]struct{}
	closed  chan struct{} // a socket was closed
}

func (st *loopbackStation) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, st.proxy.Addr())
	if err != nil {
		return nil, err
	}
	return st.lines.add(c), nil
}

func (st *loopbackStation) reset() int {
	n := st.lines.count()
	st.proxy.Reset()
	return n
}

func (st *loopbackStation) configure(e *webrtc.SettingEngine) {
	e.SetNet(rtc.Repeating(st))
	e.SetIncludeLoopbackCandidate(true)
	e.SetIPFilter(net.IP.IsLoopback)
}

func (st *loopbackStation) cut(on bool) {
	st.proxy.SetBlackhole(on)
	st.impair(func(f *faultnet.Faults) { f.Blackhole = on })
}

func (st *loopbackStation) loss(permille int) {
	st.impair(func(f *faultnet.Faults) { f.Loss = permille })
}

func (st *loopbackStation) move() bool { return false }

func (st *loopbackStation) impair(change func(*faultnet.Faults)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	change(&st.faults)
	for s := range st.sockets {
		s.SetFaults(st.faults)
	}
}

// close ends the network, and fails the test where media still uses it.
func (st *loopbackStation) close(tb testing.TB) {
	tb.Helper()
	timer := time.NewTimer(leaveTime)
	defer timer.Stop()
	for st.open() > 0 {
		select {
		case <-st.closed:
			continue
		case <-timer.C:
		}
		tb.Errorf("roomtest: %q still has %d media sockets open when the server closes", st.name, st.open())
		break
	}
	st.mu.Lock()
	left := slices.Collect(maps.Keys(st.sockets))
	st.mu.Unlock()
	for _, s := range left {
		_ = s.Close() // the failure is told
	}
	if err := st.proxy.Close(); err != nil {
		tb.Errorf("roomtest: close the network of %q: %v", st.name, err)
	}
}

func (st *loopbackStation) open() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.sockets)
}
