package rtc

import (
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// Browsers publish in whatever section of the kind they do not send in yet, and
// that may be one that we offered to send in.
func TestOtherSideSendsInOurSection(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	join(t, client, server)
	down, err := server.AddOutlet(media.Video, OutletConfig{Codec: media.VP8, ID: "down", Both: true})
	require.NoError(t, err)
	offer, err := server.Offer(false)
	require.NoError(t, err)
	require.NoError(t, server.ApplyOffer(offer))
	require.NoError(t, client.SetRemoteOffer(offer))
	answer, err := client.Answer(true)
	require.NoError(t, err)
	require.NoError(t, server.SetRemoteAnswer(answer))

	toClient, ok := down.PayloadType(Codec{Codec: media.VP8})
	require.True(t, ok)
	require.Equal(t, down.Mid(), arrives(t, down, toClient, client).Mid())

	for _, id := range []string{"first", "second"} {
		up := newOutlet(client.Peer, media.Video, OutletConfig{ID: id})
		for _, tr := range client.pc.GetTransceivers() {
			if tr.Mid() == down.Mid() {
				require.NoError(t, client.attach(tr, up))
			}
		}
		join(t, client, server)
		pt, ok := up.PayloadType(Codec{Codec: media.VP8})
		require.True(t, ok)
		in := arrives(t, up, pt, server)
		require.Equal(t, down.Mid(), in.Mid())
		require.Contains(t, server.RemoteSections(), Section{Mid: in.Mid(), Kind: "video", Direction: "sendrecv", Track: id, Layers: 1})
		require.NoError(t, client.FreeOutlet(up))
		join(t, client, server)
	}
}

// arrives has one side send until something arrives in the section that begins
// on the other side.
func arrives(t *testing.T, from *Outlet, pt uint8, to *side) *Inlet {
	t.Helper()
	text := from.ident.Load()[0]
	done := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for seq := uint16(0); ; seq++ {
			_ = from.Write(&rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq}, []byte(text), time.Time{}) // in vain until it is connected
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	defer sender.Wait()
	defer close(done)
	in := <-to.inlets
	var h rtp.Header
	payload, err := in.Read(make([]byte, 1500), &h)
	require.NoError(t, err)
	require.Equal(t, text, string(payload))
	return in
}
