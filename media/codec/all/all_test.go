package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/all"
)

func TestUnknownCodecsNameThoseThatThereAre(t *testing.T) {
	_, err := all.NewVideoEncoder(media.AV1, codec.VideoOptions{})
	require.ErrorIs(t, err, codec.ErrUnsupported)
	require.EqualError(t, err, `codec: no video encoder of "AV1": not supported: there are [VP8 H264 VP9]`)
	_, err = all.NewVideoDecoder(media.Opus)
	require.ErrorIs(t, err, codec.ErrUnsupported)
	_, err = all.NewAudioEncoder(media.VP8, codec.AudioOptions{})
	require.ErrorIs(t, err, codec.ErrUnsupported)
	_, err = all.NewAudioDecoder("speex", 0, 0)
	require.ErrorIs(t, err, codec.ErrUnsupported)
	require.ErrorContains(t, err, "there are [opus PCMU PCMA]")
}

func TestSoundCanBeDecodedInEveryBuild(t *testing.T) {
	for c, rate := range map[media.Codec]int{media.Opus: 48000, media.PCMU: 8000, media.PCMA: 8000} {
		dec, err := all.NewAudioDecoder(c, 0, 0)
		require.NoError(t, err)
		require.Equal(t, c, dec.Codec())
		var f media.AudioFrame
		require.NoError(t, dec.Conceal(media.Sample{}, 0, &f))
		require.Equal(t, rate, f.Rate)
		require.NoError(t, dec.Close())
		require.NoError(t, dec.Close())
		require.ErrorIs(t, dec.Decode(media.Sample{Data: []byte{0, 1}}, &f), media.ErrClosed)
		require.ErrorIs(t, dec.Conceal(media.Sample{}, 0, &f), media.ErrClosed)

		_, err = all.NewAudioDecoder(c, 44100, 1)
		var wrong *codec.OptionError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, "Rate", wrong.Option)
		_, err = all.NewAudioDecoder(c, rate, 3)
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, "Channels", wrong.Option)
	}
}
