//go:build e2e

package interop_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/sfu"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
)

// publisher is one who publishes before a browser.
type publisher interface {
	publish(kind parley.Kind, name string)
	publishExtra(name string) // small video, perhaps by somebody else
	setEnabled(name string, enabled bool)
	setPriority(name string)
	send(name, text string)
	unpublish(name string)
	leave()
}

// TestEveryEvent has a browser hear every event that its documents name, from
// another browser and from a program.
func TestEveryEvent(t *testing.T) {
	t.Run("browser", func(t *testing.T) {
		everyEvent(t, func(w *world, _ *page) publisher {
			return &browserPublisher{w.join("publisher", options{"networkQuality": true})}
		})
	})
	t.Run("program", func(t *testing.T) {
		everyEvent(t, func(w *world, p *page) publisher {
			o := &parley.ConnectOptions{ManualSubscribe: true, NetworkQuality: &parley.NetworkQuality{}}
			return &programPublisher{w: w, p: p, program: w.programWith("publisher", o), tracks: map[string]parley.LocalTrack{}}
		})
	})
}

func everyEvent(t *testing.T, join func(*world, *page) publisher) {
	w := newWorld(t, func(c *sfu.Config) { c.Limits.Sections = 8 })
	wish := profile(options{"clientTrackSwitchOffControl": "manual"})
	wish["dominantSpeaker"] = true
	wish["networkQuality"] = options{"local": 1, "remote": 1}
	wish["receiveTranscriptions"] = true
	wish["notifyWarnings"] = []string{"recording-media-lost"}
	p := w.join("browser", wish)
	p.localEvents()
	w.recorded(p)
	require.Equal(t, 1, w.srv.Cut("browser"))
	p.waits("Room", "reconnected", "")

	pub := join(w, p)
	p.waits("Room", "participantConnected", "")
	for _, kind := range []parley.Kind{parley.KindAudio, parley.KindVideo} {
		name := string(kind)
		pub.publish(kind, name)
		p.plays("publisher", name)
		pub.setEnabled(name, false)
		p.waits("RemoteTrackPublication", "trackDisabled", name)
		pub.setEnabled(name, true)
		p.waits("RemoteTrackPublication", "trackEnabled", name)
		pub.setPriority(name)
		p.waits("RemoteTrackPublication", "publishPriorityChanged", name)
	}
	p.wait(`lab.room.dominantSpeaker?.identity === "publisher"`)
	p.waits("Room", "dominantSpeakerChanged", "")
	p.waits("LocalParticipant", "networkQualityLevelChanged", "browser")
	p.waits("RemoteParticipant", "networkQualityLevelChanged", "publisher")
	for _, do := range []string{"Off", "On"} {
		p.run(`lab.track("publisher", "video").switch` + do + "()")
		p.waits("RemoteVideoTrack", "switched"+do, "video")
	}
	p.run(`lab.track("publisher", "video").switchOff()`)
	p.waits("RemoteVideoTrack", "switchedOff", "video")
	p.run(`lab.track("publisher", "video").switchOn()`)
	p.waits("RemoteVideoTrack", "switchedOn", "video")
	p.plays("publisher", "video")

	pub.publish(parley.KindData, "data")
	p.told("publisher", "data")
	pub.send("data", "hello")
	p.waits("RemoteDataTrack", "message", "data")
	p.pretendedEvents()

	// Eight sections are less than all this needs.
	for i := 0; p.count(`lab.seen("Room", "trackSubscriptionFailed")`) == 0; i++ {
		require.Less(t, i, 8, "no subscription failed")
		before := p.count(`lab.seen("Room", "trackSubscribed")`)
		pub.publishExtra(fmt.Sprint("extra ", i))
		p.wait(fmt.Sprintf(`lab.seen("Room", "trackSubscribed") > %v || lab.seen("Room", "trackSubscriptionFailed") > 0`, before))
	}
	failed := p.text(`lab.last("RemoteParticipant", "trackSubscriptionFailed")[1].publication`)
	require.InDelta(t, 53305, p.count(`lab.last("Room", "trackSubscriptionFailed")[0].code`), 0)

	require.Equal(t, 1, w.srv.Cut("publisher"))
	p.waits("RemoteParticipant", "reconnected", "publisher")
	for _, name := range []string{"audio", "video", "data"} {
		pub.unpublish(name)
		p.waits("RemoteTrackPublication", "unsubscribed", name)
	}
	// There is room again.
	p.waits("RemoteTrackPublication", "subscribed", failed)
	pub.leave()
	p.waits("RemoteParticipant", "disconnected", "publisher")
	p.leave()
	p.waits("Room", "disconnected", "")

	var table map[string][]string
	p.eval(&table, "events")
	var heard []string
	p.eval(&heard, "[...new Set(lab.log.map((e) => e.on + '.' + e.event))]")
	var missing []string
	for _, class := range slices.Sorted(maps.Keys(table)) {
		for _, event := range table[class] {
			if name := class + "." + event; !slices.Contains(heard, name) {
				missing = append(missing, name)
			}
		}
	}
	require.Empty(t, missing, "never seen")
}

// recorded has the server say that the room is recorded, and that it no longer
// is.
func (w *world) recorded(p *page) {
	w.t.Helper()
	for _, exclude := range []bool{false, true} {
		_, err := w.srv.SetRecording("lab", []signaling.Rule{{All: true, Exclude: exclude}})
		require.NoError(w.t, err)
		if !exclude {
			p.waits("Room", "recordingStarted", "")
		}
	}
	p.waits("Room", "recordingStopped", "")
}

// pretendedEvents are those of messages that our server never sends: it records
// nothing itself and so misses nothing, knows no speech, and switches off
// nothing but video. The page is told as if it came from the server.
func (p *page) pretendedEvents() {
	p.t.Helper()
	for i, state := range []string{"NO_MEDIA", "OK"} {
		p.run(fmt.Sprintf(`lab.pretend({
			type: "warning", version: 2,
			states: { revision: %d, tracks: { [lab.publication("", "video").trackSid]: { recordings: %q } } },
		})`, i+1, state))
	}
	for _, event := range []string{"trackWarning", "trackWarningsCleared"} {
		p.waits("Room", event, "")
	}
	for _, kind := range []string{"audio", "data"} {
		for _, list := range []string{"off", "on"} {
			p.run(fmt.Sprintf(`lab.pretendOn("track_switch_off", {
				type: "track_switch_off", off: [], on: [], %s: [lab.publication("publisher", %q).trackSid],
			})`, list, kind))
		}
	}
	p.run(`lab.pretend({
		type: "update", version: 2,
		media_signaling: { extension_transcriptions: { transport: { type: "data-channel", label: lab.label("track_switch_off") } } },
	})`)
	// The client takes a turn or two until it listens.
	p.wait(`(() => {
		lab.pretendOn("track_switch_off", { type: "extension_transcriptions", transcription: "hello" });
		return lab.seen("Room", "transcription") > 0;
	})()`)
}

// localEvents has the page do all that it can do by itself, and hear of it.
func (p *page) localEvents() {
	p.t.Helper()
	for _, kind := range []string{"audio", "video"} {
		p.publish(track(kind, kind))
		on := "Local" + strings.ToUpper(kind[:1]) + kind[1:] + "Track"
		p.waits(on, "started", kind)
		for _, do := range []string{"disable", "enable"} {
			p.run("lab.tracks." + kind + "." + do + "()")
			p.waits("LocalTrackPublication", "track"+strings.ToUpper(do[:1])+do[1:]+"d", kind)
		}
		// The fake devices are never muted.
		for _, event := range []string{"mute", "unmute"} {
			p.run("lab.tracks." + kind + `.mediaStreamTrack.dispatchEvent(new Event("` + event + `"))`)
			p.waits(on, event+"d", kind)
		}
	}
	p.waits("LocalVideoTrack", "dimensionsChanged", "video")
	p.publish(track("data", "data"))
	p.run(`lab.room.localParticipant.publishTrack(new Video.LocalDataTrack({ name: "data" })).catch(() => 0)`)
	p.waits("LocalParticipant", "trackPublicationFailed", "")
	require.InDelta(p.t, 53304, p.count(`lab.last("LocalParticipant", "trackPublicationFailed")[0].code`), 0)
	for _, kind := range []string{"audio", "video"} {
		p.run("lab.tracks." + kind + ".stop()")
		p.wait("lab.tracks." + kind + ".isStopped")
	}
}

type browserPublisher struct{ *page }

func (b *browserPublisher) publish(kind parley.Kind, name string) {
	b.page.publish(track(string(kind), name))
}

func (b *browserPublisher) publishExtra(name string) {
	b.page.publish(track("video", name, options{"width": 160, "height": 120, "frameRate": 5}))
}

func (b *browserPublisher) setEnabled(name string, enabled bool) {
	b.run("lab.tracks[" + js(name) + "].enable(" + js(enabled) + ")")
}

func (b *browserPublisher) setPriority(name string) {
	b.run(`lab.publication("", ` + js(name) + `).setPriority("high")`)
}

func (b *browserPublisher) send(name, text string) {
	b.run("lab.send(" + js(name) + "," + js(text) + ")")
}

type programPublisher struct {
	*program
	w      *world
	p      *page // that hears the events
	tracks map[string]parley.LocalTrack
}

func (g *programPublisher) publish(kind parley.Kind, name string) {
	switch kind {
	case parley.KindAudio:
		g.tracks[name] = voice(g.t, name)
	case parley.KindVideo:
		g.tracks[name] = clip(g.t, media.VP8, name)
	case parley.KindData:
		g.tracks[name] = dataTrack(g.t, parley.DataTrackOptions{Name: name})
	}
	_, err := g.LocalParticipant().PublishTrack(g.t.Context(), g.tracks[name], nil)
	require.NoError(g.t, err)
}

// A program keeps sections ready to receive in: others help.
func (g *programPublisher) publishExtra(name string) {
	g.t.Helper()
	helper := g.w.programWith(name, &parley.ConnectOptions{ManualSubscribe: true})
	// A failure that comes with the participant is told to nobody.
	g.p.wait("lab.participant(" + js(name) + ") !== undefined")
	_, err := helper.LocalParticipant().PublishTrack(g.t.Context(), clip(g.t, media.VP8, name), nil)
	require.NoError(g.t, err)
}

func (g *programPublisher) setEnabled(name string, enabled bool) {
	g.tracks[name].(interface{ SetEnabled(enabled bool) }).SetEnabled(enabled)
}

func (g *programPublisher) setPriority(name string) {
	for _, pub := range g.LocalParticipant().Tracks() {
		if pub.TrackName() == name {
			require.NoError(g.t, pub.SetPriority(parley.PriorityHigh))
		}
	}
}

func (g *programPublisher) send(name, text string) {
	require.NoError(g.t, g.tracks[name].(*parley.LocalDataTrack).SendText(g.t.Context(), text))
}

func (g *programPublisher) unpublish(name string) {
	require.NoError(g.t, g.LocalParticipant().UnpublishTrack(g.t.Context(), g.tracks[name]))
}

func (g *programPublisher) leave() { require.NoError(g.t, g.Disconnect()) }
