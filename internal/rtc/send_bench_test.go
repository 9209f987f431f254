package rtc

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// framePackets is how many packets a picture of 2 Mbit/s has.
const framePackets = 8

// BenchmarkSendFrame sends the packets of one picture to a connection on
// loopback, which drops them. What it allocates counts with what is sent.
func BenchmarkSendFrame(b *testing.B) {
	b.Run("together", func(b *testing.B) { benchmarkSendFrame(b, true) })
	b.Run("one by one", func(b *testing.B) { benchmarkSendFrame(b, false) })
}

func benchmarkSendFrame(b *testing.B, together bool) {
	api, err := New(Config{Loopback: true, Interfaces: func(name string) bool { return name == "lo" }})
	require.NoError(b, err)
	client, server := newSide(b, api, "c"), newSide(b, api, "s")
	up, err := client.AddOutlet(media.Video, OutletConfig{Codec: media.H264, ID: "wire-1"})
	require.NoError(b, err)
	join(b, client, server)
	for client.State() != webrtc.PeerConnectionStateConnected || server.State() != webrtc.PeerConnectionStateConnected {
		select {
		case <-client.state:
		case <-server.state:
		}
	}
	pt, ok := up.PayloadType(Codec{Codec: media.H264})
	require.True(b, ok)
	payload := make([]byte, 1160)
	h := rtp.Header{Version: 2, PayloadType: pt}
	b.ReportAllocs()
	for b.Loop() {
		h.Timestamp += 3000
		if together {
			up.Hold()
		}
		for i := range framePackets {
			h.SequenceNumber++
			h.Marker = i == framePackets-1
			if err := up.Write(&h, payload, time.Time{}); err != nil {
				b.Fatal(err)
			}
		}
		if together {
			up.Release()
		}
	}
}
