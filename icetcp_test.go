package parley_test

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/icetcp"
	"github.com/parley-rtc/parley/internal/rtc"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// takingTCP has the server of a lab take media by TCP too.
func takingTCP(c *sfu.Config) {
	ln, err := c.Media.Net.(*faultnet.Host).Listen("tcp", ":7881")
	if err != nil {
		panic(err)
	}
	c.Media.TCP = ln
}

// calls are the TCP connections for media of a member.
type calls struct {
	mu  sync.Mutex
	all []net.Conn
}

func (c *calls) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// cut resets all that there are.
func (c *calls) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.all {
		conn.(interface{ Reset() }).Reset()
	}
}

// joinByTCP joins from a host, whose UDP is blocked or not.
func (l *lab) joinByTCP(host *faultnet.Host, name string, change ...func(*parley.ConnectOptions)) (*member, *calls) {
	l.t.Helper()
	made := &calls{}
	dial := func(ctx context.Context, _ netip.Addr, remote netip.AddrPort) (net.Conn, error) {
		conn, err := host.DialContext(ctx, "tcp", remote.String())
		if err == nil {
			made.mu.Lock()
			defer made.mu.Unlock()
			made.all = append(made.all, conn)
		}
		return conn, err
	}
	m := l.joinFrom(host, name, append([]func(*parley.ConnectOptions){func(o *parley.ConnectOptions) {
		o.ConfigureWebRTC = func(e *webrtc.SettingEngine) {
			e.SetNet(rtc.Repeating(host))
			e.SetICETCPMux(icetcp.NewDialer(dial))
		}
	}}, change...)...)
	return m, made
}

// pair returns the pair of candidates in use.
func (m *member) pair() string {
	m.t.Helper()
	s, err := m.room.Stats(m.t.Context())
	require.NoError(m.t, err)
	return s.CandidatePair
}

func (l *lab) hotel() *faultnet.Host {
	host := l.world.LAN("hotel", faultnet.Symmetric, "").Host("bob")
	host.BlockUDP(true)
	return host
}

// TestR15BlockedUDPWithoutTURN joins from a network that lets TCP through and
// nothing else, a server that has no TURN.
func TestR15BlockedUDPWithoutTURN(t *testing.T) {
	for _, who := range []string{"subscriber", "publisher", "both"} {
		t.Run(who, func(t *testing.T) {
			inLab(t, 31, func(l *lab) {
				alices, bobs := l.world.Host("alice"), l.world.LAN("hotel", faultnet.Symmetric, "").Host("bob")
				alices.BlockUDP(who != "subscriber")
				bobs.BlockUDP(who != "publisher")
				words := dataTrack(l.t, "words")
				bob, _ := l.joinByTCP(bobs, "bob")
				began := time.Now()
				alice, _ := l.joinByTCP(alices, "alice", publishing(picture(l.t), words))
				view := bob.watch("alice", "picture")
				first, talk := view.after(l.t, began), l.talk(words, bob, 100*time.Millisecond)
				time.Sleep(20 * time.Second)
				expected := int(20 * time.Second / framePace)
				l.t.Logf("R15 UDP blocked, no TURN, %s: first frame after %v, %d of %d frames in 20 s",
					who, first.Sub(began), view.count(), expected)
				require.LessOrEqual(l.t, first.Sub(began), 3*time.Second)
				require.GreaterOrEqual(l.t, view.count(), expected*98/100)
				sent, lost := talk.end()
				require.Greater(l.t, sent, 100)
				require.Zero(l.t, lost)
				require.Equal(l.t, who != "publisher", strings.Contains(bob.pair(), "tcp"), bob.pair())
				require.Equal(l.t, who != "subscriber", strings.Contains(alice.pair(), "tcp"), alice.pair())
				left := time.Now()
				require.NoError(l.t, bob.room.Disconnect())
				require.LessOrEqual(l.t, time.Since(left), time.Second)
			}, takingTCP)
		})
	}
}

// TestUDPIsPreferredToTCP calls nobody by TCP where UDP leads, even slowly.
func TestUDPIsPreferredToTCP(t *testing.T) {
	for _, permille := range []int{0, 100} {
		inLab(t, 32, func(l *lab) {
			host := l.world.Host("alice")
			host.SetLoss(permille)
			alice, made := l.joinByTCP(host, "alice", publishing(picture(l.t)))
			l.join("bob").watch("alice", "picture").after(l.t, time.Now())
			time.Sleep(5 * time.Second)
			require.Contains(l.t, alice.pair(), "udp")
			if permille == 0 {
				require.Zero(l.t, made.count())
			}
		}, takingTCP)
	}
}

// TestUDPKeepsNothingOfTCP has nobody wait for calls that are not needed.
func TestUDPKeepsNothingOfTCP(t *testing.T) {
	inLab(t, 35, func(l *lab) {
		l.join("alice", picture(l.t))
		l.join("bob").watch("alice", "picture").after(l.t, time.Now())
		time.Sleep(time.Second)
		all := make([]byte, 16<<20)
		stacks := string(all[:runtime.Stack(all, true)])
		require.Positive(l.t, strings.Count(stacks, "(*candidateBase).recvLoop("))
		require.Zero(l.t, strings.Count(stacks, "icetcp.(*handle)"))
	})
}

// TestCutTCPIsMended has an ICE restart call anew when TCP breaks: the room, its
// tracks and the messages on their way stay.
func TestCutTCPIsMended(t *testing.T) {
	inLab(t, 33, func(l *lab) {
		words := dataTrack(l.t, "words")
		l.join("alice", picture(l.t), words)
		bob, made := l.joinByTCP(l.hotel(), "bob")
		view := bob.watch("alice", "picture")
		view.after(l.t, time.Now())
		talk := l.talk(words, bob, 50*time.Millisecond)
		time.Sleep(5 * time.Second)
		for range 3 {
			mark, cut, calls := bob.log.mark(), time.Now(), made.count()
			made.cut()
			_, back := await[parley.Reconnected](bob, mark)
			seen := view.after(l.t, back)
			l.t.Logf("TCP cut: %v until the room had reconnected, %v until the next frame", back.Sub(cut), seen.Sub(cut))
			require.Less(l.t, seen.Sub(cut), 5*time.Second)
			require.Greater(l.t, made.count(), calls)
			require.Contains(l.t, bob.pair(), "tcp")
			told := bob.log.since(mark)
			require.False(l.t, slices.ContainsFunc(told, func(e string) bool { return strings.HasPrefix(e, "Track") }), told)
			time.Sleep(5 * time.Second)
		}
		sent, lost := talk.end()
		require.Greater(l.t, sent, 300)
		require.Zero(l.t, lost)
	}, takingTCP)
}

// TestOnlyTCPCallsAtOnce joins with UDP ruled out by the program itself, and
// waits for nothing.
func TestOnlyTCPCallsAtOnce(t *testing.T) {
	inLab(t, 34, func(l *lab) {
		l.join("alice", picture(l.t))
		began := time.Now()
		bob, _ := l.joinByTCP(l.world.Host("bob"), "bob", func(o *parley.ConnectOptions) {
			o.NetworkTypes = []webrtc.NetworkType{webrtc.NetworkTypeTCP4}
		})
		first := bob.watch("alice", "picture").after(l.t, began)
		l.t.Logf("by TCP alone: first frame after %v", first.Sub(began))
		require.Less(l.t, first.Sub(began), time.Second)
		require.Contains(l.t, bob.pair(), "tcp")
	}, takingTCP)
}
