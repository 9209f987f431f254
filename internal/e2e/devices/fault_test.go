//go:build devicevm && codecs

package devices_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/device"
)

// A camera that is unplugged, or breaks, ends its track with an error that
// tells which, and nothing else.
func TestCameraIsLostInACall(t *testing.T) {
	for name, c := range map[string]struct {
		fault string
		want  error
	}{
		"unplugged":             {"disconnect", device.ErrUnplugged},
		"fatal streaming error": {"inject_fatal_streaming_error", device.ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			const path = "/dev/video0"
			track := open(t, &device.VideoOptions{Device: path, Width: 640, Height: 360})
			call := newCall(t, track)
			pub := call.alice.LocalParticipant().VideoTracks()[0]
			events := track.Events()
			show(t, call.subscribed(t, pub), 5)

			trigger(t, path, c.fault)
			stopped := next[parley.LocalTrackStopped](t, events)
			require.Equal(t, pub, stopped.Publication)
			for _, err := range []error{stopped.Err, track.Err()} {
				require.ErrorIs(t, err, c.want)
				var typed *device.Error
				require.ErrorAs(t, err, &typed)
				require.Equal(t, media.Video, typed.Kind)
			}
			<-track.Done()
			require.True(t, track.IsStopped())
			call.lives(t)

			// The same camera can be used at once: it is plugged in again when
			// the last program has closed it.
			again := open(t, &device.VideoOptions{Device: path, Width: 640, Height: 360})
			pub, err := call.alice.LocalParticipant().PublishTrack(within(t), again, nil)
			require.NoError(t, err)
			show(t, call.subscribed(t, pub), 5)
			require.NoError(t, again.Err())
		})
	}
}

// open makes a track of a camera.
func open(t *testing.T, opts *device.VideoOptions) *parley.LocalVideoTrack {
	t.Helper()
	track, err := device.VideoTrack(within(t), opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s: %v", opts.Device, track.Err())
		}
		track.Stop()
		drain(track.Events())
	})
	return track
}

// show decodes so many pictures of a track.
func show(t *testing.T, track parley.RemoteTrack, pictures int) {
	t.Helper()
	samples := receive(t, track, pictures)
	dec, err := all.NewVideoDecoder(samples[0].Codec)
	require.NoError(t, err)
	defer func() { require.NoError(t, dec.Close()) }()
	for i, s := range samples {
		var f media.VideoFrame
		ok, err := dec.Decode(s, &f)
		require.NoError(t, err, i)
		require.True(t, ok, i)
	}
}

// With Reopen, a camera that is away for a while mutes its track; the
// publication stays, and shows what the camera gives when it is back.
func TestCameraComesBack(t *testing.T) {
	track := open(t, &device.VideoOptions{
		Device: "/dev/video0", Width: 640, Height: 360, Reopen: true, MutedAfter: 5 * time.Second,
	})
	call := newCall(t, track)
	pub := call.alice.LocalParticipant().VideoTracks()[0]
	sid := pub.TrackSID()
	events := track.Events()
	remote := call.subscribed(t, pub)
	show(t, remote, 5)

	// The driver plugs a camera in again when the last program closes it.
	cable, err := os.Open("/dev/video0")
	require.NoError(t, err)
	defer cable.Close()
	trigger(t, "/dev/video0", "disconnect")
	muted := next[parley.LocalTrackMuted](t, events)
	require.Equal(t, pub, muted.Publication)
	require.True(t, track.IsMuted())
	call.lives(t)

	require.NoError(t, cable.Close())
	unmuted := next[parley.LocalTrackUnmuted](t, events)
	require.Equal(t, pub, unmuted.Publication)
	show(t, remote, 10)
	require.False(t, track.IsMuted())
	require.Equal(t, []*parley.LocalTrackPublication{pub}, call.alice.LocalParticipant().VideoTracks())
	require.Equal(t, sid, pub.TrackSID())
	require.NoError(t, track.Err())
}

// A camera that hangs mutes its track while it does.
func TestStalledCamera(t *testing.T) {
	camera := film(t, "/dev/video21", "testsrc2=size=320x180:rate=10", "-pix_fmt", "yuyv422")
	track := open(t, &device.VideoOptions{Device: "/dev/video21", Nearest: true, MutedAfter: 5 * time.Second})
	call := newCall(t, track)
	pub := call.alice.LocalParticipant().VideoTracks()[0]
	events := track.Events()
	remote := call.subscribed(t, pub)
	show(t, remote, 5)

	for range 2 {
		camera.pause(t)
		require.Equal(t, pub, next[parley.LocalTrackMuted](t, events).Publication)
		require.True(t, track.IsMuted())
		call.lives(t)
		camera.resume(t)
		require.Equal(t, pub, next[parley.LocalTrackUnmuted](t, events).Publication)
		show(t, remote, 5)
	}
	require.NoError(t, track.Err())
}
