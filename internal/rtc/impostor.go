package rtc

import (
	"crypto/x509"
	"strings"

	"github.com/pion/dtls/v3/pkg/crypto/fingerprint"
)

// Impostor reports whether the other side has shown a certificate that is not
// the one its description names. Pion fails such a handshake, and closes the
// connection so soon after that its state alone does not tell.
func (p *Peer) Impostor() bool {
	raw := p.pc.SCTP().Transport().GetRemoteCertificate()
	d := p.pc.RemoteDescription()
	if len(raw) == 0 || d == nil {
		return false
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return true
	}
	named := false
	for line := range strings.Lines(d.SDP) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "a=fingerprint:")
		if !ok {
			continue
		}
		named = true
		algorithm, want, _ := strings.Cut(value, " ")
		hash, err := fingerprint.HashFromString(algorithm)
		if err != nil {
			continue
		}
		if got, err := fingerprint.Fingerprint(cert, hash); err == nil && strings.EqualFold(got, strings.TrimSpace(want)) {
			return false
		}
	}
	return named
}
