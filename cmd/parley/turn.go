package main

import "net/netip"

// turn completes what is said about the TURN server.
func (s *serveFlags) turn() error {
	t := &s.front.TURN
	for _, a := range []struct{ flag, address string }{
		{"turn-udp", t.UDP}, {"turn-tcp", t.TCP}, {"turn-tls", t.TLS},
	} {
		if a.address == "" {
			continue
		}
		if _, err := checkAddress(a.flag, a.address, "203.0.113.7:3478 or :3478"); err != nil {
			return err
		}
	}
	if t.TLS != "" && s.front.CertFile == "" {
		return usagef("--turn-tls needs --tls-cert and --tls-key")
	}
	var err error
	if t.Allow, err = prefixes("turn-allow", s.allow); err != nil {
		return err
	}
	t.Deny, err = prefixes("turn-deny", s.deny)
	return err
}

// prefixes reads ranges of addresses; an address is one of itself alone.
func prefixes(flag string, texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var ip netip.Addr
			if ip, err = netip.ParseAddr(text); err == nil {
				p = netip.PrefixFrom(ip, ip.BitLen())
			}
		}
		if err != nil {
			return nil, usagef("--%s %q: it has to be a range of addresses, as in 203.0.113.0/24", flag, text)
		}
		list = append(list, p)
	}
	return list, nil
}
