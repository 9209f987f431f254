//go:build cgo && codecs

package vpx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/vpx"
)

func FuzzDecodeVP8(f *testing.F) {
	codectest.FuzzVideo(f, vpx.NewEncoder, vpx.NewDecoder)
}

func FuzzDecodeVP9(f *testing.F) {
	codectest.FuzzVideo(f, vpx.NewVP9Encoder, vpx.NewVP9Decoder)
}

// Two frames in one sample, as encoders with hidden references make them.
func TestVP9Superframe(t *testing.T) {
	clip := codectest.Clip(t, vpx.NewVP9Encoder, 3)
	super := append([]byte(nil), clip[0].Data...)
	super = append(super, clip[1].Data...)
	a, b := len(clip[0].Data), len(clip[1].Data)
	super = append(super, 0xc9, byte(a), byte(a>>8), byte(b), byte(b>>8), 0xc9)

	plain, err := vpx.NewVP9Decoder()
	require.NoError(t, err)
	joined, err := vpx.NewVP9Decoder()
	require.NoError(t, err)
	var want, got media.VideoFrame
	for _, s := range clip[:2] {
		ok, err := plain.Decode(s, &want)
		require.NoError(t, err)
		require.True(t, ok)
	}
	ok, err := joined.Decode(media.Sample{Data: super}, &got)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, want.Planes, got.Planes)

	// The size of a hidden frame is looked at too.
	huge := []byte{0x82, 0x49, 0x83, 0x42, 0x01, 0xff, 0xf1, 0xff, 0xf0, 0, 0, 0, 0}
	super = append(append([]byte(nil), clip[0].Data...), huge...)
	super = append(super, 0xc9, byte(a), byte(a>>8), byte(len(huge)), 0, 0xc9)
	_, err = joined.Decode(media.Sample{Data: super}, &got)
	require.ErrorIs(t, err, codec.ErrBitstream)
	require.ErrorContains(t, err, "a picture of 8192x8192")
	require.NoError(t, plain.Close())
	require.NoError(t, joined.Close())
}
