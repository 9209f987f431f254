package speaker

import (
	"errors"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
)

func TestChoose(t *testing.T) {
	devices := []Device{
		{ID: "default", Label: "Default", Default: true},
		{ID: "hw:0,0", Label: "Loopback, Loopback PCM"},
		{ID: "hw:0,1", Label: "Loopback, Loopback PCM 2"},
		{ID: "hw:1,0", Label: "USB Audio, Headset"},
	}
	for name, want := range map[string]string{
		"": "", "default": "", "hw:0,1": "hw:0,1", "Loopback, Loopback PCM": "hw:0,0", "headset": "hw:1,0", "PCM 2": "hw:0,1",
	} {
		d, err := choose(devices, name)
		require.NoError(t, err, name)
		if want == "" {
			require.Nil(t, d, name)
			continue
		}
		require.Equal(t, want, d.ID, name)
	}
	for name, says := range map[string]string{"hw:7,0": "hw:1,0", "Loopback": "may be", "xyz": "USB Audio"} {
		_, err := choose(devices, name)
		require.ErrorIs(t, err, ErrNotFound)
		require.ErrorContains(t, err, says)
	}
	_, err := choose(nil, "x")
	require.ErrorContains(t, err, "there is none")
}

func TestOptions(t *testing.T) {
	for _, b := range []time.Duration{-1, 9 * time.Millisecond, 2 * time.Second} {
		_, err := Open(&Options{Buffer: b})
		require.ErrorIs(t, err, play.ErrOption, b)
	}
	_, err := Open(&Options{Device: "hw:0,0\x00"})
	require.ErrorIs(t, err, play.ErrOption)
}

// No machine of this test has such a device, and none gives anything but a
// clear error, whatever it was built with.
func TestNoDevice(t *testing.T) {
	for _, name := range []string{"hw:31,31", "nobody has this"} {
		_, err := Open(&Options{Device: name})
		require.Error(t, err)
		require.True(t, errors.Is(err, ErrNotFound) || errors.Is(err, ErrBusy) || errors.Is(err, codec.ErrUnavailable), "%v", err)
	}
}
