package packet_test

import (
	"slices"
	"testing"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

func TestPacketsOfClipsTellKeyframesAndDimensions(t *testing.T) {
	for _, codec := range videoCodecs {
		for _, mtu := range []int{0, 300} {
			for suffix, size := range map[string][2]int{"": {318, 238}, "-small": {162, 122}} {
				for i, s := range clip(t, codec, suffix) {
					key := media.IsKeyframe(codec, s.Data)
					begin, sized := 0, 0
					for j, pl := range packetize(t, codec, mtu, s.Data) {
						if packet.Keyframe(codec, pl) {
							begin++
							if codec == media.VP8 || codec == media.VP9 || codec == media.AV1 {
								require.Zero(t, j, "%s frame %d begins with its first packet", codec, i)
							}
						}
						if w, h, ok := packet.Dimensions(codec, pl); ok {
							sized++
							require.Equal(t, size, [2]int{w, h}, "%s frame %d", codec, i)
						}
					}
					require.Equal(t, key, begin > 0, "%s frame %d", codec, i)
					require.Equal(t, key, sized > 0, "%s frame %d", codec, i)
				}
			}
		}
	}
}

func TestAudioPacketsAllBegin(t *testing.T) {
	require.True(t, packet.Keyframe(media.Opus, []byte{1}))
	require.False(t, packet.Keyframe(media.Opus, nil), "padding")
	_, _, ok := packet.Dimensions(media.Opus, []byte{1})
	require.False(t, ok)
	require.False(t, packet.Keyframe("theora", []byte{1}))
}

func TestKeyframePayloads(t *testing.T) {
	vp9Key := []byte{0x82, 0x49, 0x83, 0x42, 0x00, 0x77, 0xf0, 0x43, 0x76}
	for name, tc := range map[string]struct {
		codec   media.Codec
		payload []byte
		want    bool
	}{
		"vp8 second partition":        {media.VP8, []byte{0x11, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0}, false},
		"vp8 with all fields":         {media.VP8, []byte{0x90, 0xf0, 0x81, 2, 3, 4, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 1, 0, 1, 0}, true},
		"vp9":                         {media.VP9, slices.Concat([]byte{0x08}, vp9Key), true},
		"vp9 in the middle":           {media.VP9, slices.Concat([]byte{0x00}, vp9Key), false},
		"vp9 upper layer":             {media.VP9, slices.Concat([]byte{0x28, 0x02, 0}, vp9Key), false},
		"vp9 with references":         {media.VP9, slices.Concat([]byte{0x58, 3, 5, 6}, vp9Key), true},
		"h264 idr":                    {media.H264, []byte{0x65, 0x88}, true},
		"h264 idr, second slice":      {media.H264, []byte{0x65, 0x40}, false},
		"h264 idr in fragments":       {media.H264, []byte{0x7c, 0x85, 0x88}, true},
		"h264 idr, second fragment":   {media.H264, []byte{0x7c, 0x05, 0x88}, false},
		"h264 broken parameter set":   {media.H264, []byte{0x67, 0x42}, false},
		"h264 slice":                  {media.H264, []byte{0x41, 0x9a}, false},
		"h264 aggregate with idr":     {media.H264, []byte{0x78, 0, 2, 0x06, 5, 0, 2, 0x65, 0x88}, true},
		"h264 broken aggregate":       {media.H264, []byte{0x78, 0, 9, 0x65, 0x88}, false},
		"h265 idr":                    {media.H265, []byte{0x26, 1, 0x80}, true},
		"h265 idr, second slice":      {media.H265, []byte{0x26, 1, 0x40}, false},
		"h265 idr in fragments":       {media.H265, []byte{0x62, 1, 0x93, 0x80}, true},
		"h265 idr, second fragment":   {media.H265, []byte{0x62, 1, 0x13, 0x80}, false},
		"h265 video parameter set":    {media.H265, []byte{0x40, 1, 0x0c}, true},
		"h265 aggregate":              {media.H265, []byte{0x60, 1, 0, 3, 0x40, 1, 0x0c}, true},
		"av1 new sequence":            {media.AV1, []byte{0x18, 0x30, 1}, true},
		"av1 sequence header, no bit": {media.AV1, []byte{0x10, 0x08, 0x00, 0x00, 0x00, 0x04, 0x3d, 0x06, 0xd4, 0xda, 0xf9, 0x00, 0x40}, true},
		"av1 frame":                   {media.AV1, []byte{0x10, 0x30, 0x10}, false},
		"av1 rest of an obu":          {media.AV1, []byte{0x90, 0x08, 0x00}, false},
	} {
		require.Equal(t, tc.want, packet.Keyframe(tc.codec, tc.payload), name)
		for n := range tc.payload { // cut anywhere
			packet.Keyframe(tc.codec, tc.payload[:n])
			packet.Dimensions(tc.codec, tc.payload[:n])
		}
	}
}

// TestVP9SpatialLayers assembles a picture of two layers as a browser sends it.
func TestVP9SpatialLayers(t *testing.T) {
	key := []byte{0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x36} // 320 by 180
	structure := []byte{
		1<<5 | 0x18, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, // 320x180 and 640x360, with a group
		2, 0x14, 1, 0x04, 1, // two pictures with one reference each
	}
	payloads := [][]byte{
		slices.Concat([]byte{0x80 | 0x20 | 0x08 | 0x02, 0x81, 0x02, 0x00, 0x07}, structure, key), // layer 0 begins
		{0x80 | 0x20 | 0x04, 0x81, 0x02, 0x00, 0x07, 0xaa},                                       // and ends
		{0x80 | 0x20 | 0x08, 0x81, 0x02, 0x03, 0x07, 0xbb},                                       // layer 1, two packets
		{0x80 | 0x20 | 0x04, 0x81, 0x02, 0x03, 0x07, 0xcc},
	}
	var pkts []*rtp.Packet
	for i, pl := range payloads {
		pkts = append(pkts, &rtp.Packet{
			Header: rtp.Header{SequenceNumber: uint16(i), Timestamp: 5, Marker: i == 3}, Payload: pl,
		})
	}
	require.True(t, packet.Keyframe(media.VP9, payloads[0]))
	require.False(t, packet.Keyframe(media.VP9, payloads[2]))
	w, h, ok := packet.Dimensions(media.VP9, payloads[0])
	require.Equal(t, []any{640, 360, true}, []any{w, h, ok})

	got := receive(media.VP9, pkts)
	require.Len(t, got, 1)
	require.Equal(t, slices.Concat(key, []byte{0xaa, 0xbb, 0xcc}), got[0].Data)
	require.True(t, got[0].Keyframe)
	require.Equal(t, []int{640, 360}, []int{got[0].Width, got[0].Height})

	// Without the end of the lower layer it is not whole.
	cut := slices.Delete(slices.Clone(pkts), 1, 2)
	cut[1].SequenceNumber, cut[2].SequenceNumber = 1, 2
	require.Empty(t, receive(media.VP9, cut))
}

func TestInspectingDoesNotAllocate(t *testing.T) {
	for _, codec := range videoCodecs {
		var payloads [][]byte
		for _, s := range clip(t, codec, "")[:4] {
			payloads = append(payloads, packetize(t, codec, 300, s.Data)...)
		}
		allocs := testing.AllocsPerRun(10, func() {
			for _, pl := range payloads {
				packet.Keyframe(codec, pl)
			}
		})
		require.Zero(t, allocs, codec)
	}
}
