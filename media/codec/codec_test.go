package codec_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/codec"
)

func TestVideoDefaults(t *testing.T) {
	o, err := codec.VideoOptions{}.WithDefaults()
	require.NoError(t, err)
	require.Equal(t, codec.VideoOptions{FrameRate: 30, Bitrate: 1_000_000}, o)
	o, err = codec.VideoOptions{Width: 640, Height: 360}.WithDefaults()
	require.NoError(t, err)
	require.Equal(t, 691_200, o.Bitrate)
	o, err = codec.VideoOptions{Width: 16, Height: 16, FrameRate: 1}.WithDefaults()
	require.NoError(t, err)
	require.Equal(t, codec.MinBitrate, o.Bitrate)
}

func TestVideoOptionsOutOfRange(t *testing.T) {
	for option, o := range map[string]codec.VideoOptions{
		"Width":            {Width: 8, Height: 360},
		"Height":           {Width: 640},
		"FrameRate":        {FrameRate: math.NaN()},
		"Bitrate":          {Bitrate: 1000},
		"KeyframeInterval": {KeyframeInterval: time.Millisecond},
		"Threads":          {Threads: 5},
		"Speed":            {Speed: -1},
	} {
		_, err := o.WithDefaults()
		var wrong *codec.OptionError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, option, wrong.Option)
		require.Contains(t, err.Error(), "option "+option+" is ")
		require.Contains(t, err.Error(), ", want ")
	}
}

func TestAudioDefaults(t *testing.T) {
	o, err := codec.AudioOptions{FEC: true}.WithDefaults()
	require.NoError(t, err)
	require.Equal(t, codec.AudioOptions{Rate: 48000, Channels: 1, Frame: 20 * time.Millisecond, Bitrate: 32000, FEC: true, Loss: 0.1}, o)
}

func TestAudioOptionsOutOfRange(t *testing.T) {
	for option, o := range map[string]codec.AudioOptions{
		"Rate":     {Rate: 44100},
		"Channels": {Channels: 3},
		"Frame":    {Frame: 30 * time.Millisecond},
		"Bitrate":  {Bitrate: 600_000},
		"Loss":     {Loss: 1.5},
	} {
		_, err := o.WithDefaults()
		var wrong *codec.OptionError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, option, wrong.Option)
	}
}
