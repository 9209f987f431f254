package rtc

import (
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

func TestRelatedAddressesAreKeptBack(t *testing.T) {
	const host = "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host"
	for said, want := range map[string]string{
		host: host,
		"candidate:2 1 udp 16777215 203.0.113.5 49160 typ relay raddr 192.168.1.7 rport 50001 ufrag abcd":    "candidate:2 1 udp 16777215 203.0.113.5 49160 typ relay raddr 0.0.0.0 rport 9 ufrag abcd",
		"candidate:3 1 udp 16777215 203.0.113.5 49160 typ relay raddr fd00::7 rport 50001":                   "candidate:3 1 udp 16777215 203.0.113.5 49160 typ relay raddr 0.0.0.0 rport 9",
		"candidate:4 1 udp 16777215 2001:db8::5 49160 typ relay raddr fd00::7 rport 50001":                   "candidate:4 1 udp 16777215 2001:db8::5 49160 typ relay raddr :: rport 9",
		"candidate:5 1 tcp 16777215 203.0.113.5 9 typ relay raddr 10.0.0.7 rport 50001 tcptype active":       "candidate:5 1 tcp 16777215 203.0.113.5 9 typ relay raddr 0.0.0.0 rport 9 tcptype active",
		"candidate:6 1 udp 16777215 203.0.113.5 49160 typ relay raddr a-name.local rport 50001 generation 0": "candidate:6 1 udp 16777215 203.0.113.5 49160 typ relay raddr 0.0.0.0 rport 9 generation 0",
	} {
		for prefix, suffix := range map[string]string{"": "", "v=0\r\na=": "\r\na=" + host + "\r\n"} {
			hidden := &Peer{policy: webrtc.ICETransportPolicyRelay}
			require.Equal(t, prefix+want+suffix, hidden.discreet(prefix+said+suffix))
			open := &Peer{policy: webrtc.ICETransportPolicyAll}
			require.Equal(t, prefix+said+suffix, open.discreet(prefix+said+suffix))
		}
	}
}
