package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rtc/parley/signaling/accesstoken"
	"github.com/stretchr/testify/require"
)

// certificate writes a certificate for this machine and its key, and returns
// their paths.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "parley test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return cert, key
}

// With a certificate everything is behind TLS, and who comes the wrong way is
// told so.
func TestServeOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	env := keyEnv(accesstoken.NewKey())
	srv := parleyStart(t, env, "serve", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	url := srv.until("signaling at ")
	require.True(t, strings.HasPrefix(url, "wss://"), url)
	require.True(t, strings.HasPrefix(srv.until("a page to watch a room at "), "https://"))
	join := func(url string, env ...string) (string, string, int) {
		return parleyRun(t, env, "join", "--url", url, "--identity", "a", "--room", "lab", "--duration", "100ms", "--message", "hi")
	}
	stdout, stderr, status := join(url, append(env, "SSL_CERT_FILE="+cert)...)
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "Connected lab a")

	_, stderr, status = join(url, env...)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "SSL_CERT_FILE", "who does not trust it does not join")
	_, stderr, status = join(strings.Replace(url, "wss", "ws", 1), env...)
	require.Equal(t, exitFailed, status)
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)

	pool := x509.NewCertPool()
	data, err := os.ReadFile(cert)
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(data))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	resp, err := client.Get("https" + strings.TrimSuffix(strings.TrimPrefix(url, "wss"), "/signaling") + "/healthz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Zero(t, srv.stop(syscall.SIGTERM), "%s", &srv.stderr)

	plain := parleyStart(t, env, "serve", "--listen", "127.0.0.1:0")
	_, stderr, status = join(strings.Replace(plain.until("signaling at "), "ws", "wss", 1), env...)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "use ws://")
}

// Settings of the environment and of the file that cannot be meant are refused
// as those of the command line are.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		env  []string
		args []string
		want []string
	}{
		"number in the environment":   {[]string{"PARLEY_UDP_PORT=abc"}, nil, []string{"PARLEY_UDP_PORT", "abc", "a whole number"}},
		"duration in the environment": {[]string{"PARLEY_RETRY_AFTER=soon"}, nil, []string{"PARLEY_RETRY_AFTER", "soon", "30s"}},
		"switch in the file":          {nil, []string{"--config", writeFile(t, "no_pages: perhaps\n")}, []string{"no_pages", "perhaps", "true or false"}},
		"number in the file":          {nil, []string{"--config", writeFile(t, "max_rooms: many\n")}, []string{"max_rooms", "many", "a whole number"}},
		"port":                        {nil, []string{"--listen", "127.0.0.1:99999"}, []string{"--listen", "99999", "65535"}},
		"TURN port":                   {nil, []string{"--turn-udp", ":99999"}, []string{"--turn-udp", "99999", "65535"}},
		"no rooms":                    {nil, []string{"--max-rooms", "0"}, []string{"--max-rooms", "more than 0"}},
		"no participants":             {nil, []string{"--max-participants", "-3"}, []string{"--max-participants", "-3", "more than 0"}},
		"no tracks":                   {nil, []string{"--max-tracks", "0"}, []string{"--max-tracks", "more than 0"}},
		"no session":                  {nil, []string{"--session-timeout", "-5s"}, []string{"--session-timeout", "-5s", "more than 0"}},
		"no empty room":               {nil, []string{"--empty-room-timeout", "0s"}, []string{"--empty-room-timeout", "more than 0"}},
		"no joins":                    {nil, []string{"--max-joins-per-second", "0"}, []string{"--max-joins-per-second", "-1 for any"}},
		"sockets":                     {nil, []string{"--max-sockets-per-ip", "-2"}, []string{"--max-sockets-per-ip", "-1 for any"}},
		"bytes":                       {nil, []string{"--max-data-bytes-per-second", "0"}, []string{"--max-data-bytes-per-second", "-1 for any"}},
		"messages":                    {nil, []string{"--max-data-messages-per-second", "-9"}, []string{"--max-data-messages-per-second", "-1 for any"}},
		"back before the end":         {nil, []string{"--retry-after", "-1s"}, []string{"--retry-after", "negative"}},
		"empty certificate":           {nil, []string{"--tls-cert", file, "--tls-key", file}, []string{file, "PEM"}},
		"room type":                   {nil, []string{"--default-room-type", "go"}, []string{"--default-room-type", "peer-to-peer"}},
		"log format":                  {nil, []string{"--log-format", "xml"}, []string{"--log-format", "json"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := append(keyEnv(accesstoken.NewKey()), c.env...)
			stdout, stderr, status := parleyRun(t, env, append([]string{"serve", "--listen", "127.0.0.1:0"}, c.args...)...)
			require.NotZero(t, status)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			for _, want := range c.want {
				require.Contains(t, stderr, want)
			}
		})
	}
}

// A port that somebody else has, for the demo.
func TestDemoSaysThatThePortIsTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	stdout, stderr, status := parleyRun(t, nil, "demo", "--listen", ln.Addr().String(), "--duration", "1s")
	require.Equal(t, exitUsage, status)
	require.Empty(t, stdout, "no figures of a call that never was")
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	require.Contains(t, stderr, "choose another --listen")
}
