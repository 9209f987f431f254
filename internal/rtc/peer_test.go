package rtc

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type side struct {
	*Peer
	inlets   chan *Inlet
	channels chan *webrtc.DataChannel
	state    chan struct{}
}

func newSide(t testing.TB, api *API, prefix string) *side {
	t.Helper()
	s := &side{
		inlets: make(chan *Inlet, 16), channels: make(chan *webrtc.DataChannel, 16), state: make(chan struct{}, 64),
	}
	p, err := api.NewPeer(PeerConfig{MidPrefix: prefix, Handler: Handler{
		Inlet:   func(in *Inlet) { s.inlets <- in },
		Channel: func(dc *webrtc.DataChannel) { s.channels <- dc },
		State: func() {
			select {
			case s.state <- struct{}{}:
			default:
			}
		},
	}})
	require.NoError(t, err)
	s.Peer = p
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return s
}

func loopback(t *testing.T) *API {
	t.Helper()
	api, err := New(Config{Loopback: true, IPs: nil})
	require.NoError(t, err)
	return api
}

// join negotiates as client and server do: one offer, one answer.
func join(t testing.TB, client, server *side) {
	t.Helper()
	offer, err := client.Offer(false)
	require.NoError(t, err)
	require.NoError(t, client.ApplyOffer(offer))
	require.NoError(t, server.SetRemoteOffer(offer))
	_, err = server.FillOutlets(func(mid string, _ media.Kind) OutletConfig { return OutletConfig{ID: mid} })
	require.NoError(t, err)
	answer, err := server.Answer(true)
	require.NoError(t, err)
	require.NoError(t, client.SetRemoteAnswer(answer))
}

func TestOneRoundTripCarriesBothDirections(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	up, err := client.AddOutlet(media.Video, OutletConfig{Codec: media.VP8, ID: "wire-1"})
	require.NoError(t, err)
	slot, err := client.AddInlet(media.Video)
	require.NoError(t, err)
	join(t, client, server)

	server.mu.Lock()
	down := server.outlets[0]
	server.mu.Unlock()
	require.Equal(t, slot, down.Mid())

	var mapped string
	for _, s := range server.RemoteSections() {
		if s.Mid == up.Mid() {
			mapped = s.Track
		}
	}
	require.Equal(t, "wire-1", mapped)

	pt, ok := up.PayloadType(Codec{Codec: media.VP8})
	require.True(t, ok)
	downPT, ok := down.PayloadType(Codec{Codec: media.H264})
	require.True(t, ok)
	for client.State() != webrtc.PeerConnectionStateConnected || server.State() != webrtc.PeerConnectionStateConnected {
		select {
		case <-client.state:
		case <-server.state:
		}
	}
	for i := range 20 {
		require.NoError(t, up.Write(&rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: uint16(i)}, []byte("up"), time.Time{}))
		require.NoError(t, down.Write(&rtp.Header{Version: 2, PayloadType: downPT, SequenceNumber: uint16(i)}, []byte("down"), time.Time{}))
	}
	in := <-server.inlets
	require.Equal(t, up.Mid(), in.Mid())
	var h rtp.Header
	payload, err := in.Read(make([]byte, 1500), &h)
	require.NoError(t, err)
	require.Equal(t, "up", string(payload))
	require.Equal(t, media.VP8, in.Codec().Codec)

	in = <-client.inlets
	require.Equal(t, slot, in.Mid())
	payload, err = in.Read(make([]byte, 1500), &h)
	require.NoError(t, err)
	require.Equal(t, "down", string(payload))
	require.Equal(t, media.H264, in.Codec().Codec)

	// A new channel needs no negotiation.
	dc, err := server.CreateChannel("sub-1", nil)
	require.NoError(t, err)
	_ = dc
	got := <-client.channels
	require.Equal(t, "sub-1", got.Label())

	// A section added later is filled by the next round; the others stay.
	_, err = client.AddInlet(media.Audio)
	require.NoError(t, err)
	up.SetID("wire-2", "")
	join(t, client, server)
	for _, s := range server.RemoteSections() {
		if s.Mid == up.Mid() {
			mapped = s.Track
		}
	}
	require.Equal(t, "wire-2", mapped)
	require.NoError(t, up.Write(&rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: 100}, []byte("again"), time.Time{}))
}

func TestLossTracker(t *testing.T) {
	var l lossTracker
	now := time.Unix(0, 0)
	for _, seq := range []uint16{65533, 65534, 1, 0, 5} {
		fresh, _ := l.observe(seq, now)
		require.True(t, fresh)
	}
	fresh, _ := l.observe(5, now)
	require.False(t, fresh, "duplicate")
	ask, next := l.due(now, 0)
	require.Empty(t, ask, "reordering is not loss yet")
	require.Equal(t, now.Add(nackGrace), next)
	ask, _ = l.due(now.Add(nackGrace), 0)
	require.Equal(t, []uint16{65535, 2, 3, 4}, ask)
	ask, _ = l.due(now.Add(nackGrace+time.Millisecond), 0)
	require.Empty(t, ask)
	fresh, _ = l.observe(3, now)
	require.True(t, fresh)
	ask, _ = l.due(now.Add(nackGrace+nackMinPause), 0)
	require.Equal(t, []uint16{65535, 2, 4}, ask)
	require.EqualValues(t, 3, l.lost())
	require.EqualValues(t, 1, l.repaired)
	fraction, lost, _ := l.report()
	require.EqualValues(t, 3, lost)
	require.EqualValues(t, 3*256/9, fraction)
	ask, next = l.due(now.Add(2*nackLife), 0)
	require.Empty(t, ask)
	require.True(t, next.IsZero(), "given up")
}

func TestRing(t *testing.T) {
	r := NewRing(8)
	for i := range 20 {
		r.Put(&rtp.Header{SequenceNumber: uint16(i), Timestamp: uint32(i)}, []byte{byte(i)})
	}
	buf := make([]byte, 10)
	_, _, ok := r.Get(5, buf)
	require.False(t, ok)
	h, payload, ok := r.Get(15, buf)
	require.True(t, ok)
	require.EqualValues(t, 15, h.Timestamp)
	require.Equal(t, []byte{15}, payload)
}

// Who offered first is the passive side of the DTLS connection, and says so in
// later answers. Browsers refuse a change.
func TestRolesStayWhoeverOffers(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	join(t, client, server)
	_, err := server.AddOutlet(media.Audio, OutletConfig{ID: "later"})
	require.NoError(t, err)
	offer, err := server.Offer(false)
	require.NoError(t, err)
	require.NoError(t, server.ApplyOffer(offer))
	require.NoError(t, client.SetRemoteOffer(offer))
	answer, err := client.Answer(true)
	require.NoError(t, err)
	require.Contains(t, answer, "a=setup:passive")
	require.NotContains(t, answer, "a=setup:active")
	require.NoError(t, server.SetRemoteAnswer(answer))
}
