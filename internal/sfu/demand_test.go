package sfu_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// A publisher is not made to send more than the largest place takes in which its
// picture is shown.
func TestPublishersAreBoundByThePlacesOfTheirPictures(t *testing.T) {
	w := newWorld(t)
	alice := w.client("alice", "demo")
	cam := alice.publish(signaling.KindVideo, "cam")
	require.NoError(t, alice.dial())
	sid := alice.readyWith("cam")
	alice.connected()
	alice.stream(cam, media.VP8, 100)
	bob := w.wishful(&signaling.BandwidthProfile{})
	mid := bob.slot(media.Video)
	require.NoError(t, bob.dial())
	bob.connected()
	read(t, bob.inlet(mid), 1)

	bound := func(want int) {
		t.Helper()
		require.Eventually(t, func() bool { return cam.Stats().Bound == want }, 10*time.Second, 5*time.Millisecond, "%d", want)
	}
	unbound := func() {
		t.Helper()
		require.Eventually(t, func() bool { return cam.Stats().Bound > 900_000_000 }, 10*time.Second, 5*time.Millisecond)
	}
	shows := func(what string) {
		t.Helper()
		bob.say("render_hints", fmt.Sprintf(`{"type":"render_hints","subscriber":{"id":1,"hints":[{"track":%q,%s}]}}`, sid, what))
	}
	require.Zero(t, cam.Stats().Bound, "nobody said how large it is shown")
	shows(`"render_dimensions":{"width":50,"height":40}`)
	bound(150_000)
	shows(`"render_dimensions":{"width":1024,"height":720}`)
	bound(1024 * 720 * 6)
	shows(`"enabled":false`)
	unbound()
	shows(`"enabled":true,"render_dimensions":{"width":640,"height":360}`)
	bound(640 * 360 * 6)

	// With sound there is more to send.
	alice.publish(signaling.KindAudio, "mic")
	alice.renegotiate()
	bound(640*360*6 + 150_000)
	alice.unpublish("mic")
	alice.tell()
	bound(640 * 360 * 6)

	carol := w.client("carol", "demo")
	mid = carol.slot(media.Video)
	require.NoError(t, carol.dial())
	carol.connected()
	unbound()
	read(t, carol.inlet(mid), 1)
}
