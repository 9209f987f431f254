package relay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/sfu/relay"
	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"
)

// TestEveryWayIn uses pion's client and the sockets of this machine.
func TestEveryWayIn(t *testing.T) {
	media, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer media.Close()
	at := media.LocalAddr().(*net.UDPAddr).AddrPort()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	secure, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	certs, roots := certificate(t)
	srv, err := relay.Start(relay.Config{
		UDP: udp, TCP: tcp, TLS: secure, Certs: certs, TLSHost: "relay.test", IP: netip.MustParseAddr("127.0.0.1"),
		Peers: []relay.Peer{{IP: at.Addr(), First: at.Port(), Last: at.Port()}},
	})
	require.NoError(t, err)
	defer srv.Close()
	require.Equal(t, []string{"stun:" + udp.LocalAddr().String()}, srv.ICEServers("alice")[1].URLs)
	server := srv.ICEServers("alice")[0]
	require.Equal(t, []string{
		"turn:" + udp.LocalAddr().String() + "?transport=udp",
		"turn:" + tcp.Addr().String() + "?transport=tcp",
		"turns:relay.test:" + port(secure) + "?transport=tcp",
	}, server.URLs)

	ways := map[string]func() (net.PacketConn, error){
		"udp": func() (net.PacketConn, error) { return net.ListenPacket("udp4", "127.0.0.1:0") },
		"tcp": func() (net.PacketConn, error) {
			c, err := net.Dial("tcp4", tcp.Addr().String())
			return turn.NewSTUNConn(c), err
		},
		"tls": func() (net.PacketConn, error) {
			c, err := tls.Dial("tcp4", secure.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "relay.test"})
			return turn.NewSTUNConn(c), err
		},
	}
	for name, dial := range ways {
		t.Run(name, func(t *testing.T) {
			conn, err := dial()
			require.NoError(t, err)
			defer conn.Close()
			client, err := turn.NewClient(&turn.ClientConfig{
				STUNServerAddr: udp.LocalAddr().String(), TURNServerAddr: udp.LocalAddr().String(),
				Conn: conn, Username: server.Username, Password: server.Credential,
			})
			require.NoError(t, err)
			defer client.Close()
			require.NoError(t, client.Listen())
			relayed, err := client.Allocate()
			require.NoError(t, err)
			defer relayed.Close()
			_, err = relayed.WriteTo([]byte("hello"), media.LocalAddr())
			require.NoError(t, err)
			b := make([]byte, 100)
			n, from, err := media.ReadFrom(b)
			require.NoError(t, err)
			require.Equal(t, "hello", string(b[:n]))
			require.Equal(t, relayed.LocalAddr().String(), from.String())
			require.ErrorContains(t, client.CreatePermission(&net.UDPAddr{IP: net.IPv4(169, 254, 169, 254), Port: 80}), "403")
		})
	}
	// A stranger to TLS is not answered.
	plain, err := net.Dial("tcp4", secure.Addr().String())
	require.NoError(t, err)
	defer plain.Close()
	_, err = plain.Write([]byte(strings.Repeat("no TLS at all", 10)))
	require.NoError(t, err)
	for err == nil {
		_, err = plain.Read(make([]byte, 100)) // an alert, and the end
	}
}

func port(l net.Listener) string {
	_, p, _ := net.SplitHostPort(l.Addr().String())
	return p
}

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"relay.test"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func TestStartRefusesNonsense(t *testing.T) {
	ip := netip.MustParseAddr("127.0.0.1")
	listen := func() net.Listener {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		require.NoError(t, err)
		return l
	}
	for name, c := range map[string]relay.Config{
		"no listener": {IP: ip}, "no address": {TCP: listen()}, "any address": {TCP: listen(), IP: netip.IPv4Unspecified()},
		"no certificate": {TLS: listen(), IP: ip},
	} {
		_, err := relay.Start(c)
		require.Error(t, err, name)
		for _, l := range []net.Listener{c.TCP, c.TLS} {
			if l != nil {
				_, err := l.Accept()
				require.ErrorIs(t, err, net.ErrClosed, name)
			}
		}
	}
}
