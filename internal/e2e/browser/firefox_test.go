//go:build e2e

package browser_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
)

// likeServe receives media as parley serve does. Firefox sends none over the
// loopback interface, unless it is told to in about:config.
func likeServe(cfg *sfu.Config) { cfg.Media = sfu.Media{Loopback: true, SameMachine: true} }

// Debian's Firefox has no H.264 until it has downloaded a plugin, so that it is
// shown VP8.
func TestFirefoxPlaysARoom(t *testing.T) {
	w := newWorld(t, likeServe)
	data, err := parley.NewLocalDataTrack(&parley.DataTrackOptions{Name: "chat"})
	require.NoError(t, err)
	w.publish("alice", video(t, media.VP8, "camera"), audio(t, media.Opus, "microphone"), data)

	b := firefox.start(t)
	b.open(w.page("viewer"), "")
	b.wait(connected)
	b.wait(shows("alice"))
	requireMoving(t, b, "firefox-vp8", "alice")

	// Ten seconds of 25 frames and 50 packets a second, and none of the
	// measurements without progress.
	packetsBefore := b.number(packets("alice"))
	for range 10 {
		b.rises(frames("alice"), 24)
	}
	require.Greater(t, b.number(packets("alice")), packetsBefore+400)

	require.NoError(t, data.SendText(t.Context(), "hello from alice"))
	b.wait(`document.getElementById("log").textContent.includes("hello from alice")`)
	b.click("#sound")
	require.Equal(t, "false", b.text(`String(document.querySelector("audio").muted)`))
	b.wait(`document.querySelector("audio").currentTime > 0.5 && !document.querySelector("audio").paused`)
	b.wait(fmt.Sprintf(`document.querySelector('%s.speaking') !== null`, tile("alice")))
	b.picture("firefox-room", "")
	b.do(nil, "size", map[string]any{"width": 400, "height": 800})
	b.wait(`document.documentElement.scrollWidth <= 400`)
	b.picture("firefox-room-narrow", "")

	// The socket is lost, media goes on, and news come over the next one.
	b.text(note)
	before := b.number(frames("alice"))
	w.net.cut()
	b.wait(`said.some((s) => s.includes("reconnecting")) && ` + connected)
	b.rises(frames("alice"), 25)
	require.Greater(t, b.number(frames("alice")), before, "the media connection was replaced")
	w.publish("bob", video(t, media.VP8, "camera"))
	b.wait(shows("bob"))
	b.quiet("/signaling was interrupted") // of the socket that was cut
}
