//go:build e2e

package interop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
)

// sizes has a program ask for pictures of these widths, one after the other,
// and waits for each.
func sizes(t *testing.T, video *parley.RemoteVideoTrack, widths ...int) {
	t.Helper()
	for _, width := range widths {
		require.NoError(t, video.SetContentPreferences(width, width*9/16))
		until(t, video, width)
	}
}

// TestBrowserPublishesSimulcast has a program ask for each of the sizes that a
// browser sends, which the client itself chooses, and get it.
func TestBrowserPublishesSimulcast(t *testing.T) {
	w := newWorld(t)
	alice := w.programWith("alice", &parley.ConnectOptions{BandwidthProfile: &parley.BandwidthProfile{}})
	p := w.join("browser", options{
		"tracks":               []options{track("video", "camera", options{"width": 1280, "height": 720})},
		"preferredVideoCodecs": "auto",
	})
	video := receives[*parley.RemoteVideoTrack](alice, "browser", "camera")
	sizes(t, video, 320, 1280, 640, 320, 640, 1280)
	p.quiet()
}

// TestBrowserPublishesExplicitSimulcast does it with the older option, by which
// the client asks Chromium for three streams and for no sizes: all three are of
// the camera's, and that is what a program gets, whatever it asks for.
func TestBrowserPublishesExplicitSimulcast(t *testing.T) {
	w := newWorld(t)
	alice := w.programWith("alice", &parley.ConnectOptions{BandwidthProfile: &parley.BandwidthProfile{}})
	p := w.join("browser", options{
		"tracks":               []options{track("video", "camera", options{"width": 640, "height": 360})},
		"preferredVideoCodecs": []options{{"codec": "VP8", "simulcast": true}},
	})
	q := w.join("second", nil)
	video := receives[*parley.RemoteVideoTrack](alice, "browser", "camera")
	for _, width := range []int{160, 640} {
		require.NoError(t, video.SetContentPreferences(width, width*9/16))
		video.RequestKeyframe()
		until(t, video, 640)
		frames(t, video, 30)
	}
	q.shows("simulcast-explicit", "browser", "camera")
	p.wait(`(async () => {
		const sent = [...(await spied.connections[0].getStats()).values()].filter((s) => s.type === "outbound-rtp" && s.kind === "video");
		return sent.length === 3 && sent.every((s) => !s.framesSent || s.frameWidth === 640);
	})()`)
	p.quiet()
	q.quiet()
}

// until reads until a key frame of the width came. Chromium has to find out first
// how much it can send.
func until(t *testing.T, video *parley.RemoteVideoTrack, width int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience*time.Millisecond)
	defer cancel()
	for s, err := range video.Samples(ctx) {
		require.NoError(t, err, "no picture of width %d", width)
		if s.Keyframe {
			t.Logf("%d x %d", s.Width, s.Height)
		}
		if s.Keyframe && s.Width == width {
			return
		}
	}
	require.FailNow(t, "the track has ended")
}
