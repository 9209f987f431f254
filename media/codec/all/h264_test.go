//go:build cgo && codecs

package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/x264"
)

// The SDP says 42e01f: constrained baseline, level 3.1. The parameter sets say
// so too, at every speed, and come with each key frame.
func TestH264IsWhatTheSDPSays(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		if m.codec != media.H264 {
			require.NotEqual(t, media.H264, m.codec)
			return
		}
		scene := codectest.NewScene(1280, 720)
		var in media.VideoFrame
		for _, speed := range []int{0, 1, 4, 6, 7, 8, 16} {
			enc := m.newEncoder(t, codec.VideoOptions{Speed: speed, Bitrate: 2_000_000, Threads: 2})
			for n := range 6 {
				scene.Draw(&in, n)
				in.Timestamp = codectest.Time(n, 30)
				s, err := enc.Encode(&in, n == 3)
				require.NoError(t, err)
				require.Equal(t, []byte{0, 0, 0, 1}, s.Data[:4])
				var types []int
				for nal := range bitstream.NALs(s.Data) {
					types = append(types, bitstream.H264Type(nal))
					if bitstream.H264Type(nal) == bitstream.H264SPS {
						sps, err := bitstream.ParseH264SPS(nal)
						require.NoError(t, err)
						require.Equal(t, 66, sps.Profile)
						require.NotZero(t, sps.Constraints&0x40, "not constrained")
						require.LessOrEqual(t, sps.Level, 31)
						require.Equal(t, []int{1280, 720}, []int{sps.Width, sps.Height})
					}
				}
				if n != 0 && n != 3 {
					require.NotContains(t, types, bitstream.H264IDR)
					continue
				}
				require.True(t, s.Keyframe)
				require.Equal(t, []int{bitstream.H264SPS, bitstream.H264PPS}, types[:2])
				require.Contains(t, types, bitstream.H264IDR)
			}
			require.NoError(t, enc.Close())
		}
	})
}

// Both encoders of H.264 are in one program when it is built so, and the tag
// decides which one is taken.
func TestBothEncodersLiveInOneProgram(t *testing.T) {
	enc, err := all.NewVideoEncoder(media.H264, codec.VideoOptions{})
	require.NoError(t, err)
	dec, err := all.NewVideoDecoder(media.H264)
	require.NoError(t, err)
	var in, out media.VideoFrame
	scene := codectest.NewScene(320, 240)
	both := []media.VideoEncoder{enc, makers()["openh264"].newEncoder(t, codec.VideoOptions{})}
	for n := range 10 {
		scene.Draw(&in, n)
		in.Timestamp = codectest.Time(n, 30)
		for i, enc := range both {
			s, err := enc.Encode(&in, true) // one decoder sees both streams
			require.NoError(t, err)
			if n == 0 && i == 0 {
				require.Equal(t, x264.Available, namesX264(s.Data))
			}
			ok, err := dec.Decode(s, &out)
			require.NoError(t, err)
			require.True(t, ok)
			require.Greater(t, codectest.PSNR(&in, &out), 25.0)
		}
	}
	require.NoError(t, enc.Close())
	require.NoError(t, dec.Close())
}

// namesX264 looks for the note that x264 leaves in its first picture.
func namesX264(data []byte) bool {
	for nal := range bitstream.NALs(data) {
		if bitstream.H264Type(nal) == bitstream.H264SEI {
			return true
		}
	}
	return false
}
