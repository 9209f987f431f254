package parley_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/sfu/relay"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// relayPort is where the relay of a lab listens.
const relayPort = ":3478"

// startRelay puts a relay beside the server of the lab.
func (l *lab) startRelay() *relay.Server {
	l.t.Helper()
	ip := l.host.Addresses()[0]
	udp, err := l.host.ListenPacket("udp4", ip.String()+relayPort)
	require.NoError(l.t, err)
	tcp, err := l.host.Listen("tcp", relayPort)
	require.NoError(l.t, err)
	c := relay.Config{UDP: udp, TCP: tcp, Net: l.host, IP: ip}
	for _, m := range l.srv.MediaAddresses() {
		c.Peers = append(c.Peers, relay.Peer(m))
	}
	srv, err := relay.Start(c)
	require.NoError(l.t, err)
	l.t.Cleanup(func() { require.NoError(l.t, srv.Close()) })
	l.srv.OfferRelay(srv.ICEServers)
	// Last but for the network, those who left are done with asking TURN
	// servers that do not answer.
	l.t.Cleanup(func() { time.Sleep(5 * time.Second) })
	return srv
}

func relayOnly(o *parley.ConnectOptions) { o.RelayOnly = true }

// joinFrom joins from a host that was made before.
func (l *lab) joinFrom(host *faultnet.Host, name string, change ...func(*parley.ConnectOptions)) *member {
	l.t.Helper()
	m, err := l.dialFrom(l.t.Context(), host, name, change...)
	require.NoError(l.t, err)
	return m
}

// TestRelayOnly has both sides of a call see nothing of each other's addresses,
// nor the server.
func TestRelayOnly(t *testing.T) {
	inLab(t, 23, func(l *lab) {
		srv := l.startRelay()
		began := time.Now()
		shown, data := picture(l.t), dataTrack(l.t, "data")
		alice := l.joinFrom(l.world.Host("alice"), "alice", publishing(shown, data), relayOnly)
		bob := l.joinFrom(l.world.Host("bob"), "bob", relayOnly)
		first := bob.watch("alice", "picture").after(l.t, began)
		l.t.Logf("relay-only: first frame after %v", first.Sub(began))
		require.Less(l.t, first.Sub(began), 3*time.Second)
		require.Equal(l.t, 4, srv.Allocations(), "by UDP and TCP each")
		require.NoError(l.t, alice.room.LocalParticipant().UnpublishTrack(l.t.Context(), shown))
		// This is more than the life of credentials, permissions and allocations.
		mark, talk := bob.log.mark(), l.talk(data, bob, time.Second)
		time.Sleep(11 * time.Minute)
		sent, lost := talk.end()
		require.Greater(l.t, sent, 600)
		require.Zero(l.t, lost)
		require.NotContains(l.t, bob.log.since(mark), "Reconnecting")
		require.NoError(l.t, alice.room.Disconnect())
		require.NoError(l.t, bob.room.Disconnect())
		// The last words of a socket that is closed do not leave this network.
		time.Sleep(relay.Lifetime)
		require.Zero(l.t, srv.Allocations())
	})
}

// TestR15BlockedUDP joins from a network that lets TCP through and nothing else.
func TestR15BlockedUDP(t *testing.T) {
	for _, who := range []string{"subscriber", "publisher", "both"} {
		t.Run(who, func(t *testing.T) {
			inLab(t, 15, func(l *lab) {
				l.startRelay()
				alices, bobs := l.world.Host("alice"), l.world.LAN("hotel", faultnet.Symmetric, "").Host("bob")
				alices.BlockUDP(who != "subscriber")
				bobs.BlockUDP(who != "publisher")
				l.joinFrom(alices, "alice", publishing(picture(l.t)))
				if who != "subscriber" {
					time.Sleep(5 * time.Second) // it has joined
				}
				began := time.Now()
				bob := l.joinFrom(bobs, "bob")
				view := bob.watch("alice", "picture")
				first := view.after(l.t, began)
				time.Sleep(20 * time.Second)
				expected := int(20 * time.Second / framePace)
				l.t.Logf("R15 UDP blocked, %s: first frame after %v, %d of %d frames in 20 s",
					who, first.Sub(began), view.count(), expected)
				require.LessOrEqual(l.t, first.Sub(began), 3*time.Second)
				require.GreaterOrEqual(l.t, view.count(), expected*98/100)
				left := time.Now()
				require.NoError(l.t, bob.room.Disconnect())
				require.LessOrEqual(l.t, time.Since(left), time.Second)
			})
		})
	}
}

// TestR15BlockedPublisher measures from the publisher's joining on.
func TestR15BlockedPublisher(t *testing.T) {
	inLab(t, 16, func(l *lab) {
		l.startRelay()
		bob := l.join("bob")
		alices := l.world.Host("alice")
		alices.BlockUDP(true)
		began := time.Now()
		l.joinFrom(alices, "alice", publishing(picture(l.t)))
		first := bob.watch("alice", "picture").after(l.t, began)
		l.t.Logf("R15 UDP of the publisher blocked: first frame after %v", first.Sub(began))
		require.LessOrEqual(l.t, first.Sub(began), 3*time.Second)
	})
}

// TestDirectWayIsPreferred takes no relay where nothing needs one: the end of
// the relay does not hurt.
func TestDirectWayIsPreferred(t *testing.T) {
	inLab(t, 24, func(l *lab) {
		srv := l.startRelay()
		l.join("alice", picture(l.t))
		bob := l.join("bob")
		view := bob.watch("alice", "picture")
		view.after(l.t, time.Now())
		time.Sleep(5 * time.Second)
		require.Equal(l.t, 4, srv.Allocations(), "there for worse times")
		ended := time.Now()
		require.NoError(l.t, srv.Close())
		time.Sleep(10 * time.Second)
		require.Less(l.t, view.gap(ended), 200*time.Millisecond)
	})
}

// TestMeshThroughTURN connects two who are behind symmetric NATs: neither can
// know where the other one is.
func TestMeshThroughTURN(t *testing.T) {
	for _, blocked := range []bool{false, true} {
		t.Run(fmt.Sprintf("UDP blocked %v", blocked), func(t *testing.T) {
			inLab(t, 22, func(l *lab) {
				srv := l.startRelay()
				meet := func(name string) *meshPeer {
					host := l.world.LAN(name+"'s network", faultnet.Symmetric, "").Host(name)
					host.BlockUDP(blocked)
					p := &meshPeer{words: dataTrack(l.t, "words of "+name), views: map[string]*viewer{}}
					p.member = l.joinFrom(host, name, publishing(picture(l.t), p.words))
					return p
				}
				alice, bob := meet("alice"), meet("bob")
				connected(l.t, alice, bob)
				require.Positive(l.t, srv.Allocations())
				l.noMedia()
			}, peerToPeer)
		})
	}
}

// TestRelayRestartsWithFreshCredentials moves a member to another network long
// after its credentials have ended.
func TestRelayRestartsWithFreshCredentials(t *testing.T) {
	inLab(t, 26, func(l *lab) {
		l.startRelay()
		data := dataTrack(l.t, "data")
		l.joinFrom(l.world.Host("alice"), "alice", publishing(data))
		bob := l.joinFrom(l.world.Host("bob"), "bob", relayOnly)
		talk := l.talk(data, bob, time.Second)
		for i := range 3 {
			time.Sleep(6 * time.Minute)
			mark, moved := bob.log.mark(), time.Now()
			bob.host.SwitchAddress(fmt.Sprintf("9.9.9.%d", i+1))
			_, back := await[parley.Reconnected](bob, mark)
			l.t.Logf("relayed media %v after a change of network", back.Sub(moved))
			require.Less(l.t, back.Sub(moved), 5*time.Second)
		}
		time.Sleep(5 * time.Second)
		sent, lost := talk.end()
		require.Positive(l.t, sent)
		require.Zero(l.t, lost)
	})
}

// TestRelayOnlyWithoutTURN tells at once that there is none.
func TestRelayOnlyWithoutTURN(t *testing.T) {
	inLab(t, 27, func(l *lab) {
		_, err := l.dial(l.t.Context(), "alice", relayOnly)
		require.ErrorIs(l.t, err, parley.ErrTURN)
		require.Empty(l.t, l.srv.Participants("lab"))
		_, err = l.dial(l.t.Context(), "bob", relayOnly, func(o *parley.ConnectOptions) {
			o.ICEServers = []webrtc.ICEServer{{URLs: []string{"stun:1.2.3.4"}}}
		})
		require.ErrorIs(l.t, err, parley.ErrOption)
	})
}

// TestRelayOnlyInVain ends rooms whose TURN servers are of no use, and says so.
func TestRelayOnlyInVain(t *testing.T) {
	for _, name := range []string{"wrong credential", "expired credential", "nobody there", "unreachable"} {
		t.Run(name, func(t *testing.T) {
			inLab(t, 28, func(l *lab) {
				server := l.startRelay().ICEServers("alice")[0]
				s := webrtc.ICEServer{URLs: server.URLs, Username: server.Username, Credential: server.Credential}
				host := l.world.Host("alice")
				switch name {
				case "wrong credential":
					s.Credential = "guess"
				case "expired credential":
					time.Sleep(relay.CredentialTime + time.Second)
				case "nobody there":
					s.URLs = []string{strings.Replace(s.URLs[1], relayPort, ":3479", 1)}
				case "unreachable":
					s.URLs = s.URLs[:1]
					host.BlockUDP(true)
				}
				began := time.Now()
				alice := l.joinFrom(host, "alice", relayOnly, func(o *parley.ConnectOptions) { o.ICEServers = []webrtc.ICEServer{s} })
				<-alice.room.Done()
				<-alice.log.closed
				err := alice.room.Err()
				l.t.Logf("%s: ended after %v: %v", name, time.Since(began), err)
				require.ErrorIs(l.t, err, parley.ErrTURN)
				require.ErrorIs(l.t, err, parley.ErrMediaConnection)
				var lost *parley.LostError
				require.ErrorAs(l.t, err, &lost)
				require.Less(l.t, time.Since(began), 50*time.Second)
			})
		})
	}
}
