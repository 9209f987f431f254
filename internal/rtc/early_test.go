package rtc

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// A server sends as soon as it has answered, and packets overtake the answer.
func TestEarlyPacketsWaitForTheAnswer(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	join(t, client, server)
	for client.State() != webrtc.PeerConnectionStateConnected || server.State() != webrtc.PeerConnectionStateConnected {
		select {
		case <-client.state:
		case <-server.state:
		}
	}
	const rounds, packets = 5, 30
	var h rtp.Header
	for range rounds {
		mid, err := client.AddInlet(media.Audio)
		require.NoError(t, err)
		offer, err := client.Offer(false)
		require.NoError(t, err)
		require.NoError(t, client.ApplyOffer(offer))
		require.NoError(t, server.SetRemoteOffer(offer))
		added, err := server.FillOutlets(func(mid string, _ media.Kind) OutletConfig { return OutletConfig{ID: mid} })
		require.NoError(t, err)
		require.Len(t, added, 1)
		answer, err := server.Answer(true)
		require.NoError(t, err)
		pt, ok := added[0].PayloadType(Codec{Codec: media.Opus})
		require.True(t, ok)
		send := func(from, to int) {
			for i := from; i < to; i++ {
				if added[0].Write(&rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: uint16(i)}, []byte{byte(i)}, time.Time{}) != nil {
					i-- // the sender begins a moment after the answer
				}
			}
		}
		send(0, packets/2)
		go send(packets/2, packets)
		require.NoError(t, client.SetRemoteAnswer(answer))
		in := <-client.inlets
		require.Equal(t, mid, in.Mid())
		for i := range packets {
			payload, err := in.Read(make([]byte, 1500), &h)
			require.NoError(t, err)
			require.Equal(t, []byte{byte(i)}, payload)
		}
	}
}
