package rtc

import (
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
// do, hears which of them arrived.
func TestSendersGetTransportWideFeedback(t *testing.T) {
	server, err := New(Config{Loopback: true})
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
}

// Between two of ours both directions are numbered and told of: sound,
// pictures, and what is sent again.
func TestWhatIsSentIsNumberedAndToldOf(t *testing.T) {
	api := loopback(t)
	client, server := newSide(t, api, "c"), newSide(t, api, "s")
	video, err := client.AddOutlet(media.Video, OutletConfig{Codec: media.VP8, ID: "v"})
	require.NoError(t, err)
	sound, err := client.AddOutlet(media.Audio, OutletConfig{Codec: media.Opus, ID: "a"})
	require.NoError(t, err)
	slot, err := client.AddInlet(media.Video)
	require.NoError(t, err)
	join(t, client, server)
	for client.State() != webrtc.PeerConnectionStateConnected || server.State() != webrtc.PeerConnectionStateConnected {
		select {
		case <-client.state:
		case <-server.state:
		}
	}
	server.mu.Lock()
	down := server.outlets[0]
	server.mu.Unlock()
	require.Equal(t, slot, down.Mid())
	for _, s := range []*side{client, server} {
		require.NotZero(t, s.numberID(media.Video))
		require.NotZero(t, s.numberID(media.Audio))
		go func() {
			for in := range s.inlets {
				go func() {
					buf := make([]byte, 1500)
					var h rtp.Header
					for {
						if _, err := in.Read(buf, &h); err != nil {
							return
						}
					}
				}()
			}
		}()
		t.Cleanup(func() { close(s.inlets) })
	}
	level := Level{}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for seq := uint16(0); ; seq++ {
		h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: seq, Timestamp: uint32(seq) * 100}
		for _, o := range []*Outlet{video, down} {
			require.NoError(t, o.Write(&h, []byte{0x10, 1, 2}, time.Time{}))
			require.False(t, h.Extension, "the caller's header is as it was")
			b := o.bound.Load()
			o.fill(b)
		}
		h.PayloadType = 111
		level.Put(&h, sound, -20)
		require.NoError(t, sound.Write(&h, []byte{1}, time.Time{}))
		require.Len(t, h.Extensions, 1)
		<-tick.C
		// Three streams of at least 100 packets a second in one direction, two in
		// the other: each counts.
		if up, down := client.congestion.Delivered(), server.congestion.Delivered(); up > 100_000 && down > 50_000 {
			break
		}
	}
	require.Zero(t, client.Limit())
	_, _, limited := client.MediaLimit()
	require.False(t, limited)
}

func TestNumbersAreFoundInPackets(t *testing.T) {
	numbers := numbering{}
	numbers.value = [2]byte{0xab, 0xcd}
	for _, others := range []int{0, 1, 2} {
		h := rtp.Header{Version: 2, CSRC: []uint32{1, 2}}
		for i := range others {
			require.NoError(t, h.SetExtension(uint8(7+i), []byte{1, 2, 3}[:1+i]))
		}
		require.NoError(t, h.SetExtension(3, numbers.value[:]))
		packet, err := (&rtp.Packet{Header: h, Payload: []byte{1, 2, 3}}).Marshal()
		require.NoError(t, err)
		number, ok := packetNumber(packet, 3)
		require.True(t, ok)
		require.Equal(t, uint16(0xabcd), number)
		_, ok = packetNumber(packet, 4)
		require.False(t, ok)
		for n := range packet {
			packetNumber(packet[:n], 3) // of no panic
		}
	}
}
