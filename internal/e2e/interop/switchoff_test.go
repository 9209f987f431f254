//go:build e2e

package interop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
)

func profile(video options) options { return options{"bandwidthProfile": options{"video": video}} }

// isOff checks that the page knows a track to be switched off, and decodes no
// more of it.
func (p *page) isOff(identity, name string) {
	p.t.Helper()
	frames := "lab.frames(" + js(identity) + "," + js(name) + ")"
	p.wait("lab.track(" + js(identity) + "," + js(name) + ").isSwitchedOff")
	// What is under way comes, then nothing for two seconds.
	p.wait(`(async () => {
		const pause = () => new Promise((resolve) => setTimeout(resolve, 2000));
		const before = await ` + frames + `;
		await pause();
		return (await ` + frames + `) === before;
	})()`)
}

// isOn checks that it is on, and that frames come.
func (p *page) isOn(identity, name string) {
	p.t.Helper()
	p.wait("lab.track(" + js(identity) + "," + js(name) + ")?.isSwitchedOff === false")
	p.plays(identity, name)
}

func priority(t *testing.T, g *program, name string, to parley.Priority) {
	t.Helper()
	for _, pub := range g.LocalParticipant().Tracks() {
		if pub.TrackName() == name {
			require.NoError(t, pub.SetPriority(to))
			return
		}
	}
	require.FailNow(t, "not published", name)
}

// TestMaxTracks has a browser that wants one track of video get the one of the
// highest priority, whoever changes that.
func TestMaxTracks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.program("alice", clip(t, media.VP8, "first"), clip(t, media.VP8, "second"))
	p := w.join("browser", profile(options{"maxTracks": 1, "dominantSpeakerPriority": "low"}))
	p.isOn("alice", "first")
	p.isOff("alice", "second")
	p.waits("RemoteVideoTrack", "switchedOff", "second")

	p.run(`lab.track("alice", "second").setPriority("high")`)
	p.isOn("alice", "second")
	p.isOff("alice", "first")
	p.waits("RemoteVideoTrack", "switchedOn", "second")
	p.waits("RemoteTrackPublication", "trackSwitchedOff", "first")
	p.run(`lab.track("alice", "second").setPriority(null)`)
	p.isOn("alice", "first")
	p.isOff("alice", "second")

	// The publisher's priority, of a program and of a browser.
	priority(t, alice, "second", parley.PriorityHigh)
	p.waits("RemoteTrackPublication", "publishPriorityChanged", "second")
	p.isOn("alice", "second")
	p.isOff("alice", "first")
	priority(t, alice, "second", parley.PriorityStandard)
	p.isOff("alice", "second")
	q := w.join("second", nil)
	q.publish(track("video", "camera", options{"priority": "high"}))
	p.wait(`lab.track("second", "camera") !== null`)
	p.isOn("second", "camera")
	p.isOff("alice", "first")
	q.run(`lab.publication("", "camera").setPriority("low")`)
	p.isOn("alice", "first")
	p.isOff("second", "camera")

	// It comes back to what it was.
	require.Equal(t, 1, w.srv.Cut("browser"))
	p.waits("Room", "reconnected", "")
	p.isOn("alice", "first")
	p.isOff("second", "camera")
	p.isOff("alice", "second")
	p.quiet("name: closed")
}

// TestSwitchOffByHand has a browser switch tracks off and on itself, and a
// program those of a browser.
func TestSwitchOffByHand(t *testing.T) {
	w := newWorld(t)
	w.program("alice", clip(t, media.VP8, "picture"))
	p := w.join("browser", profile(options{"clientTrackSwitchOffControl": "manual", "contentPreferencesMode": "manual"}))
	p.isOn("alice", "picture")
	p.run(`lab.track("alice", "picture").switchOff()`)
	p.isOff("alice", "picture")
	p.run(`lab.track("alice", "picture").switchOn()`)
	p.isOn("alice", "picture")
	p.run(`lab.track("alice", "picture").setContentPreferences({ renderDimensions: { width: 100, height: 100 } })`)
	p.isOn("alice", "picture")

	p.publish(track("video", "camera"))
	g := w.programWith("bob", &parley.ConnectOptions{BandwidthProfile: &parley.BandwidthProfile{}})
	camera := receives[*parley.RemoteVideoTrack](g, "browser", "camera")
	samples := make(chan media.Sample, 1000)
	go func() {
		defer close(samples)
		for s, err := range camera.Samples(t.Context()) {
			if err != nil {
				return
			}
			samples <- s
		}
	}()
	<-samples
	require.NoError(t, camera.SwitchOff())
	heard(g, func(e parley.TrackSwitchedOff) bool { return e.Track == camera })
	for quiet := false; !quiet; { // what was under way
		select {
		case <-samples:
		case <-time.After(2 * time.Second):
			quiet = true
		}
	}
	require.NoError(t, camera.SwitchOn())
	heard(g, func(e parley.TrackSwitchedOn) bool { return e.Track == camera })
	require.True(t, (<-samples).Keyframe)
	p.quiet()
}

// TestSwitchOffOfWhatNobodySees has a browser look at a picture and away from
// it.
func TestSwitchOffOfWhatNobodySees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.program("alice", clip(t, media.VP8, "picture"))
	p := w.join("browser", profile(options{}))
	p.isOn("alice", "picture")
	p.run(`lab.track("alice", "picture").detach().forEach((e) => e.remove())`)
	p.isOff("alice", "picture")
	p.run(`document.body.append(lab.track("alice", "picture").attach())`)
	p.isOn("alice", "picture")
	p.quiet()
}
