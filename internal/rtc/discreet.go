package rtc

import (
	"regexp"

	"github.com/pion/webrtc/v4"
)

// A candidate that says which address it was gathered from: for relayed ones,
// one of this machine.
var (
	relatedIPv4 = regexp.MustCompile(`( [\d.]+ \d+ typ \S+) raddr \S+ rport \d+`)
	relatedIPv6 = regexp.MustCompile(`( \S*:\S* \d+ typ \S+) raddr \S+ rport \d+`)
)

// discreet takes the candidates out of a description by which we call others,
// who need no list of them; and the addresses of this machine out of candidates
// where only relayed ones may be used: whose policy this is wants nobody to know
// them. They serve diagnostics alone. What stands there instead is said in RFC
// 8839 section 5.1.
func (p *Peer) discreet(candidates string) string {
	if p.tcp.dialer != nil {
		candidates, _ = withoutTCP(candidates)
	}
	if p.policy != webrtc.ICETransportPolicyRelay {
		return candidates
	}
	candidates = relatedIPv4.ReplaceAllString(candidates, "$1 raddr 0.0.0.0 rport 9")
	return relatedIPv6.ReplaceAllString(candidates, "$1 raddr :: rport 9")
}
