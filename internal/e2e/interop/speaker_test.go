//go:build e2e

package interop_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
)

// voice is a local track that says of itself that it is loud.
func voice(t *testing.T, name string) *parley.LocalAudioTrack {
	t.Helper()
	track, err := parley.NewLocalAudioTrack(loudly{testclips.Open(media.Opus)}, &parley.TrackOptions{Name: name})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	return track
}

// loudly says of a source's samples that they are loud.
type loudly struct{ media.Source }

func (s loudly) Next(ctx context.Context) (media.Sample, error) {
	sample, err := s.Source.Next(ctx)
	sample.Level = -3
	return sample, err
}

// TestDominantSpeaker has a browser and a program hear who speaks: another
// browser, whose fake microphone beeps, or another program.
func TestDominantSpeaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.join("browser", options{"dominantSpeaker": true})
	bob := w.programWith("bob", &parley.ConnectOptions{DominantSpeaker: true})
	speaks := func(identity string) {
		t.Helper()
		p.wait(`lab.room.dominantSpeaker?.identity === ` + js(identity))
		heard(bob, func(e parley.DominantSpeakerChanged) bool {
			return e.Participant != nil && e.Participant.Identity() == identity
		})
	}
	beeps := w.join("speaker", options{"tracks": []options{track("audio", "microphone")}})
	p.plays("speaker", "microphone")
	speaks("speaker")
	p.waits("Room", "dominantSpeakerChanged", "")

	loud := voice(t, "voice")
	w.program("alice", loud)
	beeps.run("lab.tracks.microphone.disable()") // how loud they are is the browser's business
	speaks("alice")
	loud.SetEnabled(false)
	beeps.run("lab.tracks.microphone.enable()")
	p.wait(`lab.room.dominantSpeaker?.identity === "speaker"`)
	require.GreaterOrEqual(t, p.count(`lab.seen("Room", "dominantSpeakerChanged")`), 3.0)
	p.quiet()
}
