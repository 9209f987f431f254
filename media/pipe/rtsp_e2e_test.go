//go:build e2e

package pipe_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/ipcamera"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
	"github.com/parley-rtc/parley/roomtest"
)

// requirePictures checks that pictures of the clip come, in order and byte by
// byte.
func requirePictures(t *testing.T, c *ipcamera.Camera, track *parley.RemoteVideoTrack, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at := -1
	for s, err := range track.Samples(ctx) {
		require.NoError(t, err)
		got := ipcamera.SlicesOf(s.Data)
		require.Len(t, got, 1, "a picture is a slice")
		if s.Lost > 0 {
			at = -1 // by UDP, between VLC and ffmpeg or later
		}
		if at < 0 {
			for i, want := range c.Slices {
				if bytes.Equal(want, got[0]) {
					at = i
				}
			}
			require.GreaterOrEqual(t, at, 0, "not a picture of the clip")
		}
		require.Equal(t, c.Slices[at], got[0], "picture %d", at)
		at = (at + 1) % len(c.Slices)
		if n--; n == 0 {
			return
		}
	}
}

// A camera that is off at first is waited for.
func TestRTSPCameraThatIsPluggedInLater(t *testing.T) {
	cam := ipcamera.New(t)
	var log journal
	type opened struct {
		p   *pipe.Pipe
		err error
	}
	begun := make(chan opened, 1)
	go func() {
		p, err := pipe.RTSP(t.Context(), cam.Address(), &pipe.RTSPOptions{
			Timeout: 3 * time.Second,
			Options: pipe.Options{Await: true, Logger: log.logger(), MaxBackoff: 500 * time.Millisecond, MaxDelay: time.Minute},
		})
		begun <- opened{p, err}
	}()
	require.Eventually(t, func() bool { return strings.Count(log.String(), "no media yet") >= 2 }, time.Minute, 50*time.Millisecond)
	require.Contains(t, log.String(), "refused")
	cam.Plug(t)
	o := <-begun
	require.NoError(t, o.err, "%v", &log)
	defer o.p.Close()
	require.Equal(t, media.H264, o.p.Video().Codec())
	for range 50 {
		s, err := o.p.Video().Next(t.Context())
		require.NoError(t, err)
		require.Len(t, ipcamera.SlicesOf(s.Data), 1)
		require.Contains(t, cam.Slices, ipcamera.SlicesOf(s.Data)[0], "a picture of the clip")
	}
	require.NotContains(t, log.String(), ipcamera.Password)
}

// A camera is published as it is, disappears, comes back, and its publication
// stays.
func TestRTSPCameraReachesTheRoomUnchanged(t *testing.T) {
	cam := ipcamera.New(t)
	cam.Plug(t)
	var log journal
	address := cam.Address()
	var p *pipe.Pipe
	require.Eventually(t, func() bool { // VLC answers before it plays
		var err error
		p, err = pipe.RTSP(t.Context(), address, &pipe.RTSPOptions{
			Timeout: 3 * time.Second,
			Options: pipe.Options{Logger: log.logger(), MaxBackoff: 500 * time.Millisecond, MaxDelay: time.Minute},
		})
		if err != nil {
			require.NotContains(t, err.Error(), ipcamera.Password)
		}
		return err == nil
	}, time.Minute, 100*time.Millisecond, "%v", &log)
	defer p.Close()
	require.Equal(t, media.H264, p.Video().Codec())
	require.Equal(t, media.PCMU, p.Audio().Codec())

	srv := roomtest.NewServer(t)
	video, err := parley.NewLocalVideoTrack(p.Video(), nil)
	require.NoError(t, err)
	audio, err := parley.NewLocalAudioTrack(p.Audio(), nil)
	require.NoError(t, err)
	robot, err := parley.Connect(srv.Token("robot", "yard"), &parley.ConnectOptions{
		URL: srv.URL(), Tracks: []parley.LocalTrack{video, audio},
	})
	require.NoError(t, err)
	defer robot.Disconnect()
	operator, err := parley.Connect(srv.Token("operator", "yard"), &parley.ConnectOptions{URL: srv.URL()})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, operator.Disconnect())
		for range operator.Events() { // unread ones stay for a second
		}
	}()
	var seen *parley.RemoteVideoTrack
	var heard *parley.RemoteAudioTrack
	for seen == nil || heard == nil {
		switch track := roomtest.Next[parley.TrackStarted](t, operator.Events()).Track.(type) {
		case *parley.RemoteVideoTrack:
			seen = track
		case *parley.RemoteAudioTrack:
			heard = track
		}
	}
	requirePictures(t, cam, seen, 60)
	for s, err := range heard.Samples(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, media.PCMU, s.Codec)
		break
	}

	sid := video.ID()
	cam.Unplug()
	cam.Plug(t)
	require.Eventually(t, func() bool { return p.Stats().Restarts > 0 }, time.Minute, 50*time.Millisecond, "%v", &log)
	requirePictures(t, cam, seen, 60)
	require.False(t, video.IsStopped())
	require.Equal(t, sid, video.ID())
	require.NotContains(t, log.String(), ipcamera.Password)

	video.Stop()
	audio.Stop()
	<-p.Done()
	cam.Unplug()
	require.Empty(t, children(t))
}
