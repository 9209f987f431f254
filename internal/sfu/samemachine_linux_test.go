package sfu

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// All of 127.0.0.0/8 is this machine on Linux, so that it can be two.
func TestOnlySomeAreHeard(t *testing.T) {
	bind := func(ip string) *net.UDPConn {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	server, stranger, friend := bind("127.0.0.1"), bind("127.0.0.2"), bind("127.0.0.3")
	conn := &only{PacketConn: server, from: []netip.Addr{netip.MustParseAddr("127.0.0.3")}}
	for _, from := range []*net.UDPConn{stranger, friend} { // one after the other: loopback keeps their order
		_, err := from.WriteTo([]byte(from.LocalAddr().String()), server.LocalAddr())
		require.NoError(t, err)
	}
	buf := make([]byte, 100)
	n, from, err := conn.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, friend.LocalAddr().String(), from.String())
	require.Equal(t, friend.LocalAddr().String(), string(buf[:n]))
	require.NoError(t, server.Close())
	_, _, err = conn.ReadFrom(buf)
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestOutwardAddressesAreOurs(t *testing.T) {
	var ours []netip.Addr
	list, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range list {
		addr, ok := netip.AddrFromSlice(a.(*net.IPNet).IP)
		require.True(t, ok)
		ours = append(ours, addr.Unmap())
	}
	for _, addr := range outward() {
		require.Contains(t, ours, addr)
		require.False(t, addr.IsLoopback())
	}
}
