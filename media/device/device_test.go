package device

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/stretchr/testify/require"
)

func TestDevicesAreFoundByName(t *testing.T) {
	all := []Device{
		{ID: "usb-046d_C920-video-index0", Label: "HD Pro Webcam C920", Default: true, alias: []string{"/dev/video0"}},
		{ID: "usb-1-2/0", Label: "Front camera"},
		{ID: "usb-1-3/0", Label: "Rear camera"},
		{ID: "usb-1-4/0", Label: "Twin"},
		{ID: "usb-1-5/0", Label: "Twin"},
	}
	for name, want := range map[string]int{
		"": 0, Default: 0, "usb-046d_C920-video-index0": 0, "/dev/video0": 0, "c920": 0, "hd pro webcam c920": 0,
		"front": 1, "Front camera": 1, "usb-1-3/0": 2, "REAR": 2, "1-5": 4,
	} {
		d, err := find(all, media.Video, name)
		require.NoError(t, err, name)
		require.Equal(t, all[want].ID, d.ID, name)
	}
	_, err := find(all, media.Video, "side")
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, `camera "side": no such device; there are "HD Pro Webcam C920" (usb-046d_C920-video-index0), "Front camera" (usb-1-2/0)`)
	_, err = find(all, media.Video, "twin")
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, `2 devices are called like this; there are "Twin" (usb-1-4/0), "Twin" (usb-1-5/0)`)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Devices, 2)
	_, err = find(nil, media.Audio, "")
	require.EqualError(t, err, "device: microphone: no such device; there is none")
}

func TestErrorsTellTheirCause(t *testing.T) {
	cause := errors.New("cause")
	err := fmt.Errorf("more: %w", &Error{Kind: media.Audio, Device: "x", Err: ErrBusy, Cause: cause})
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, `more: device: microphone "x": device is in use: cause`)
	require.NotErrorIs(t, &Error{Err: ErrBusy}, ErrNotFound)
}

func TestPanicsEndHere(t *testing.T) {
	err := guarded(media.Audio, "mic", func() error { panic("unsupported format") })
	require.ErrorIs(t, err, ErrBroken)
	require.ErrorContains(t, err, `microphone "mic": device does not work: panic: unsupported format`)
	require.ErrorIs(t, readFrame(t.Context(), broken{}, nil), ErrBroken)
}

// broken is a camera whose driver panics.
type broken struct{ camera }

func (broken) ReadFrame(context.Context, *media.VideoFrame) error { panic("driver") }
func (broken) device() Device                                     { return Device{Label: "broken"} }

func TestWhatNoDeviceDoes(t *testing.T) {
	for _, o := range []MicrophoneOptions{{Rate: 1}, {Rate: 1e6}, {Channels: 3}, {Channels: -1}} {
		_, err := OpenMicrophone(t.Context(), "", &o)
		require.ErrorIs(t, err, ErrUnsatisfiable, "%+v", o)
	}
	for _, o := range []CameraOptions{{Width: -1}, {Height: -1}, {FrameRate: -1}} {
		_, err := OpenCamera(t.Context(), "", &o)
		require.ErrorIs(t, err, ErrUnsatisfiable, "%+v", o)
	}
}

func TestRestartOfOtherTracks(t *testing.T) {
	track, err := parley.NewLocalVideoTrack(synth.Video(), nil)
	require.NoError(t, err)
	defer track.Stop()
	require.ErrorIs(t, Restart(t.Context(), track, nil), parley.ErrTrackStopped)
	require.ErrorIs(t, Restart(t.Context(), nil, nil), parley.ErrTrackStopped)
	_, _, _, ok := Of(track)
	require.False(t, ok)
}

func TestCodecIsCheckedBeforeTheDevice(t *testing.T) {
	_, err := AudioTrack(t.Context(), &AudioOptions{Device: "none", Codec: media.VP8})
	require.ErrorIs(t, err, codec.ErrUnsupported)
}
