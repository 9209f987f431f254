package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rtc/parley/signaling/accesstoken"
)

// region is where the server says that it is: the one that the specs ask for
// when they are not told another.
const region = "us1"

// server is a running parley serve.
type server struct {
	port   int
	cmd    *exec.Cmd
	stdin  io.Closer
	log    *os.File      // nil: nobody reads it
	copied chan struct{} // closed when all that the program said is in log; nil before it runs
}

// startServer builds and runs parley serve on a port of its own. What the server
// says goes to the file logFile, or nowhere when that is empty.
func startServer(ctx context.Context, dir, logFile string, key accesstoken.Key) (*server, error) {
	program := filepath.Join(dir, "parley")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/parley").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building parley: %w\n%s", err, out)
	}
	cert, private := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := writeCertificate(cert, private); err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	s := &server{}
	// Large rooms need more places than rooms have by default; all clients come
	// from one address.
	s.cmd = exec.CommandContext(ctx, program, "serve", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", private,
		"--origin", "*", "--region", region, "--max-participants", "60", "--recorded-elsewhere", "--end-with-stdin",
		"--max-joins-per-second", "-1", "--max-sockets-per-ip", "-1", "--turn-udp", "127.0.0.1:0")
	s.cmd.Env = append(os.Environ(), "PARLEY_ACCOUNT_SID="+key.AccountSID, "PARLEY_API_KEY="+key.SID,
		"PARLEY_API_SECRET="+string(key.Secret))
	var err error
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting parley serve: %w", err)
	}
	var said bytes.Buffer
	lines := bufio.NewReader(stderr)
	for s.port == 0 {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			s.stop()
			return nil, fmt.Errorf("parley serve did not start: %s", said.String())
		}
		if address, ok := strings.CutPrefix(strings.TrimSpace(line), "signaling at "); ok {
			if s.port, err = portOf(address); err != nil {
				s.stop()
				return nil, err
			}
		}
	}
	log := io.Discard
	if logFile != "" {
		if s.log, err = os.Create(logFile); err != nil {
			s.stop()
			return nil, err
		}
		log = s.log
	}
	s.copied = make(chan struct{})
	go func() {
		defer close(s.copied)
		_, _ = io.Copy(log, lines) // ends with the program, as does what it has to say
	}()
	return s, nil
}

func portOf(address string) (int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Port())
}

func (s *server) stop() {
	_ = s.stdin.Close() // it ends with its input
	if s.copied != nil {
		<-s.copied
	}
	_ = s.cmd.Wait() // how it ended is no result of the specs
	if s.log != nil {
		_ = s.log.Close() // nothing depends on it
	}
}

// writeCertificate makes a certificate for this machine, good for a day.
func writeCertificate(certFile, keyFile string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "parley peersuite"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return err
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}), 0o600))
}
