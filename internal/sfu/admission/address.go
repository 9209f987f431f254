package admission

import (
	"net/netip"
	"slices"
)

// AddressPolicy says to which addresses the server may be made to send. The
// zero value allows public addresses only.
type AddressPolicy struct {
	// AllowPrivate allows the address ranges of private networks, of
	// carriers' networks and of benchmarks.
	AllowPrivate bool
	// AllowLoopback is for a server that listens on loopback.
	AllowLoopback bool
	// Own are the addresses of the server itself. They are never allowed,
	// except on loopback when that is.
	Own []netip.Addr
}

// Allows reports whether the server may send to the address. An address that
// carries an IPv4 address within (mapped, NAT64, 6to4) is judged by that one.
func (p AddressPolicy) Allows(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Zone() != "" {
		return false
	}
	addr = embedded(addr.Unmap())
	if addr.IsLoopback() {
		return p.AllowLoopback
	}
	own := func(a netip.Addr) bool { return a.Unmap().WithZone("") == addr }
	if slices.ContainsFunc(p.Own, own) || within(addr, never) {
		return false
	}
	return p.AllowPrivate || !within(addr, private)
}

// never are ranges that no participant sends from, or that hold what a server
// must not be made to talk to.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", // this network, link-local, multicast, reserved
	"192.0.0.0/24", "192.88.99.0/24", // protocol assignments, 6to4 relays
	"100.100.100.200/32", "168.63.129.16/32", // metadata services outside of link-local
	"::/96", "64:ff9b:1::/48", "100::/64", // IPv4-compatible and unspecified, local NAT64, discard
	"2001::/32", "fe80::/10", "fec0::/10", "ff00::/8", // Teredo, link-local, site-local, multicast
	"fd00:ec2::/32", "fd20:ce::/32", // metadata services in the private range
)

// private are ranges behind which a participant may well be, in the same
// network as the server.
var private = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7",
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func within(addr netip.Addr, list []netip.Prefix) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(addr) })
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixToIV = netip.MustParsePrefix("2002::/16")
)

// embedded returns the IPv4 address that a packet to addr ends up at, or addr.
func embedded(addr netip.Addr) netip.Addr {
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToIV.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return addr
}
