//go:build linux && devicevm

// The example with real devices, in the device VM:
//
//	go test -tags 'devicevm codecs' -exec "$PWD/internal/devicevm/run" ./examples/camera
package main

import (
	"context"
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/device"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// Somebody sees the camera and hears the microphone.
func TestCameraAndMicrophoneAreReceived(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice, err := parley.Connect(srv.Token("alice", "lab"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	defer alice.Disconnect()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- publish(ctx, srv.URL(), srv.Token("bot", "lab"), &device.Options{
			Audio: &device.AudioOptions{}, Video: &device.VideoOptions{Device: "/dev/video0", Width: 320, Height: 180},
		})
	}()
	got := map[media.Codec]bool{}
	for started := range alice.TrackStarted() {
		switch track := started.Track.(type) {
		case *parley.RemoteVideoTrack:
			for s, err := range track.Samples(t.Context()) {
				require.NoError(t, err)
				if s.Keyframe {
					require.Equal(t, []int{320, 180}, []int{s.Width, s.Height})
					got[s.Codec] = true
					break
				}
			}
		case *parley.RemoteAudioTrack:
			for s, err := range track.Samples(t.Context()) {
				require.NoError(t, err)
				got[s.Codec] = true
				break
			}
		}
		if len(got) == 2 {
			break
		}
	}
	require.Equal(t, map[media.Codec]bool{media.VP8: true, media.Opus: true}, got)
	cancel()
	require.NoError(t, <-ended)
}
