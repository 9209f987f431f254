//go:build e2e

package interop_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
)

func peerToPeer(c *sfu.Config) { c.DefaultRoomType = sfu.PeerToPeer }

// noMedia checks that the server made no peer connection of its own.
func (w *world) noMedia() {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.srv.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Contains(w.t, rec.Body.String(), "\nparley_peer_connections_total 0\n")
}

// everything are the tracks of a page in a mesh.
func everything() options {
	return options{"tracks": []options{track("audio", "microphone"), track("video", "camera"), track("data", "chat")}}
}

// hears waits until the page has the message.
func (p *page) hears(from, text string) {
	p.t.Helper()
	p.wait(`lab.messages.some((m) => m.from === ` + js(from) + ` && m.text === ` + js(text) + `)`)
}

// says sends a message to all others of a room of n, once all channels are open.
func (p *page) says(text string) {
	p.t.Helper()
	p.run(`lab.tracks["chat"].send(` + js(text) + `)`)
}

// open waits until all the page's channels are.
func (p *page) channelsOpen(n int) {
	p.t.Helper()
	p.wait(`spied.channels.filter((c) => c.readyState === "open").length >= ` + js(n))
}

// TestMeshOfBrowsers has three browsers meet in a peer-to-peer room, one of
// which leaves and another one closes its page.
func TestMeshOfBrowsers(t *testing.T) {
	w := newWorld(t, peerToPeer)
	names := []string{"first", "second", "third"}
	pages := map[string]*page{}
	for _, name := range names {
		pages[name] = w.join(name, everything())
	}
	for _, p := range names {
		for _, o := range names {
			if p != o {
				pages[p].plays(o, "camera")
				pages[p].plays(o, "microphone")
			}
		}
	}
	for _, p := range names {
		pages[p].channelsOpen(2) // one to each of the others
		pages[p].says("from " + p)
	}
	for _, p := range names {
		for _, o := range names {
			if p != o {
				pages[p].hears(o, "from "+o)
			}
		}
	}
	require.Equal(t, "null", pages["first"].text("String(lab.room.mediaRegion)"))
	w.noMedia()

	first, second, third := pages["first"], pages["second"], pages["third"]
	second.leave()
	first.waits("Room", "participantDisconnected", "")
	third.waits("Room", "participantDisconnected", "")
	first.plays("third", "camera")
	third.close()
	first.wait(`lab.seen("Room", "participantReconnecting") === 1`)
	fourth := w.join("fourth", everything())
	first.plays("fourth", "camera")
	fourth.plays("first", "camera")
	require.InDelta(t, 0, first.count(`lab.seen("Room", "reconnecting")`), 0)
	first.quiet()
	fourth.quiet()
}

// TestMeshOfBrowserAndProgram has a browser and two programs meet in every order.
func TestMeshOfBrowserAndProgram(t *testing.T) {
	w := newWorld(t, peerToPeer)
	alice := w.program("alice", clip(t, media.VP8, "picture"), clip(t, media.Opus, "voice"), dataTrack(t, parley.DataTrackOptions{Name: "words"}))
	p := w.join("browser", everything())
	words := dataTrack(t, parley.DataTrackOptions{Name: "words"})
	bob := w.program("bob", clip(t, media.VP8, "picture"), words)

	p.shows("mesh-alice", "alice", "picture")
	p.plays("alice", "voice")
	p.plays("bob", "picture")
	for _, g := range []*program{alice, bob} {
		frames(t, receives[*parley.RemoteVideoTrack](g, "browser", "camera"), 30)
		packets(t, receives[*parley.RemoteAudioTrack](g, "browser", "microphone"), 30)
	}
	frames(t, receives[*parley.RemoteVideoTrack](alice, "bob", "picture"), 30)
	frames(t, receives[*parley.RemoteVideoTrack](bob, "alice", "picture"), 30)

	for _, g := range []*program{alice, bob} {
		receives[*parley.RemoteDataTrack](g, "browser", "chat")
	}
	p.told("bob", "words")
	p.channelsOpen(2)
	p.says("hello")
	for _, g := range []*program{alice, bob} {
		m, err := receives[*parley.RemoteDataTrack](g, "browser", "chat").Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "hello", string(m.Data))
		require.True(t, m.Text)
	}
	require.NoError(t, words.SendText(t.Context(), "hi"))
	p.hears("bob", "hi")
	w.noMedia()

	require.NoError(t, bob.Disconnect())
	p.waits("Room", "participantDisconnected", "")
	p.plays("alice", "picture")
	require.InDelta(t, 0, p.count(`lab.seen("Room", "reconnecting")`), 0)
	p.quiet()
}

// TestMeshRepublish has a browser and two programs publish again what they
// unpublished, in the sections that became free.
func TestMeshRepublish(t *testing.T) {
	w := newWorld(t, peerToPeer)
	alice := w.programWith("alice", &parley.ConnectOptions{
		Tracks: []parley.LocalTrack{clip(t, media.VP8, "picture")}, DominantSpeaker: true, NetworkQuality: &parley.NetworkQuality{},
	})
	wish := everything()
	wish["dominantSpeaker"], wish["networkQuality"] = true, true
	p := w.join("browser", wish)
	bob := w.program("bob", clip(t, media.VP8, "picture"))
	for _, g := range []*program{alice, bob} {
		frames(t, receives[*parley.RemoteVideoTrack](g, "browser", "camera"), 15)
	}
	old := "camera"
	for _, name := range []string{"second", "third"} {
		p.unpublish(old)
		for _, g := range []*program{alice, bob} {
			heard(g, func(e parley.TrackUnpublished) bool { return e.Publication.TrackName() == old })
		}
		p.publish(track("video", name))
		for _, g := range []*program{alice, bob} {
			frames(t, receives[*parley.RemoteVideoTrack](g, "browser", name), 15)
		}
		old = name
	}
	// And the other way round, in the same sections.
	for _, name := range []string{"late", "later"} {
		track := clip(t, media.VP8, name)
		_, err := alice.LocalParticipant().PublishTrack(t.Context(), track, nil)
		require.NoError(t, err)
		p.plays("alice", name)
		frames(t, receives[*parley.RemoteVideoTrack](bob, "alice", name), 15)
		require.NoError(t, alice.LocalParticipant().UnpublishTrack(t.Context(), track))
		p.waits("RemoteParticipant", "trackUnpublished", "alice")
		p.wait(`lab.publication("alice", ` + js(name) + `) === undefined`)
	}
	p.plays("alice", "picture")
	p.plays("bob", "picture")
	// There are no media-signaling channels where the server sees no media.
	require.Zero(t, p.count(`lab.heard().flatMap((body) => Object.keys(body.media_signaling ?? {})).length`))
	require.Equal(t, "null", p.text("String(lab.room.localParticipant.networkQualityLevel)"))
	_, known := alice.LocalParticipant().NetworkQualityLevel()
	require.False(t, known)
	p.quiet()
}

// patient is a context that ends with our patience.
func patient(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), patience*time.Millisecond)
}

// frames reads so many frames.
func frames(t *testing.T, track *parley.RemoteVideoTrack, n int) {
	t.Helper()
	ctx, cancel := patient(t)
	defer cancel()
	for _, err := range track.Samples(ctx) {
		require.NoError(t, err, "%s still misses %d frames", track.Name(), n)
		if n--; n == 0 {
			return
		}
	}
	require.Zero(t, n, "the track has ended")
}

// packets reads so many packets.
func packets(t *testing.T, track *parley.RemoteAudioTrack, n int) {
	t.Helper()
	for range n {
		_, err := track.ReadRTP()
		require.NoError(t, err)
	}
}
