//go:build !cgo || !codecs

package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/codec/x264"
)

func TestWhatIsNotInTheBuildSaysHowToGetIt(t *testing.T) {
	for c, pkg := range map[media.Codec]string{media.VP8: "libvpx-dev", media.VP9: "libvpx-dev", media.H264: "libopenh264-dev"} {
		_, err := all.NewVideoEncoder(c, codec.VideoOptions{})
		require.ErrorIs(t, err, codec.ErrUnavailable)
		require.ErrorContains(t, err, "it takes cgo, the build tag codecs and "+pkg)
		_, err = all.NewVideoDecoder(c)
		require.ErrorIs(t, err, codec.ErrUnavailable)
		require.ErrorContains(t, err, pkg)
	}
	_, err := all.NewAudioEncoder(media.Opus, codec.AudioOptions{})
	require.ErrorIs(t, err, codec.ErrUnavailable)
	require.ErrorContains(t, err, "libopus-dev")
	require.False(t, x264.Available)
	_, err = x264.NewEncoder(codec.VideoOptions{})
	require.ErrorIs(t, err, codec.ErrUnavailable)
	require.ErrorContains(t, err, "the build tags codecs and x264, and libx264-dev")
}
