//go:build cgo && codecs

package all_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/openh264"
	"github.com/parley-rtc/parley/media/codec/vpx"
	"github.com/parley-rtc/parley/media/codec/x264"
)

// A maker is one library's encoder with the decoder of its encoding.
type maker struct {
	encoder func(codec.VideoOptions) (media.VideoEncoder, error)
	decoder func() (media.VideoDecoder, error)
	codec   media.Codec
}

func makers() map[string]maker {
	all := map[string]maker{
		"vp8":      {vpx.NewEncoder, vpx.NewDecoder, media.VP8},
		"vp9":      {vpx.NewVP9Encoder, vpx.NewVP9Decoder, media.VP9},
		"openh264": {openh264.NewEncoder, openh264.NewDecoder, media.H264},
	}
	if x264.Available {
		all["x264"] = maker{x264.NewEncoder, openh264.NewDecoder, media.H264}
	}
	return all
}

func eachVideo(t *testing.T, test func(t *testing.T, m maker)) {
	for name, m := range makers() {
		t.Run(name, func(t *testing.T) { test(t, m) })
	}
}

func (m maker) newEncoder(t testing.TB, o codec.VideoOptions) media.VideoEncoder {
	enc, err := m.encoder(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, enc.Close()) })
	require.Equal(t, m.codec, enc.Codec())
	return enc
}

func (m maker) newDecoder(t testing.TB) media.VideoDecoder {
	dec, err := m.decoder()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dec.Close()) })
	require.Equal(t, m.codec, dec.Codec())
	return dec
}

func TestPictureSurvives(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		enc, dec := m.newEncoder(t, codec.VideoOptions{Bitrate: 1_000_000}), m.newDecoder(t)
		scene := codectest.NewScene(640, 360)
		captured := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		var in, out media.VideoFrame
		sum, worst := 0.0, 99.0
		const count = 150
		for n := range count {
			scene.Draw(&in, n)
			in.Timestamp, in.Captured = codectest.Time(n, 30), captured.Add(codectest.Time(n, 30))
			s, err := enc.Encode(&in, false)
			require.NoError(t, err)
			require.NotEmpty(t, s.Data)
			require.Equal(t, in.Timestamp, s.Timestamp)
			require.Equal(t, in.Captured, s.Captured)
			require.Equal(t, n == 0, s.Keyframe, "picture %d", n)
			if n == 0 {
				require.Equal(t, []int{640, 360}, []int{s.Width, s.Height})
			}
			ok, err := dec.Decode(s, &out)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, in.Timestamp, out.Timestamp)
			require.Equal(t, in.Captured, out.Captured)
			psnr := codectest.PSNR(&in, &out)
			if psnr < 32 {
				t.Logf("%d: %.1f dB, %d bytes", n, psnr, len(s.Data))
			}
			sum, worst = sum+psnr, min(worst, psnr)
		}
		t.Logf("PSNR mean %.1f, worst %.1f dB", sum/count, worst)
		require.Greater(t, sum/count, 32.0)
		require.Greater(t, worst, 30.0)
	})
}

func TestBitrateIsHeld(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		scene := codectest.NewScene(640, 360)
		for _, fps := range []float64{15, 25, 30} {
			t.Run(fmt.Sprint(fps), func(t *testing.T) {
				t.Parallel()
				enc := m.newEncoder(t, codec.VideoOptions{Bitrate: 1_500_000})
				got := rate(t, enc, scene, 0, 10, fps)
				t.Logf("%.0f bit/s of 1500000", got)
				require.InEpsilon(t, 1_500_000, got, 0.15)
				enc.SetBitrate(400_000)
				adapting := rate(t, enc, scene, 10, 2, fps)
				got = rate(t, enc, scene, 12, 6, fps)
				t.Logf("%.0f bit/s of 400000, at first %.0f", got, adapting)
				require.InEpsilon(t, 400_000, got, 0.15)
				require.Less(t, adapting, 600_000.0)
				enc.SetBitrate(1_000_000)
				rate(t, enc, scene, 18, 2, fps)
				got = rate(t, enc, scene, 20, 6, fps)
				t.Logf("%.0f bit/s of 1000000", got)
				require.InEpsilon(t, 1_000_000, got, 0.15)
			})
		}
	})
}

// rate encodes seconds of pictures from a time on and returns the bitrate.
func rate(t *testing.T, enc media.VideoEncoder, scene *codectest.Scene, from, seconds int, fps float64) float64 {
	var in media.VideoFrame
	size := 0
	for n := from * int(fps); n < (from+seconds)*int(fps); n++ {
		scene.Draw(&in, n)
		in.Timestamp = codectest.Time(n, fps)
		s, err := enc.Encode(&in, false)
		require.NoError(t, err)
		size += len(s.Data)
	}
	return float64(size*8) / float64(seconds)
}
