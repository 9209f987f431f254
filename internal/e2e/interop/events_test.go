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
)

// pending are the events that a browser does not hear of in TestEveryEvent, and
// what would have to be there. One that is seen does not belong here.
var pending = map[string]string{
	"Room.dominantSpeakerChanged":                  "has TestDominantSpeaker",
	"LocalParticipant.networkQualityLevelChanged":  "needs the channel network_quality",
	"RemoteParticipant.networkQualityLevelChanged": "needs the channel network_quality",
	"RemoteAudioTrack.switchedOff":                 "audio is never switched off",
	"RemoteAudioTrack.switchedOn":                  "audio is never switched off",
	"RemoteDataTrack.switchedOff":                  "data is never switched off",
	"RemoteDataTrack.switchedOn":                   "data is never switched off",
	"Room.recordingStarted":                        "needs recording on the server",
	"Room.recordingStopped":                        "needs recording on the server",
	"Room.trackWarning":                            "needs recording on the server",
	"Room.trackWarningsCleared":                    "needs recording on the server",
	"LocalParticipant.trackWarning":                "needs recording on the server",
	"LocalParticipant.trackWarningsCleared":        "needs recording on the server",
	"LocalTrackPublication.warning":                "needs recording on the server",
	"LocalTrackPublication.warningsCleared":        "needs recording on the server",
	"Room.transcription":                           "needs a speech service",
}

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
		everyEvent(t, func(w *world, _ *page) publisher { return &browserPublisher{w.join("publisher", nil)} })
	})
	t.Run("program", func(t *testing.T) {
		everyEvent(t, func(w *world, p *page) publisher {
			return &programPublisher{w: w, p: p, program: w.programWith("publisher", &parley.ConnectOptions{ManualSubscribe: true}), tracks: map[string]parley.LocalTrack{}}
		})
	})
}

func everyEvent(t *testing.T, join func(*world, *page) publisher) {
	w := newWorld(t, func(c *sfu.Config) { c.Limits.Sections = 8 })
	p := w.join("browser", profile(options{"clientTrackSwitchOffControl": "manual"}))
	p.localEvents()
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
	var missing, unexpected []string
	for _, class := range slices.Sorted(maps.Keys(table)) {
		for _, event := range table[class] {
			name := class + "." + event
			_, waits := pending[name]
			switch seen := slices.Contains(heard, name); {
			case !seen && !waits:
				missing = append(missing, name)
			case seen && waits:
				unexpected = append(unexpected, name)
			}
		}
	}
	require.Empty(t, missing, "never seen")
	require.Empty(t, unexpected, "seen, though they are pending")
	for name := range pending {
		class, event, _ := strings.Cut(name, ".")
		require.Contains(t, table[class], event, "pending names an event that there is not")
	}
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
		g.tracks[name] = clip(g.t, media.Opus, name)
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
