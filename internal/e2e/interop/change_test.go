//go:build e2e

package interop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
)

// published is the publication of a track that a page sees, as text; "" for none.
func (p *page) published(identity, name, property string) string {
	p.t.Helper()
	return p.text("String(lab.publication(" + js(identity) + "," + js(name) + ")?." + property + ` ?? "")`)
}

// TestBrowserChangesItsTracks disables, enables, restarts, unpublishes and
// publishes again the tracks of a browser, before a program and another
// browser.
func TestBrowserChangesItsTracks(t *testing.T) {
	w := newWorld(t)
	alice := w.program("alice")
	q := w.join("second", nil)
	p := w.join("browser", nil)
	for _, kind := range []string{"audio", "video"} {
		p.publish(track(kind, kind, options{"priority": "low"}))
		q.plays("browser", kind)
		require.Equal(t, "low", q.published("browser", kind, "publishPriority"))

		p.run("lab.tracks." + kind + ".disable()")
		q.waits("RemoteTrackPublication", "trackDisabled", kind)
		e := heard(alice, func(e parley.TrackDisabled) bool { return e.Track.Name() == kind })
		require.False(t, e.Publication.IsTrackEnabled())
		require.Equal(t, "false", q.published("browser", kind, "isTrackEnabled"))

		p.run("lab.tracks." + kind + ".enable()")
		q.waits("RemoteTrackPublication", "trackEnabled", kind)
		heard(alice, func(e parley.TrackEnabled) bool { return e.Track.Name() == kind })
		q.plays("browser", kind)

		p.run(`lab.publication("", ` + js(kind) + `).setPriority("high")`)
		q.waits("RemoteTrackPublication", "publishPriorityChanged", kind)
		heard(alice, func(e parley.TrackPublishPriorityChanged) bool {
			return e.Publication.TrackName() == kind && e.Priority == parley.PriorityHigh
		})
	}

	// Another device, or another size, is the same publication.
	before := p.published("", "video", "trackSid")
	p.run(`lab.tracks.video.restart({ width: 320, height: 240, frameRate: 15 })`)
	q.wait(`lab.track("browser", "video").dimensions.width === 320`)
	heard(alice, func(e parley.TrackDimensionsChanged) bool { return e.Width == 320 && e.Height == 240 })
	p.run(`lab.tracks.audio.restart()`)
	q.plays("browser", "audio")
	q.plays("browser", "video")
	require.Equal(t, before, q.published("browser", "video", "trackSid"))

	for _, kind := range []string{"audio", "video"} {
		sid := p.published("", kind, "trackSid")
		p.unpublish(kind)
		q.waits("RemoteTrackPublication", "unsubscribed", kind)
		q.wait(`lab.publication("browser", ` + js(kind) + `) === undefined`)
		heard(alice, func(e parley.TrackUnsubscribed) bool { return e.Publication.TrackSID() == sid })
		heard(alice, func(e parley.TrackUnpublished) bool { return e.Publication.TrackSID() == sid })
		require.Equal(t, "", p.published("", kind, "trackSid"))

		again := p.publish(track(kind, kind))
		require.NotEqual(t, sid, again)
		heard(alice, func(e parley.TrackStarted) bool { return e.Track.SID() == again })
		q.plays("browser", kind)
		require.Equal(t, again, q.published("browser", kind, "trackSid"))
	}
	q.shows("republished", "browser", "video")

	// A data track can come and go as well.
	p.publish(track("data", "chat"))
	q.told("browser", "chat")
	p.unpublish("chat")
	q.wait(`lab.publication("browser", "chat") === undefined`)
	p.publish(track("data", "chat"))
	q.told("browser", "chat")
	p.run(`lab.send("chat", "still here")`)
	q.wait(`lab.messages.some((m) => m.text === "still here")`)
	p.quiet()
	q.quiet()
}

// TestBrowserPublishesWhereItReceives has a browser publish, and publish again,
// in the sections that the server made for what the browser receives.
func TestBrowserPublishesWhereItReceives(t *testing.T) {
	w := newWorld(t)
	alice := w.program("alice", clip(t, media.VP8, "one"), clip(t, media.VP8, "two"), clip(t, media.VP8, "three"))
	p := w.join("browser", nil)
	for _, name := range []string{"one", "two", "three"} {
		p.plays("alice", name)
	}
	for _, names := range [][]string{{"first", "second", "third"}, {"fourth", "fifth", "sixth"}} {
		for _, name := range names {
			p.publish(track("video", name, options{"width": 320, "height": 240}))
		}
		for _, name := range names {
			frames(t, receives[*parley.RemoteVideoTrack](alice, "browser", name), 15)
			p.unpublish(name)
		}
	}
	for _, name := range []string{"one", "two", "three"} {
		p.plays("alice", name)
	}
	p.quiet()
}

// TestQuickChanges has a browser publish and unpublish without waiting.
func TestQuickChanges(t *testing.T) {
	w := newWorld(t)
	alice := w.program("alice", clip(t, media.VP8, "picture"))
	q := w.join("second", nil)
	p := w.join("browser", options{"tracks": []options{track("video", "camera"), track("audio", "microphone")}})
	p.run(`(async () => {
		for (let i = 0; i < 5; i++) {
			lab.unpublish("camera");
			const camera = lab.publish({ name: "camera" });
			lab.unpublish("microphone");
			const microphone = lab.publish({ name: "microphone" });
			await Promise.all([camera, microphone]);
		}
	})()`)
	for _, name := range []string{"camera", "microphone"} {
		sid := p.published("", name, "trackSid")
		require.NotEmpty(t, sid)
		q.wait(`lab.publication("browser", ` + js(name) + `)?.trackSid === ` + js(sid))
		q.plays("browser", name)
		heard(alice, func(e parley.TrackStarted) bool { return e.Track.SID() == sid })
	}
	p.plays("alice", "picture")
	p.quiet()
	q.quiet()
}

// TestProgramChangesItsTracks does the same from the other side.
func TestProgramChangesItsTracks(t *testing.T) {
	w := newWorld(t)
	alice := w.program("alice")
	p := w.join("browser", nil)
	for _, codec := range []media.Codec{media.VP8, media.H264, media.Opus} {
		name := string(codec)
		local := clip(t, codec, name).(interface {
			parley.LocalTrack
			SetEnabled(enabled bool)
		})
		publish := func(local parley.LocalTrack) string {
			pub, err := alice.LocalParticipant().PublishTrack(t.Context(), local, &parley.PublishOptions{Priority: parley.PriorityHigh})
			require.NoError(t, err)
			p.plays("alice", name)
			require.Equal(t, pub.TrackSID(), p.published("alice", name, "trackSid"))
			require.Equal(t, "high", p.published("alice", name, "publishPriority"))
			return pub.TrackSID()
		}
		sid := publish(local)

		local.SetEnabled(false)
		p.waits("RemoteTrackPublication", "trackDisabled", name)
		require.Equal(t, "false", p.published("alice", name, "isTrackEnabled"))
		local.SetEnabled(true)
		p.waits("RemoteTrackPublication", "trackEnabled", name)
		p.plays("alice", name)

		for range 2 {
			require.NoError(t, alice.LocalParticipant().UnpublishTrack(t.Context(), local))
			p.wait(`lab.publication("alice", ` + js(name) + `) === undefined`)
			next := publish(local)
			require.NotEqual(t, sid, next)
			sid = next
		}
	}
	p.shows("program-republished", "alice", string(media.VP8))

	// Another source of the same name takes the place of one.
	require.NoError(t, alice.LocalParticipant().UnpublishTrack(t.Context(), trackNamed(alice, string(media.VP8))))
	other, err := parley.NewLocalVideoTrack(testclips.Open(media.VP9), &parley.TrackOptions{Name: string(media.VP8)})
	require.NoError(t, err)
	t.Cleanup(other.Stop)
	pub, err := alice.LocalParticipant().PublishTrack(t.Context(), other, nil)
	require.NoError(t, err)
	p.wait(`lab.publication("alice", "VP8")?.trackSid === ` + js(pub.TrackSID()))
	p.plays("alice", string(media.VP8))
	p.quiet()
}

func trackNamed(g *program, name string) parley.LocalTrack {
	for _, pub := range g.LocalParticipant().Tracks() {
		if pub.TrackName() == name {
			return pub.Track()
		}
	}
	return nil
}
