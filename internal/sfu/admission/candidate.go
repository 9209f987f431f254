package admission

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-rtc/parley/signaling"
)

const maxCandidate = 512 // bytes of one candidate

// CheckCandidate judges a candidate that a client signaled. An empty one, which
// says that there are no more, is allowed. A candidate that is refused is to be
// dropped and counted; its client may go on.
func CheckCandidate(c signaling.Candidate, policy AddressPolicy) error {
	if c.SDPMid != nil && *c.SDPMid != "" && !token(*c.SDPMid, maxMid) {
		return refuse("a candidate with a malformed mid")
	}
	if c.UsernameFragment != nil && *c.UsernameFragment != "" && !iceToken(*c.UsernameFragment, 4, 256) {
		return refuse("a candidate with a malformed ufrag")
	}
	if c.Candidate == "" {
		return nil
	}
	return checkCandidate(strings.TrimPrefix(c.Candidate, "candidate:"), policy.Allows)
}

// CheckPassedCandidate judges a candidate that is passed on to another client,
// which decides by itself where it sends. Besides what CheckCandidate takes, an
// address may be private, or a name of multicast DNS, as browsers use it to hide
// one; and TCP may be called.
func CheckPassedCandidate(c signaling.Candidate) error {
	c.Candidate = strings.TrimPrefix(c.Candidate, "candidate:")
	f := strings.Split(c.Candidate, " ")
	if len(f) > 7 && len(c.Candidate) <= maxCandidate {
		const known = "192.0.2.1" // in place of what is not looked at
		if name, local := strings.CutSuffix(f[4], ".local"); local && token(name, 64) {
			f[4] = known
		}
		if strings.EqualFold(f[2], "tcp") {
			if i := slices.Index(f, "tcptype"); i > 0 && i+1 < len(f) && (f[i+1] == "passive" || f[i+1] == "so") {
				f[i+1] = "active"
			}
		}
		c.Candidate = strings.Join(f, " ")
	}
	return CheckCandidate(c, AddressPolicy{AllowPrivate: true, AllowLoopback: true})
}

// checkCandidate reads the value of a candidate strictly: what passes has one
// meaning. The address must be literal, so no name is ever looked up.
func checkCandidate(value string, allow func(netip.Addr) bool) error {
	if len(value) > maxCandidate {
		return refuse("a candidate of %d bytes", len(value))
	}
	f := strings.Split(value, " ")
	if len(f) < 8 || f[6] != "typ" {
		return refuse("a malformed candidate")
	}
	for _, field := range f {
		if !wireID(field) { // visible ASCII, no empty fields
			return refuse("a malformed candidate")
		}
	}
	port, ok := number(f[5], 16)
	component, okComponent := number(f[1], 8)
	_, okPriority := number(f[3], 32)
	if !ok || !okPriority || !okComponent || component < 1 || component > 2 || !iceToken(f[0], 1, 32) {
		return refuse("a malformed candidate")
	}
	rest, ok := relatedAddress(f[8:])
	switch f[7] {
	case "host", "srflx", "prflx", "relay":
	default:
		ok = false
	}
	if !ok {
		return refuse("a malformed candidate")
	}
	addr, err := netip.ParseAddr(f[4])
	if err != nil {
		return refuse("a candidate that needs a name looked up")
	}
	switch {
	case strings.EqualFold(f[2], "udp") && port != 0 && !slices.Contains(rest, "tcptype"):
	case strings.EqualFold(f[2], "tcp") && len(rest) >= 2 && rest[0] == "tcptype" && rest[1] == "active" && !slices.Contains(rest[2:], "tcptype"):
		// An active candidate calls us. The others would make us call.
	default:
		return refuse("a candidate that the server would have to call by TCP, or of another transport")
	}
	if !allow(addr) {
		return refuse("a candidate with an address that is not allowed")
	}
	return nil
}

func relatedAddress(f []string) (rest []string, ok bool) {
	if len(f) == 0 || f[0] != "raddr" {
		return f, true
	}
	if len(f) < 4 || f[2] != "rport" {
		return nil, false
	}
	_, ok = number(f[3], 16)
	return f[4:], ok
}

func number(s string, bits int) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, bits)
	return n, err == nil
}

// FilterSDPCandidates returns a description that CheckSDP admitted without the candidates that are
// malformed, not allowed, repeated or beyond the first most. The rest stays as
// it is, byte by byte. dropped counts all but the repeated ones.
func FilterSDPCandidates(sdp string, allow func(netip.Addr) bool, most int) (filtered string, dropped int) {
	var out strings.Builder
	var kept []string
	from := 0 // of what is not yet in out
	at := 0
	for line := range strings.Lines(sdp) {
		start := at
		at += len(line)
		value, isCandidate := strings.CutPrefix(line, "a=candidate")
		if !isCandidate {
			continue
		}
		value = strings.TrimRight(strings.TrimPrefix(value, ":"), "\r\n")
		repeated := slices.Contains(kept, value)
		if !repeated && len(kept) < most && checkCandidate(value, allow) == nil {
			kept = append(kept, value)
			continue
		}
		if !repeated {
			dropped++
		}
		out.WriteString(sdp[from:start])
		from = at
	}
	if from == 0 {
		return sdp, 0
	}
	out.WriteString(sdp[from:])
	return out.String(), dropped
}
