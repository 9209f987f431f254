package rtc

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/stretchr/testify/require"
)

// What is written while a restart closes the connection is lost, and nothing
// more: io.ErrClosedPipe would end DTLS and SCTP.
func TestWritesDuringARestartAreLostPackets(t *testing.T) {
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	under := NewUDPMux(socket, nil, nil)
	defer under.Close()
	mux := &restartMux{under, true}
	address := mux.GetListenAddresses()[0]
	conn, err := mux.GetConn("ufrag", address)
	require.NoError(t, err)
	fast, ok := conn.(ice.AddrPortReaderWriter)
	require.True(t, ok, "addresses without garbage")
	to := netip.MustParseAddrPort(address.String())
	_, err = fast.WriteToAddrPort([]byte("before"), to)
	require.NoError(t, err)

	require.NoError(t, conn.Close())
	_, err = fast.WriteToAddrPort([]byte("after"), to)
	require.ErrorIs(t, err, net.ErrClosed)
	require.NotErrorIs(t, err, io.ErrClosedPipe)
	_, err = conn.WriteTo([]byte("after"), address)
	require.ErrorIs(t, err, net.ErrClosed)
	require.NotErrorIs(t, err, io.ErrClosedPipe)
}

func TestLoopbackIsLeftOutUnlessWanted(t *testing.T) {
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	under := NewUDPMux(socket, nil, nil)
	defer under.Close()
	require.Empty(t, (&restartMux{under, false}).GetListenAddresses())
	require.Len(t, (&restartMux{under, true}).GetListenAddresses(), 1)
}
