//go:build e2e

package interop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
)

// TestBrowserPublishesSimulcast has a program ask for a small and then for a
// large picture of a browser that sends several.
func TestBrowserPublishesSimulcast(t *testing.T) {
	w := newWorld(t)
	alice := w.programWith("alice", &parley.ConnectOptions{BandwidthProfile: &parley.BandwidthProfile{}})
	w.join("browser", options{
		"tracks":               []options{track("video", "camera", options{"width": 1280, "height": 720})},
		"preferredVideoCodecs": "auto",
	})
	video := receives[*parley.RemoteVideoTrack](alice, "browser", "camera")
	for _, width := range []int{320, 1280, 320} {
		require.NoError(t, video.SetContentPreferences(width, width*9/16))
		for s, err := range video.Samples(t.Context()) {
			require.NoError(t, err)
			if s.Keyframe {
				t.Logf("%d x %d", s.Width, s.Height)
			}
			if s.Keyframe && s.Width == width {
				break
			}
		}
	}
}
