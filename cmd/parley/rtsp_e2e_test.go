//go:build e2e

package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/ipcamera"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// A camera on the network is off when the robot starts: what else it has is
// published at once, and the camera when it comes. It is published as it is,
// picture by picture, and comes back after it was away.
func TestPublishesAnRTSPCameraThatComesLater(t *testing.T) {
	cam := ipcamera.New(t)
	srv := roomtest.NewServer(t)
	operator := operate(t, srv)
	events := operator.Events()
	p := parleyCommandFor(t, 3*time.Minute, lab(srv, "robot"), "publish", "--json", "--rtsp", cam.Address(), "--name", "yard",
		"--file", "test", "--name", "front")
	require.Contains(t, p.until("--rtsp rtsp://"), "refused")
	p.until("it is waited for")
	require.Equal(t, "front", roomtest.Next[parley.TrackPublished](t, events).Publication.TrackName())
	p.until("[front VP8 ")

	cam.Plug(t)
	p.until("it has come")
	pubs := map[string]*parley.RemoteTrackPublication{}
	for len(pubs) < 2 {
		pub := roomtest.Next[parley.TrackPublished](t, events).Publication
		pubs[pub.TrackName()] = pub
	}
	yard := pubs["yard"]
	require.NotNil(t, yard, "%v", pubs)
	require.NotNil(t, pubs["yard-audio"], "%v", pubs)
	require.NoError(t, yard.SetSubscribed(t.Context(), true))
	seen := yard.Track().(*parley.RemoteVideoTrack)
	requireUnchanged(t, cam, seen, 40)
	require.Equal(t, media.H264, seen.Codec())
	p.until("[yard H264 320x240 ")

	sid := yard.TrackSID()
	cam.Unplug()
	p.until("yard: nothing comes from the source")
	cam.Plug(t)
	p.until("yard: the source goes on")
	requireUnchanged(t, cam, seen, 40)
	require.Equal(t, sid, yard.TrackSID())
	require.True(t, yard.IsSubscribed())

	require.Zero(t, p.stop(syscall.SIGINT), "%s", &p.stderr)
	require.NotContains(t, p.stdout.String()+p.stderr.String(), ipcamera.Password)
	r := report[publishReport](t, p.stdout.String())
	require.Equal(t, "yard", r.Tracks[1].Name)
	require.Equal(t, "H264", r.Tracks[1].Codec)
	require.Greater(t, r.Tracks[1].FramesSent, int64(80))
}

// A camera that never came is a failure, but only its own.
func TestRTSPCameraThatNeverComes(t *testing.T) {
	cam := ipcamera.New(t)
	srv := roomtest.NewServer(t)
	p := parleyStart(t, lab(srv, "robot"), "publish", "--json", "--rtsp", cam.Address(), "--file", "test", "--name", "front")
	p.until("it is waited for")
	p.until("[front VP8 320x240 ")
	require.Equal(t, exitFailed, p.stop(syscall.SIGINT))
	r := report[publishReport](t, p.stdout.String())
	require.Contains(t, r.Error, "nothing was sent")
	require.Contains(t, r.Error, "refused")
	require.NotContains(t, r.Error, ipcamera.Password)
	require.Len(t, r.Tracks, 1)
	require.Positive(t, r.Tracks[0].FramesSent)
}

// requireUnchanged checks that pictures of the camera come, byte by byte.
func requireUnchanged(t *testing.T, cam *ipcamera.Camera, track *parley.RemoteVideoTrack, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for s, err := range track.Samples(ctx) {
		require.NoError(t, err)
		for _, got := range ipcamera.SlicesOf(s.Data) {
			require.True(t, slices.ContainsFunc(cam.Slices, func(want []byte) bool { return bytes.Equal(want, got) }),
				"%d bytes that are no slice of the camera's", len(got))
		}
		if n--; n == 0 {
			return
		}
	}
	require.Fail(t, "the track ended too early")
}

// parleyCommandFor is parleyStart for a longer time.
func parleyCommandFor(t *testing.T, d time.Duration, env []string, args ...string) *process {
	t.Helper()
	before := patience
	patience = d
	defer func() { patience = before }()
	p := parleyStart(t, env, args...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said: %s", strings.Join(args, " "), &p.stderr)
		}
	})
	return p
}
