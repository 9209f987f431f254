package rtc

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An answer to an ICE restart has to wait for its candidates, and must not wait
// for ever: pion's own promise misses a gathering that completes while it is
// being made.
func TestAnswersToManyRestarts(t *testing.T) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	mux := NewUDPMux(socket, nil, nil)
	t.Cleanup(func() { require.NoError(t, mux.Close()) })
	api, err := New(Config{Loopback: true, UDPMux: mux})
	require.NoError(t, err)
	client, server := newSide(t, loopback(t), "c"), newSide(t, api, "s")
	_, err = client.AddInlet("video")
	require.NoError(t, err)
	join(t, client, server)
	for i := range 100 { // far fewer than ICE gives up in, which takes the candidates away
		offer, err := client.Offer(true)
		require.NoError(t, err)
		require.NoError(t, client.ApplyOffer(offer))
		require.NoError(t, server.SetRemoteOffer(offer))
		answered := make(chan string, 1)
		go func() {
			answer, _ := server.Answer(true)
			answered <- answer
		}()
		select {
		case answer := <-answered:
			require.Contains(t, answer, "a=candidate:", "restart %d", i)
			require.Contains(t, answer, "a=end-of-candidates")
			require.NoError(t, client.SetRemoteAnswer(answer))
			require.Equal(t, 1, strings.Count(answer, "a=end-of-candidates"))
		case <-time.After(10 * time.Second):
			t.Fatalf("restart %d is not answered", i)
		}
	}
}
