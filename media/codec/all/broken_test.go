//go:build cgo && codecs

package all_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
)

// clip returns encoded pictures, the first and the one in the middle key frames.
func (m maker) clip(t testing.TB, width, height, count int) []media.Sample {
	enc, scene := m.newEncoder(t, codec.VideoOptions{Bitrate: 500_000}), codectest.NewScene(width, height)
	var in media.VideoFrame
	var clip []media.Sample
	for n := range count {
		scene.Draw(&in, n)
		in.Timestamp = codectest.Time(n, 30)
		s, err := enc.Encode(&in, n == count/2)
		require.NoError(t, err)
		s.Data = append([]byte(nil), s.Data...)
		clip = append(clip, s)
	}
	return clip
}

func TestDecoderWaitsForAKeyframe(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		clip, dec := m.clip(t, 160, 120, 10), m.newDecoder(t)
		var f media.VideoFrame
		for n, s := range clip[1:] {
			ok, err := dec.Decode(s, &f)
			require.NoError(t, err)
			require.Equal(t, n+1 >= 5, ok, "picture %d", n+1)
		}
	})
}

func TestDecoderTellsWhatWasLost(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		clip, dec := m.clip(t, 160, 120, 10), m.newDecoder(t)
		var f media.VideoFrame
		decode := func(n, lost int) (bool, error) {
			s := clip[n]
			s.Lost = lost
			return dec.Decode(s, &f)
		}
		ok, err := decode(0, 3)
		require.NoError(t, err)
		require.True(t, ok)
		_, err = decode(2, 1)
		require.ErrorIs(t, err, codec.ErrLost)
		for _, n := range []int{3, 4} {
			ok, err = decode(n, 0)
			require.NoError(t, err)
			require.False(t, ok)
		}
		ok, err = decode(5, 2)
		require.NoError(t, err)
		require.True(t, ok)
		ok, err = dec.Decode(media.Sample{}, &f)
		require.NoError(t, err)
		require.False(t, ok)
	})
}

// Whatever comes, a decoder returns an error or a picture, and the next key
// frame is decoded as ever.
func TestBrokenBitstreams(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		clip, dec := m.clip(t, 160, 120, 10), m.newDecoder(t)
		r := rand.New(rand.NewPCG(7, 7))
		var want, f media.VideoFrame
		ok, err := dec.Decode(clip[0], &want)
		require.NoError(t, err)
		require.True(t, ok)
		broken := 0
		try := func(data []byte) {
			_, err := dec.Decode(media.Sample{Codec: m.codec, Data: data}, &f)
			if err != nil {
				require.True(t, errors.Is(err, codec.ErrBitstream), "%v", err)
				broken++
			}
			ok, err := dec.Decode(clip[0], &f)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, want.Planes, f.Planes)
		}
		for _, s := range []media.Sample{clip[0], clip[1]} {
			for range 60 {
				try(s.Data[:r.IntN(len(s.Data))])
				flipped := append([]byte(nil), s.Data...)
				for range 1 + r.IntN(4) {
					flipped[r.IntN(len(flipped))] ^= 1 << r.IntN(8)
				}
				try(flipped)
				noise := make([]byte, 1+r.IntN(300))
				for i := range noise {
					noise[i] = byte(r.Uint32())
				}
				try(append(append([]byte(nil), s.Data[:min(len(s.Data), r.IntN(40))]...), noise...))
			}
		}
		t.Logf("%d of 360 were refused", broken)
		require.Greater(t, broken, 60)
	})
}

// A few bytes that claim a picture of hundreds of megabytes.
func TestHugePicturesAreRefused(t *testing.T) {
	var f media.VideoFrame
	for name, data := range map[string][]byte{
		"vp8": {0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0, 0, 0},
		"vp9": {0x82, 0x49, 0x83, 0x42, 0x01, 0xff, 0xf1, 0xff, 0xf0, 0, 0, 0, 0},
		"openh264": append(append([]byte{0, 0, 0, 1, 0x67, 66, 0xc0, 52}, // baseline, level 5.2
			bits("1 1 011 010 0 00000000111110100 00000000111110100 1 1 0 0 1")...), // 500 macroblocks each way
			0, 0, 1, 0x65, 0x88),
	} {
		dec := makers()[name].newDecoder(t)
		_, err := dec.Decode(media.Sample{Data: data}, &f)
		require.ErrorIs(t, err, codec.ErrBitstream, name)
		require.ErrorContains(t, err, "a picture of ", name)
	}
}

func bits(text string) []byte {
	text = strings.ReplaceAll(text, " ", "")
	out := make([]byte, (len(text)+7)/8)
	for i, c := range text {
		out[i/8] |= byte(c-'0') << (7 - i%8)
	}
	return out
}
