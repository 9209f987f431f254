package pipe_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

const ffmpegSDP = `SDP:
v=0
o=- 0 0 IN IP4 127.0.0.1
s=No Name
c=IN IP4 127.0.0.1
t=0 0
a=tool:libavformat 59.27.100
m=video 5004 RTP/AVP 96
b=AS:200
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LAC9oPCmhAAAADAEAAAAMCg8UKqA==,aM4PyA==; profile-level-id=42C00B
m=audio 5006 RTP/AVP 97
a=rtpmap:97 opus/48000/2
a=fmtp:97 sprop-stereo=0
`

func TestSDP(t *testing.T) {
	set := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	streams, err := pipe.ParseSDP([]byte(ffmpegSDP))
	require.NoError(t, err)
	require.Equal(t, []pipe.RTPStream{
		{
			Addr: "127.0.0.1:5004", Codec: media.H264, PayloadType: 96,
			ParameterSets: [][]byte{set("Z0LAC9oPCmhAAAADAEAAAAMCg8UKqA=="), set("aM4PyA==")},
		},
		{Addr: "127.0.0.1:5006", Codec: media.Opus, PayloadType: 97},
	}, streams)

	for name, c := range map[string]struct {
		media string
		want  pipe.RTPStream
	}{
		"static":     {"m=audio 4000 RTP/AVP 8\n", pipe.RTPStream{Addr: "127.0.0.1:4000", Codec: media.PCMA, PayloadType: 8}},
		"pcmu":       {"m=audio 4000 RTP/AVP 0\n", pipe.RTPStream{Addr: "127.0.0.1:4000", Codec: media.PCMU}},
		"multicast":  {"m=video 4000 RTP/AVPF 100\nc=IN IP4 239.1.2.3/16\na=rtpmap:100 VP8/90000\n", pipe.RTPStream{Addr: "127.0.0.1:4000", Codec: media.VP8, PayloadType: 100}},
		"ipv6":       {"m=video 4000 RTP/AVP 100\nc=IN IP6 ::1\na=rtpmap:100 vp9/90000\n", pipe.RTPStream{Addr: "[::1]:4000", Codec: media.VP9, PayloadType: 100}},
		"second one": {"m=video 4000 RTP/AVP 96 97\na=rtpmap:96 MP4V-ES/90000\na=rtpmap:97 H265/90000\na=fmtp:97 sprop-vps=QAE=;sprop-sps=QgEB;sprop-pps=x\n", pipe.RTPStream{Addr: "127.0.0.1:4000", Codec: media.H265, PayloadType: 97, ParameterSets: [][]byte{{0x42, 1, 1}}}},
	} {
		streams, err := pipe.ParseSDP([]byte("v=0\no=- 0 0 IN IP4 0.0.0.0\ns=-\nt=0 0\n" + c.media))
		require.NoError(t, err, name)
		require.Equal(t, []pipe.RTPStream{c.want}, streams, name)
	}
}

func TestSDPWithoutUse(t *testing.T) {
	head := "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nt=0 0\n"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":          {"", pipe.ErrUnsupported},
		"garbage":        {"hello\nworld", pipe.ErrMalformed},
		"no media":       {head, pipe.ErrUnsupported},
		"aac":            {head + "m=audio 4000 RTP/AVP 96\na=rtpmap:96 MPEG4-GENERIC/44100/2\n", pipe.ErrUnsupported},
		"srtp":           {head + "m=video 4000 RTP/SAVP 96\na=rtpmap:96 VP8/90000\n", pipe.ErrUnsupported},
		"wrong section":  {head + "m=audio 4000 RTP/AVP 96\na=rtpmap:96 VP8/90000\n", pipe.ErrUnsupported},
		"wide-band pcmu": {head + "m=audio 4000 RTP/AVP 96\na=rtpmap:96 PCMU/16000\n", pipe.ErrUnsupported},
		"too long":       {head + string(make([]byte, 70_000)), pipe.ErrMalformed},
	} {
		_, err := pipe.ParseSDP([]byte(c.text))
		require.ErrorIs(t, err, c.want, name)
	}
}

func FuzzSDP(f *testing.F) {
	f.Add([]byte(ffmpegSDP))
	f.Fuzz(func(t *testing.T, text []byte) {
		streams, err := pipe.ParseSDP(text)
		if (err == nil) == (len(streams) == 0) {
			t.Fatalf("%d streams, %v", len(streams), err)
		}
		for _, s := range streams {
			if s.Codec.Kind() == "" || s.PayloadType < 0 || s.PayloadType > 127 || s.Addr == "" {
				t.Fatalf("%+v", s)
			}
		}
	})
}
