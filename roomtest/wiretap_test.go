package roomtest

import (
	"net"
	"testing"

	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/stretchr/testify/require"
)

// What listening costs a packet that the server takes from one socket and
// forwards to another.
func BenchmarkForward(b *testing.B) {
	for _, c := range []struct {
		name string
		opts Options
	}{{"quiet", Options{NoCapture: true}}, {"captured", Options{}}} {
		b.Run(c.name, func(b *testing.B) {
			open := func() *net.UDPConn {
				conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				require.NoError(b, err)
				return conn
			}
			from, to := open(), open()
			defer from.Close()
			defer to.Close()
			server := faultnet.Impair(open(), 0)
			defer server.Close()
			server.SetTap(newWiretap(b, c.opts).server())
			data, buf := make([]byte, 1200), make([]byte, 1500)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := from.WriteTo(data, server.LocalAddr())
				require.NoError(b, err)
				n, _, err := server.ReadFrom(buf)
				require.NoError(b, err)
				_, err = server.WriteTo(buf[:n], to.LocalAddr())
				require.NoError(b, err)
				_, _, err = to.ReadFromUDPAddrPort(buf)
				require.NoError(b, err)
			}
		})
	}
}
