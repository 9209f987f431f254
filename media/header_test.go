package media_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func TestHeadersOfEachCodec(t *testing.T) {
	sps264 := []byte{0, 0, 1, 0x67, 0x42, 0xc0, 0x28, 0xda, 0x01, 0xe0, 0x08, 0x9f, 0x97, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x2a}
	sps265 := []byte{0, 0, 1, 0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78, 0xa0, 0x03, 0xc0, 0x80, 0x11, 0x07, 0xcb, 0x96, 0x56, 0x54, 0xa4, 0xc2, 0xf0, 0x16, 0x80, 0x80}
	for name, tc := range map[string]struct {
		codec         media.Codec
		data          []byte
		key           bool
		width, height int
	}{
		"vp8":           {media.VP8, vp8Key, true, 640, 360},
		"vp8 delta":     {media.VP8, vp8Delta, false, 0, 0},
		"vp9":           {media.VP9, []byte{0x82, 0x49, 0x83, 0x42, 0x00, 0x77, 0xf0, 0x43, 0x76}, true, 1920, 1080},
		"h264":          {media.H264, append(sps264[:len(sps264):len(sps264)], 0, 0, 1, 0x65, 0x88), true, 1920, 1080},
		"h264 no slice": {media.H264, sps264, false, 1920, 1080},
		"h265":          {media.H265, append(sps265[:len(sps265):len(sps265)], 0, 0, 1, 0x26, 0x01, 0x80), true, 1920, 1080},
		"av1":           {media.AV1, []byte{0x0a, 11, 0x00, 0x00, 0x00, 0x42, 0xab, 0xbf, 0xc3, 0x73, 0xef, 0xe4, 0x01, 0x32, 1, 0x10}, true, 1920, 1080},
		"broken":        {media.AV1, []byte{0x0a, 11}, false, 0, 0},
		"audio":         {media.Opus, []byte{0x08}, true, 0, 0},
		"unknown":       {"theora", []byte{0x08}, false, 0, 0},
	} {
		require.Equal(t, tc.key, media.IsKeyframe(tc.codec, tc.data), name)
		width, height, ok := media.Dimensions(tc.codec, tc.data)
		require.Equal(t, tc.width != 0, ok, name)
		require.Equal(t, []int{tc.width, tc.height}, []int{width, height}, name)
		s := media.Sample{Codec: tc.codec, Data: tc.data}
		s.Describe()
		require.Equal(t, []any{tc.key, tc.width, tc.height}, []any{s.Keyframe, s.Width, s.Height}, name)
	}
}

func TestAudioDuration(t *testing.T) {
	for _, tc := range []struct {
		codec media.Codec
		data  []byte
		want  time.Duration
	}{
		{media.Opus, []byte{0x08, 1, 2}, 20 * time.Millisecond},
		{media.Opus, nil, 0},
		{media.PCMU, make([]byte, 160), 20 * time.Millisecond},
		{media.PCMA, make([]byte, 1), 125 * time.Microsecond},
		{media.VP8, vp8Key, 0},
	} {
		require.Equal(t, tc.want, media.AudioDuration(tc.codec, tc.data), "%s, %d bytes", tc.codec, len(tc.data))
	}
}

func TestDescribeKeepsWhatIsSet(t *testing.T) {
	s := media.Sample{Codec: media.Opus, Data: []byte{0x08}, Duration: time.Second}
	s.Describe()
	require.Equal(t, time.Second, s.Duration)
	s = media.Sample{Codec: media.VP8, Data: vp8Delta, Keyframe: true, Width: 3, Height: 4}
	s.Describe()
	require.Equal(t, media.Sample{Codec: media.VP8, Data: vp8Delta, Keyframe: true, Width: 3, Height: 4}, s)
}
