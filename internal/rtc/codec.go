package rtc

import (
	"fmt"
	"strings"

	"github.com/parley-rtc/parley/media"
	"github.com/pion/webrtc/v4"
)

// Codec is an encoding as negotiated: the name and its format parameters.
type Codec struct {
	media.Codec
	Fmtp string
}

type videoFormat struct {
	codec  media.Codec
	fmtp   string
	pt, tx uint8 // payload type and that of its retransmissions
}

// The video formats that every connection offers, most preferred first. They
// are few on purpose: what a description costs grows with the square of them.
// A decoder goes by the parameter sets in the stream, so H.264 of a higher
// profile travels under these two as well.
var videoFormats = []videoFormat{
	{media.VP8, "", 96, 97},
	{media.H264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", 102, 103},
	{media.H264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f", 104, 105},
	{media.VP9, "profile-id=0", 98, 99},
	{media.AV1, "level-idx=5;profile=0;tier=0", 45, 46},
	{media.H265, "level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST", 49, 50},
}

var videoFeedback = []webrtc.RTCPFeedback{
	{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}, transportWide,
}

func registerCodecs(engine *webrtc.MediaEngine) error {
	for _, c := range audioCodecs() {
		if err := engine.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			return fmt.Errorf("registering %s: %w", c.MimeType, err)
		}
	}
	for _, c := range videoCodecs() {
		if err := engine.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
			return fmt.Errorf("registering %s: %w", c.MimeType, err)
		}
	}
	return nil
}

func audioCodecs() []webrtc.RTPCodecParameters {
	nack := []webrtc.RTCPFeedback{{Type: "nack"}, transportWide}
	return []webrtc.RTPCodecParameters{
		{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1", RTCPFeedback: nack,
		}},
		{PayloadType: 0, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypePCMU, ClockRate: 8000, RTCPFeedback: nack,
		}},
		{PayloadType: 8, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypePCMA, ClockRate: 8000, RTCPFeedback: nack,
		}},
	}
}

func videoCodecs() []webrtc.RTPCodecParameters {
	var all []webrtc.RTPCodecParameters
	for _, f := range videoFormats {
		all = append(all,
			webrtc.RTPCodecParameters{
				PayloadType: webrtc.PayloadType(f.pt),
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: f.codec.MIME(), ClockRate: 90000, SDPFmtpLine: f.fmtp, RTCPFeedback: videoFeedback,
				},
			},
			webrtc.RTPCodecParameters{
				PayloadType: webrtc.PayloadType(f.tx),
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", f.pt),
				},
			})
	}
	return all
}

// preferred returns the codec parameters that a send section for one codec
// offers, in the order they were registered.
func preferred(codec media.Codec) []webrtc.RTPCodecParameters {
	all := audioCodecs()
	if codec.Kind() == media.Video {
		all = videoCodecs()
	}
	var keep []webrtc.RTPCodecParameters
	apt := map[string]bool{}
	for _, c := range all {
		switch {
		case strings.EqualFold(c.MimeType, codec.MIME()):
			keep = append(keep, c)
			apt[fmt.Sprintf("apt=%d", c.PayloadType)] = true
		case apt[c.SDPFmtpLine]:
			keep = append(keep, c)
		}
	}
	return keep
}

// formats is the negotiated mapping between payload types and codecs of one
// send section. It is immutable.
type formats struct {
	codec map[Codec]uint8
	name  map[media.Codec]uint8
	rtx   map[uint8]uint8
}

func newFormats(params []webrtc.RTPCodecParameters) *formats {
	f := &formats{codec: map[Codec]uint8{}, name: map[media.Codec]uint8{}, rtx: map[uint8]uint8{}}
	for _, p := range params {
		pt := uint8(p.PayloadType)
		if strings.EqualFold(p.MimeType, webrtc.MimeTypeRTX) {
			var apt uint8
			if _, err := fmt.Sscanf(p.SDPFmtpLine, "apt=%d", &apt); err == nil {
				f.rtx[apt] = pt
			}
			continue
		}
		c, ok := codecOf(p.RTPCodecCapability)
		if !ok {
			continue
		}
		if _, dup := f.codec[c]; !dup {
			f.codec[c] = pt
		}
		if _, dup := f.name[c.Codec]; !dup {
			f.name[c.Codec] = pt
		}
	}
	return f
}

// payloadType finds the payload type for the codec: the exact format if it was
// negotiated, otherwise the first of the same name.
func (f *formats) payloadType(c Codec) (uint8, bool) {
	if pt, ok := f.codec[c]; ok {
		return pt, true
	}
	pt, ok := f.name[c.Codec]
	return pt, ok
}

func codecOf(c webrtc.RTPCodecCapability) (Codec, bool) {
	name, ok := media.ParseCodec(c.MimeType)
	return Codec{name, c.SDPFmtpLine}, ok
}

// CodecKind turns a media kind into pion's.
func codecType(k media.Kind) webrtc.RTPCodecType {
	if k == media.Video {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

func kindOf(t webrtc.RTPCodecType) media.Kind {
	if t == webrtc.RTPCodecTypeVideo {
		return media.Video
	}
	return media.Audio
}
