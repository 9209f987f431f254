package rtc

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// browser is a peer connection that numbers its codecs in its own way, as
// Firefox does.
func browser(t *testing.T) *webrtc.PeerConnection {
	t.Helper()
	engine := &webrtc.MediaEngine{}
	for _, c := range []webrtc.RTPCodecParameters{
		{PayloadType: 120, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}},
		{PayloadType: 124, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=120"}},
	} {
		require.NoError(t, engine.RegisterCodec(c, webrtc.RTPCodecTypeVideo))
	}
	require.NoError(t, engine.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 109, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
	}}, webrtc.RTPCodecTypeAudio))
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pc.GracefulClose()) })
	return pc
}

// The answer takes over the payload types of the offer, so what is sent has to
// carry them.
func TestSectionsOfTheOtherSideHaveItsPayloadTypes(t *testing.T) {
	server := newSide(t, loopback(t), "s")
	pc := browser(t)
	tracks := make(chan *webrtc.TrackRemote, 1)
	connected := make(chan struct{})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			close(connected)
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { tracks <- track })
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		_, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		require.NoError(t, err)
	}
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(t, pc.SetLocalDescription(offer))
	<-gathered
	require.NoError(t, server.SetRemoteOffer(pc.LocalDescription().SDP))
	outs, err := server.FillOutlets(func(mid string, _ media.Kind) OutletConfig { return OutletConfig{ID: mid} })
	require.NoError(t, err)
	answer, err := server.Answer(true)
	require.NoError(t, err)
	require.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	for server.State() != webrtc.PeerConnectionStateConnected {
		<-server.state
	}
	<-connected

	for i, want := range map[int]struct {
		codec Codec
		pt    uint8
	}{0: {Codec{Codec: media.VP8}, 120}, 1: {Codec{Codec: media.Opus}, 109}} {
		pt, ok := outs[i].PayloadType(want.codec)
		require.True(t, ok)
		require.Equal(t, want.pt, pt, want.codec.Codec)
	}
	_, ok := outs[0].PayloadType(Codec{Codec: media.H264})
	require.False(t, ok, "it was not offered")
	require.Equal(t, uint8(124), outs[0].bound.Load().rtx[120])

	for i := range 20 {
		require.NoError(t, outs[0].Write(&rtp.Header{Version: 2, PayloadType: 120, SequenceNumber: uint16(i)}, []byte("down"), time.Time{}))
	}
	require.Equal(t, webrtc.MimeTypeVP8, (<-tracks).Codec().MimeType)
}
