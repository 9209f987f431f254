package rtc

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// A sender that numbers its packets across the whole transport, as browsers
// do, hears which of them arrived; and the section that passes them on carries
// no header of the first transport.
func TestSendersGetTransportWideFeedback(t *testing.T) {
	server, err := New(Config{Loopback: true, Feedback: true})
	require.NoError(t, err)
	engine := &webrtc.MediaEngine{}
	require.NoError(t, engine.RegisterDefaultCodecs())
	require.NoError(t, engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.TransportCCURI}, webrtc.RTPCodecTypeVideo))
	engine.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}, webrtc.RTPCodecTypeVideo)
	settings := Config{Loopback: true}.settings(&batch{})
	browser, err := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	defer func() { require.NoError(t, browser.Close()) }()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "v", "s")
	require.NoError(t, err)
	sender, err := browser.AddTrack(track)
	require.NoError(t, err)

	s := newSide(t, server, "s")
	offer, err := browser.CreateOffer(nil)
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(browser)
	require.NoError(t, browser.SetLocalDescription(offer))
	<-gathered
	require.NoError(t, s.SetRemoteOffer(browser.LocalDescription().SDP))
	answer, err := s.Answer(true)
	require.NoError(t, err)
	require.Contains(t, answer, "transport-cc")
	connected := make(chan struct{})
	browser.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			close(connected)
		}
	})
	require.NoError(t, browser.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	<-connected
	go func() {
		in := <-s.inlets
		buf := make([]byte, 1500)
		var h rtp.Header
		for {
			if _, err := in.Read(buf, &h); err != nil {
				return
			}
		}
	}()
	var id uint8
	for _, ext := range sender.GetParameters().HeaderExtensions {
		if ext.URI == sdp.TransportCCURI {
			id = uint8(ext.ID)
		}
	}
	require.NotZero(t, id)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for seq := uint16(0); ; seq++ {
			p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq}, Payload: []byte{0x10, 1, 2}}
			number, _ := (&rtp.TransportCCExtension{TransportSequence: seq}).Marshal()
			_ = p.SetExtension(id, number)
			_ = track.WriteRTP(p)
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	for {
		packets, _, err := sender.ReadRTCP()
		require.NoError(t, err)
		heard := false
		for _, p := range packets {
			if _, ok := p.(*rtcp.TransportLayerCC); ok {
				heard = true
			}
		}
		if heard {
			break
		}
	}
	close(stop)
	<-done

	// Towards a client of ours nothing of it is offered.
	ours := newSide(t, loopback(t), "c")
	_, err = ours.AddInlet(media.Video)
	require.NoError(t, err)
	sdp, err := ours.Offer(false)
	require.NoError(t, err)
	require.False(t, strings.Contains(sdp, "extmap:"), sdp)
}
