package admission_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/signaling"
)

var own = []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("127.0.0.1")}

// R29: which addresses a client can make the server send to.
func TestR29AddressTable(t *testing.T) {
	public := admission.AddressPolicy{Own: own}
	lan := admission.AddressPolicy{AllowPrivate: true, Own: own}
	loopback := admission.AddressPolicy{AllowLoopback: true, Own: own}
	for _, c := range []struct {
		addr                  string
		public, lan, loopback bool
	}{
		{"203.0.113.7", true, true, true},
		{"8.8.8.8", true, true, true},
		{"2606:4700::1111", true, true, true},
		{"::ffff:8.8.8.8", true, true, true},
		{"64:ff9b::808:808", true, true, true}, // NAT64 of 8.8.8.8
		{"2002:808:808::1", true, true, true},  // 6to4 of 8.8.8.8

		{"192.168.1.5", false, true, false},
		{"10.0.0.2", false, true, false},
		{"172.16.0.1", false, true, false},
		{"172.31.255.255", false, true, false},
		{"172.32.0.1", true, true, true},
		{"100.64.0.1", false, true, false},
		{"198.18.0.1", false, true, false},
		{"fd12:3456::1", false, true, false},
		{"::ffff:192.168.1.5", false, true, false},
		{"64:ff9b::c0a8:105", false, true, false}, // NAT64 of 192.168.1.5

		{"127.0.0.1", false, false, true},
		{"127.9.9.9", false, false, true},
		{"::1", false, false, true},
		{"::ffff:127.0.0.1", false, false, true},
		{"64:ff9b::7f00:1", false, false, true}, // NAT64 of 127.0.0.1
		{"2002:7f00:1::", false, false, true},   // 6to4 of 127.0.0.1

		{"198.51.100.1", false, false, false}, // the server's own
		{"10.0.0.1", false, false, false},
		{"2001:db8::1", false, false, false},
		{"::ffff:198.51.100.1", false, false, false},
		{"64:ff9b::c633:6401", false, false, false},
		{"2002:c633:6401::", false, false, false},

		{"0.0.0.0", false, false, false},
		{"0.1.2.3", false, false, false},
		{"::", false, false, false},
		{"169.254.169.254", false, false, false},
		{"169.254.1.1", false, false, false},
		{"::ffff:169.254.169.254", false, false, false},
		{"64:ff9b::a9fe:a9fe", false, false, false},
		{"64:ff9b:1::a9fe:a9fe", false, false, false},
		{"2002:a9fe:a9fe::", false, false, false},
		{"2001:0:4136:e378:8000:63bf:3fff:fdd2", false, false, false}, // Teredo
		{"::127.0.0.1", false, false, false},
		{"fe80::1", false, false, false},
		{"fe80::1%eth0", false, false, false},
		{"2606:4700::1111%eth0", false, false, false},
		{"fd00:ec2::254", false, false, false},
		{"fd20:ce::254", false, false, false},
		{"100.100.100.200", false, false, false},
		{"168.63.129.16", false, false, false},
		{"224.0.0.251", false, false, false},
		{"239.1.1.1", false, false, false},
		{"255.255.255.255", false, false, false},
		{"240.0.0.1", false, false, false},
		{"ff02::fb", false, false, false},
		{"fec0::1", false, false, false},
	} {
		addr := netip.MustParseAddr(c.addr)
		require.Equal(t, c.public, public.Allows(addr), "%s, public", c.addr)
		require.Equal(t, c.lan, lan.Allows(addr), "%s, private allowed", c.addr)
		require.Equal(t, c.loopback, loopback.Allows(addr), "%s, loopback allowed", c.addr)
	}
	require.False(t, lan.Allows(netip.Addr{}))
}

func candidate(s string) signaling.Candidate { return signaling.Candidate{Candidate: s} }

// T14: what a client lists as its candidates.
func TestT14CandidateTable(t *testing.T) {
	policy := admission.AddressPolicy{Own: own}
	for c, want := range map[string]bool{
		"": true, // no more
		"candidate:1 1 udp 2113937151 203.0.113.7 50000 typ host":                                                     true,
		"candidate:1 1 UDP 2113937151 203.0.113.7 50000 typ host generation 0 ufrag abcd network-cost 999":            true,
		"1 1 udp 2113937151 203.0.113.7 50000 typ host":                                                               true,
		"candidate:842163049 1 udp 1677729535 203.0.113.7 50000 typ srflx raddr 192.168.1.5 rport 50000 generation 0": true,
		"candidate:842163049 1 udp 1677729535 203.0.113.7 50000 typ relay raddr 0.0.0.0 rport 0":                      true,
		"candidate:1 1 tcp 1518280447 203.0.113.7 9 typ host tcptype active generation 0":                             true,
		"candidate:1 1 udp 1 2606:4700::1111 50000 typ host":                                                          true,

		"candidate:1 1 udp 2113937151 127.0.0.1 50000 typ host":                           false,
		"candidate:1 1 udp 2113937151 169.254.169.254 80 typ host":                        false,
		"candidate:1 1 udp 2113937151 198.51.100.1 50000 typ host":                        false,
		"candidate:1 1 udp 2113937151 192.168.1.5 50000 typ host":                         false,
		"candidate:1 1 udp 2113937151 ::ffff:127.0.0.1 50000 typ host":                    false,
		"candidate:1 1 udp 1 2606:4700::1111%eth0 50000 typ host":                         false,
		"candidate:1 1 udp 1 0c2e6ee5-4b8a-4f0c-9c2e-000000000000.local 50000 typ host":   false,
		"candidate:1 1 udp 1 internal.example.com 50000 typ host":                         false,
		"candidate:1 1 udp 1 localhost 50000 typ host":                                    false,
		"candidate:1 1 udp 1 127.1 50000 typ host":                                        false,
		"candidate:1 1 udp 1 2130706433 50000 typ host":                                   false,
		"candidate:1 1 udp 1 0x7f000001 50000 typ host":                                   false,
		"candidate:1 1 udp 1 0177.0.0.1 50000 typ host":                                   false,
		"candidate:1 1 udp 1 203.0.113.7 0 typ host":                                      false,
		"candidate:1 1 udp 1 203.0.113.7 65536 typ host":                                  false,
		"candidate:1 1 udp 1 203.0.113.7 -1 typ host":                                     false,
		"candidate:1 0 udp 1 203.0.113.7 50000 typ host":                                  false,
		"candidate:1 1 udp x 203.0.113.7 50000 typ host":                                  false,
		"candidate:1 1 udp 1 203.0.113.7 50000 typ boss":                                  false,
		"candidate:1 1 udp 1 203.0.113.7 50000 host typ":                                  false,
		"candidate:1 1 udp 1 203.0.113.7 50000 typ":                                       false,
		"candidate:1 1 udp 1 203.0.113.7 50000 typ srflx raddr 1.2.3.4":                   false,
		"candidate:1 1 udp 1 203.0.113.7 50000 typ srflx raddr 1.2.3.4 port 5":            false,
		"candidate:1 1  udp 1 203.0.113.7 50000 typ host":                                 false,
		"candidate:1 1 udp 1 203.0.113.7\t127.0.0.1 50000 typ host":                       false,
		"candidate:1 1 udp 1 203.0.113.7 50000 typ host\r\na=candidate:1 1 udp 1 ::1 9 x": false,
		"candidate:1 1 udp 1 203.0.113.7 50000 typ host tcptype passive":                  false,
		"candidate:1 1 tcp 1 203.0.113.7 80 typ host tcptype passive":                     false,
		"candidate:1 1 tcp 1 203.0.113.7 80 typ host tcptype so":                          false,
		"candidate:1 1 tcp 1 203.0.113.7 80 typ host":                                     false,
		"candidate:1 1 tcp 1 203.0.113.7 80 typ host tcptype active tcptype passive":      false,
		"candidate:1 1 tcp 1 203.0.113.7 80 typ host x tcptype active y tcptype passive":  false,
		"candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype active":                         false,
		"candidate:1 1 ssltcp 1 203.0.113.7 443 typ host":                                 false,
		"candidate:" + strings.Repeat("1", 33) + " 1 udp 1 203.0.113.7 5 typ host":        false,
		"candidate:1 1 udp 1 203.0.113.7 50000 typ host x " + strings.Repeat("y", 500):    false,
		"hello": false,
	} {
		err := admission.CheckCandidate(candidate(c), policy)
		require.Equal(t, want, err == nil, "%q: %v", c, err)
		if !want {
			require.Equal(t, signaling.CodeServerRemoteDescription, codeOf(err))
		}
		if want && c != "" {
			_, err := ice.UnmarshalCandidate(c)
			require.NoError(t, err, "%q", c)
		}
	}

	text := func(s string) *string { return &s }
	good := candidate("1 1 udp 1 203.0.113.7 50000 typ host")
	good.SDPMid, good.UsernameFragment = text("0"), text("abcd")
	require.NoError(t, admission.CheckCandidate(good, policy))
	bad := good
	bad.SDPMid = text("0\r\n")
	require.Error(t, admission.CheckCandidate(bad, policy))
	bad = good
	bad.UsernameFragment = text("a b c d")
	require.Error(t, admission.CheckCandidate(bad, policy))
}

func TestT14FilterSDPCandidates(t *testing.T) {
	allow := admission.AddressPolicy{Own: own}.Allows
	line := func(addr string) string { return "a=candidate:1 1 udp 2113937151 " + addr + " 50000 typ host" }
	const end = "a=end-of-candidates"
	in := describe("0 1", audio("0", line("127.0.0.1"), line("203.0.113.7"), line("x.local"), line("203.0.113.8"), end),
		video("1", line("203.0.113.7"), line("169.254.169.254"), "a=candidate", "a=candidate-x:1"))
	want := describe("0 1", audio("0", line("203.0.113.7"), line("203.0.113.8"), end), video("1"))
	got, dropped := admission.FilterSDPCandidates(in, allow, 50)
	require.Equal(t, want, got)
	require.Equal(t, 5, dropped, "all but the repeated one")

	got, dropped = admission.FilterSDPCandidates(want, allow, 50)
	require.Equal(t, want, got)
	require.Zero(t, dropped)

	got, dropped = admission.FilterSDPCandidates(want, allow, 1)
	require.Equal(t, describe("0 1", audio("0", line("203.0.113.7"), end), video("1")), got)
	require.Equal(t, 1, dropped)

	got, _ = admission.FilterSDPCandidates(strings.ReplaceAll(in, "\r\n", "\n"), allow, 50)
	require.Equal(t, strings.ReplaceAll(want, "\r\n", "\n"), got)
}

func flood(n int) []signaling.Candidate {
	list := make([]signaling.Candidate, n)
	for i := range list {
		list[i] = candidate(fmt.Sprintf("candidate:%d 1 udp 1 203.0.113.%d %d typ host", i, i%250+1, i%60000+1))
	}
	return list
}

// T13, R28: of twenty thousand candidates, those within the limits go on, from
// messages as from descriptions, and the rest is counted.
func TestT13CandidateFlood(t *testing.T) {
	var policy admission.AddressPolicy
	all := flood(20_000)

	var b admission.CandidateBudget
	require.Empty(t, b.Begin("abcd", policy))
	var taken int
	for n := 10; n <= len(all); n += 10 { // cumulative lists
		taken += len(b.Take(signaling.ICE{Ufrag: "abcd", Candidates: all[:n]}, policy))
	}
	require.Equal(t, 50, taken)
	require.Equal(t, 20_000-50, b.Dropped())

	var at admission.CandidateBudget
	at.Begin("abcd", policy)
	require.Len(t, at.Take(signaling.ICE{Ufrag: "abcd", Candidates: all}, policy), 20, "in one message")
	require.Empty(t, at.Take(signaling.ICE{Ufrag: "abcd", Candidates: all}, policy), "said again")
	require.Equal(t, 20_000-20, at.Dropped())

	var lines []string
	for _, c := range all[:3000] {
		lines = append(lines, "a="+c.Candidate)
	}
	sdp := describe("0", audio("0", lines...))
	offer, err := admission.CheckSDP(sdp, admission.Limits{})
	require.NoError(t, err)
	require.Equal(t, 3000, offer.Sections[0].Candidates)
	filtered, dropped := admission.FilterSDPCandidates(sdp, policy.Allows, 50)
	require.Equal(t, 2950, dropped)
	require.Equal(t, 50, strings.Count(filtered, "a=candidate"))
}

func TestCandidateBudgetFollowsGenerations(t *testing.T) {
	var policy admission.AddressPolicy
	var b admission.CandidateBudget
	all := flood(60)
	list := func(ufrag string, n int) signaling.ICE {
		return signaling.ICE{Ufrag: ufrag, Candidates: all[:n]}
	}
	require.Empty(t, b.Take(list("", 5), policy), "no generation has begun")
	require.Empty(t, b.Take(list("aaaa", 3), policy), "early")
	require.Equal(t, all[:3], b.Begin("aaaa", policy), "kept until the description came")
	require.Equal(t, all[3:5], b.Take(list("aaaa", 5), policy), "each once")
	require.Empty(t, b.Begin("aaaa", policy), "the same again is no new generation")
	require.Empty(t, b.Take(list("aaaa", 5), policy))
	require.Empty(t, b.Take(list("aaaa", 2), policy), "an old list")

	require.Empty(t, b.Take(list("bbbb", 60), policy))
	require.Empty(t, b.Take(list("cccc", 4), policy), "only the newest is kept")
	require.Empty(t, b.Take(list("not a ufrag", 4), policy))
	require.Equal(t, all[:4], b.Begin("cccc", policy))
	require.Empty(t, b.Take(list("aaaa", 60), policy), "stale")
	require.Empty(t, b.Begin("dddd", policy), "what waits for another is not taken")

	// Sending under changing names takes nothing without descriptions.
	for i := range 1000 {
		require.Empty(t, b.Take(list(fmt.Sprintf("name%d", i), 60), policy))
	}
	refused := []signaling.Candidate{candidate("1 1 udp 1 127.0.0.1 9 typ host"), all[0]}
	before := b.Dropped()
	require.Equal(t, all[:1], b.Take(signaling.ICE{Ufrag: "dddd", Candidates: refused}, policy))
	require.Equal(t, before+1, b.Dropped())
}

// What is admitted is understood by the ICE library in the same way.
func FuzzCandidate(f *testing.F) {
	for _, s := range []string{
		"candidate:1 1 udp 2113937151 203.0.113.7 50000 typ host generation 0",
		"1 1 tcp 1 203.0.113.7 9 typ srflx raddr 10.0.0.1 rport 5 tcptype active",
		"1 1 tcp 1 203.0.113.7 9 typ host x tcptype active tcptype passive",
		"1 1 udp 1 x.local 5 typ host", "1 1 udp 1 fe80::1%1 5 typ host", "candidate:candidate:1 1 udp 1 1.1.1.1 5 typ host",
	} {
		f.Add(s)
	}
	policy := admission.AddressPolicy{Own: own}
	f.Fuzz(func(t *testing.T, s string) {
		if admission.CheckCandidate(candidate(s), policy) != nil || s == "" {
			return
		}
		theirs, err := ice.UnmarshalCandidate(s)
		if err != nil {
			return
		}
		addr, err := netip.ParseAddr(theirs.Address())
		require.NoError(t, err, "%q is a name to be looked up", s)
		require.True(t, policy.Allows(addr), "%q", s)
		require.NotZero(t, theirs.Port(), "%q", s)
		if theirs.NetworkType().IsTCP() {
			// The library calls passive candidates only. It forgets the
			// type of those that are not host candidates.
			require.Contains(t, []ice.TCPType{ice.TCPTypeActive, ice.TCPTypeUnspecified}, theirs.TCPType(), "%q makes the server call", s)
		}
	})
}
