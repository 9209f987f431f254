package rtc

import (
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// BenchmarkConnect is one pair of connections from its making to the moment
// when both sides are connected.
func BenchmarkConnect(b *testing.B) {
	api, err := New(Config{Loopback: true, Interfaces: func(name string) bool { return name == "lo" }})
	require.NoError(b, err)
	for b.Loop() {
		client, server := newSide(b, api, "c"), newSide(b, api, "s")
		_, err := client.AddInlet(media.Video)
		require.NoError(b, err)
		join(b, client, server)
		for client.State() != webrtc.PeerConnectionStateConnected || server.State() != webrtc.PeerConnectionStateConnected {
			select {
			case <-client.state:
			case <-server.state:
			}
		}
		b.StopTimer()
		require.NoError(b, client.Close())
		require.NoError(b, server.Close())
		b.StartTimer()
	}
}
