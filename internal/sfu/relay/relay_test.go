package relay_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/sfu/relay"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	serverIP  = "1.2.3.100"
	mediaPort = 5000
)

// world is a relay on a virtual network, and clients of it.
type world struct {
	*testing.T
	net    *faultnet.World
	host   *faultnet.Host
	relay  *relay.Server
	secret []byte
}

func inWorld(t *testing.T, f func(w *world), change ...func(*relay.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, net: faultnet.NewWorld(t, faultnet.WorldConfig{OneWay: 10 * time.Millisecond}), secret: []byte("secret")}
		w.host = w.net.Host("server", serverIP)
		udp, err := w.host.ListenPacket("udp4", serverIP+":3478")
		require.NoError(t, err)
		tcp, err := w.host.Listen("tcp", serverIP+":3478")
		require.NoError(t, err)
		ip := netip.MustParseAddr(serverIP)
		config := relay.Config{
			UDP: udp, TCP: tcp, Net: w.host, IP: ip, Secret: w.secret,
			Peers: []relay.Peer{{IP: ip, First: mediaPort, Last: mediaPort}},
		}
		for _, c := range change {
			c(&config)
		}
		w.relay, err = relay.Start(config)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, w.relay.Close()) })
		f(w)
	})
}

// client is one with a good credential, by "udp" or "tcp".
func (w *world) client(identity, network string) *raw {
	w.Helper()
	username, password := relay.Credential(w.secret, identity, time.Now().Add(relay.CredentialTime))
	return w.clientAs(username, password, network)
}

func (w *world) clientAs(username, password, network string) *raw {
	w.Helper()
	host := w.net.Host(username)
	if network == "tcp" {
		conn, err := host.DialContext(w.Context(), "tcp", serverIP+":3478")
		require.NoError(w, err)
		return rawTCP(w.T, conn, username, password)
	}
	conn, err := host.ListenPacket("udp4", host.Addresses()[0].String()+":0")
	require.NoError(w, err)
	return rawUDP(w.T, conn, &net.UDPAddr{IP: net.ParseIP(serverIP), Port: 3478}, username, password)
}

// echo answers every packet, and says where it is.
func (w *world) echo(host *faultnet.Host, port int) netip.AddrPort {
	w.Helper()
	at := netip.AddrPortFrom(host.Addresses()[0], uint16(port))
	conn, err := host.ListenPacket("udp4", at.String())
	require.NoError(w, err)
	go func() {
		b := make([]byte, 2000)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(append([]byte("echo "), b[:n]...), from)
		}
	}()
	w.Cleanup(func() { _ = conn.Close() })
	return at
}

var networks = []string{"udp", "tcp"}

// TestR30ForbiddenPeers proves T25 and R30: a relay leads to the SFU and
// nowhere else.
func TestR30ForbiddenPeers(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			inWorld(t, func(w *world) {
				c := w.client("alice", network)
				c.allocate()
				for _, ip := range []string{
					"127.0.0.1", "127.1.2.3", "0.0.0.0", "169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16",
					"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "224.0.0.1", "255.255.255.255",
					"1.2.3.99", "8.8.8.8", "203.0.113.7",
				} {
					require.Equal(w, 403, c.permit(netip.MustParseAddr(ip)), ip)
				}
				require.Zero(w, c.permit(netip.MustParseAddr(serverIP)))
			})
		})
	}
}

// TestT25DenyBeatsAllow proves the order of the rules: what is denied is denied,
// and what is private is not opened by a range that holds it.
func TestT25DenyBeatsAllow(t *testing.T) {
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	inWorld(t, func(w *world) {
		c := w.client("alice", "udp")
		c.allocate()
		for ip, want := range map[string]int{
			serverIP: 0, "8.8.8.8": 0, "8.8.4.4": 403, "127.0.0.1": 403, "10.0.0.1": 403, "169.254.169.254": 403,
		} {
			require.Equal(w, want, c.permit(netip.MustParseAddr(ip)), ip)
		}
	}, func(c *relay.Config) {
		c.Allow, c.Deny = everything, []netip.Prefix{netip.MustParsePrefix("8.8.4.0/24")}
	})
	inWorld(t, func(w *world) {
		c := w.client("alice", "udp")
		c.allocate()
		require.Equal(w, 403, c.permit(netip.MustParseAddr(serverIP)))
	}, func(c *relay.Config) { c.Deny = everything })
}

// TestR30Quota proves the other half of R30: the 13th allocation of an identity
// is answered with 486, others are not concerned, and an ended one makes room.
func TestR30Quota(t *testing.T) {
	inWorld(t, func(w *world) {
		var first *raw
		for i := range relay.MaxAllocations {
			c := w.client("alice", networks[i%2])
			c.allocate()
			if i == 0 {
				first = c
			}
		}
		require.Equal(w, relay.MaxAllocations, w.relay.Allocations())
		more := w.client("alice", "tcp")
		for range 3 {
			code, _ := more.exchange(methodAllocate, udpTransport)
			require.Equal(w, 486, code)
		}
		w.client("bob", "tcp").allocate()
		code, _ := first.exchange(methodRefresh, lifetime(0))
		require.Zero(w, code)
		more.allocate()
		code, _ = w.client("alice", "udp").exchange(methodAllocate, udpTransport)
		require.Equal(w, 486, code)
	})
}

func TestBoundOfAllAllocations(t *testing.T) {
	inWorld(t, func(w *world) {
		w.client("alice", "udp").allocate()
		w.client("bob", "tcp").allocate()
		code, _ := w.client("carol", "tcp").exchange(methodAllocate, udpTransport)
		require.Equal(w, 486, code)
	}, func(c *relay.Config) { c.MaxAllocations = 2 })
}

// TestT25RelaysToMediaOnly sends packets: the address of a peer alone is not
// enough, since other programs listen there.
func TestT25RelaysToMediaOnly(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			inWorld(t, func(w *world) {
				media, other := w.echo(w.host, mediaPort), w.echo(w.host, 53)
				c := w.client("alice", network)
				at := c.allocate()
				require.Equal(w, serverIP, at.Addr().String())
				c.tell(media, "too early")
				require.Zero(w, c.permit(media.Addr()))
				c.tell(other, "secret")
				c.tell(media, "hello")
				from, got := c.hear()
				require.Equal(w, "echo hello", got)
				require.Equal(w, media, from)

				// Nor does anybody else get in.
				stranger := w.net.Host("stranger")
				conn, err := stranger.ListenPacket("udp4", stranger.Addresses()[0].String()+":0")
				require.NoError(w, err)
				defer conn.Close()
				_, err = conn.WriteTo([]byte("let me in"), net.UDPAddrFromAddrPort(at))
				require.NoError(w, err)
				_, got = c.hear()
				require.Empty(w, got)
			})
		})
	}
}

// TestRelaysToRelays connects two clients of whom nothing but TCP leaves.
func TestRelaysToRelays(t *testing.T) {
	inWorld(t, func(w *world) {
		alice, bob := w.client("alice", "tcp"), w.client("bob", "tcp")
		a, b := alice.allocate(), bob.allocate()
		require.Zero(w, alice.permit(b.Addr()))
		require.Zero(w, bob.permit(a.Addr()))
		alice.tell(b, "hello bob")
		from, got := bob.hear()
		require.Equal(w, "hello bob", got)
		require.Equal(w, a, from)
		code, _ := alice.exchange(methodRefresh, lifetime(0))
		require.Zero(w, code)
		bob.tell(a, "are you there?") // at a port that nobody has now
		require.Equal(w, 1, w.relay.Allocations())
	})
}

// TestBehindNAT has the address of the relay translated on its way: clients
// know another one than the machine has.
func TestBehindNAT(t *testing.T) {
	public := netip.MustParseAddr("203.0.113.7")
	inWorld(t, func(w *world) {
		w.echo(w.host, mediaPort)
		c := w.client("alice", "tcp")
		require.Equal(w, public, c.allocate().Addr())
		media := netip.AddrPortFrom(public, mediaPort)
		require.Zero(w, c.permit(public))
		c.tell(media, "hello")
		from, got := c.hear()
		require.Equal(w, "echo hello", got)
		require.Equal(w, media, from)
	}, func(c *relay.Config) { c.PublicIP = public })
}

func TestT25Credentials(t *testing.T) {
	inWorld(t, func(w *world) {
		now := time.Now()
		good, password := relay.Credential(w.secret, "alice", now.Add(time.Minute))
		late, latePassword := relay.Credential(w.secret, "alice", now.Add(-time.Second))
		_, bobs := relay.Credential(w.secret, "bob", now.Add(time.Minute))
		_, foreign := relay.Credential([]byte("other"), "alice", now.Add(time.Minute))
		for name, c := range map[string][2]string{
			"wrong password": {good, "guess"}, "no password": {good, ""}, "expired": {late, latePassword},
			"another's": {good, bobs}, "of another server": {good, foreign}, "made later": {fmt.Sprint(now.Unix()+999) + ":alice", password},
			"no time": {"alice", password}, "no name": {"", ""}, "not a time": {"soon:alice", password},
			"same time, written otherwise": {"+" + good, password},
		} {
			for _, network := range networks {
				code, _ := w.clientAs(c[0], c[1], network).exchange(methodAllocate, udpTransport)
				require.Contains(w, []int{400, 401}, code, name)
			}
		}
		require.Zero(w, w.relay.Allocations())
		for _, identity := range []string{"alice", "a:b", "ünï", "a b"} {
			w.client(identity, "tcp").allocate()
		}
	})
}

// TestT25CredentialsEndButAllocationsStay keeps an allocation with the credential
// that it was made with, which is of no other use after 300 s.
func TestT25CredentialsEndButAllocationsStay(t *testing.T) {
	inWorld(t, func(w *world) {
		began, c := time.Now(), w.client("alice", "tcp")
		c.allocate()
		for range 3 {
			time.Sleep(relay.CredentialTime + time.Second)
			code, _ := c.exchange(methodRefresh, lifetime(relay.Lifetime))
			require.Zero(w, code)
			require.Zero(w, c.permit(netip.MustParseAddr(serverIP)))
		}
		again := w.clientAs(c.username, c.password, "udp")
		code, _ := again.exchange(methodAllocate, udpTransport)
		require.Equal(w, 400, code)
		for time.Since(began) < 24*time.Hour {
			code, _ = c.exchange(methodRefresh, lifetime(relay.Lifetime))
			require.Zero(w, code)
			time.Sleep(9 * time.Minute)
		}
		code, _ = c.exchange(methodRefresh, lifetime(relay.Lifetime))
		require.Equal(w, 400, code)
	})
}

// TestLifetime ends allocations 600 s after their last refresh, whatever their
// clients ask for.
func TestLifetime(t *testing.T) {
	for _, asked := range []time.Duration{time.Minute, relay.Lifetime, 50 * time.Minute, 100 * time.Hour} {
		t.Run(asked.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				c := w.client("alice", "udp")
				code, _ := c.exchange(methodAllocate, udpTransport, lifetime(asked))
				require.Zero(w, code)
				want := min(asked, relay.Lifetime)
				time.Sleep(want - time.Second)
				require.Equal(w, 1, w.relay.Allocations())
				code, _ = c.exchange(methodRefresh, lifetime(asked))
				require.Zero(w, code)
				time.Sleep(want - time.Second)
				require.Equal(w, 1, w.relay.Allocations())
				time.Sleep(2 * time.Second)
				require.Zero(w, w.relay.Allocations())
			})
		})
	}
}

// TestOnlyPlainAllocations refuses what no client of ours needs: TCP to peers,
// and ports of the client's choice.
func TestOnlyPlainAllocations(t *testing.T) {
	inWorld(t, func(w *world) {
		c := w.client("alice", "tcp")
		code, _ := c.exchange(methodAllocate, attr{attrTransport, []byte{6, 0, 0, 0}})
		require.Equal(w, 508, code)
		code, _ = c.exchange(methodAllocate, udpTransport, attr{attrEvenPort, []byte{0x80}})
		require.Equal(w, 508, code)
		code, _ = c.exchange(methodAllocate, udpTransport, lifetime(0))
		require.Equal(w, 508, code)
		require.Zero(w, w.relay.Allocations())
		c.allocate()
	})
}
