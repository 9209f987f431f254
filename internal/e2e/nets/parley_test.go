//go:build e2e

package nets_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs is where the command line was built; "": nowhere.
var programs string

var buildParley = sync.OnceValues(func() (program string, err error) {
	if programs, err = os.MkdirTemp("", "parley-nets"); err != nil {
		return "", err
	}
	program = filepath.Join(programs, "parley")
	out, err := exec.Command("go", "build", "-o", program, "../../../cmd/parley").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: "go build: " + string(out), Err: err}
	}
	return program, nil
})

// serve runs parley serve with the keys of the tests on the server, and sets
// the address for clients.
func (w *world) serve(args ...string) {
	w.t.Helper()
	program, err := buildParley()
	require.NoError(w.t, err)
	w.server = w.run(w.srv, "parley serve", nil, append([]string{
		"sh", "-c", `exec "$0" "$@" 2>&1`, program, "serve", "--end-with-stdin",
		"--account-sid", key.AccountSID, "--api-key", key.SID, "--api-secret", string(key.Secret),
	}, args...)...)
	const told = "signaling at "
	r := w.server.awaitThat("line", func(r *report) bool { return strings.HasPrefix(r.Err, told) })
	w.url = strings.TrimPrefix(r.Err, told)
}

// certify makes a certificate for the addresses, which clients from now on
// trust, and returns the files of it and of its key.
func (w *world) certify(addresses ...string) (cert, key string) {
	w.t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(w.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	for _, a := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(a))
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	require.NoError(w.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	require.NoError(w.t, err)
	dir := w.t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(w.t, cert, "CERTIFICATE", public)
	writePEM(w.t, key, "PRIVATE KEY", private)
	w.env = append(w.env, "SSL_CERT_FILE="+cert)
	return cert, key
}

func writePEM(t *testing.T, path, what string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: what, Bytes: der}), 0o600))
}
