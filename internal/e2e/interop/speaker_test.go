//go:build e2e

package interop_test

import "testing"

// TestDominantSpeaker has a browser hear who speaks.
func TestDominantSpeaker(t *testing.T) {
	w := newWorld(t)
	p := w.join("browser", options{"dominantSpeaker": true})
	w.join("speaker", options{"tracks": []options{track("audio", "microphone")}})
	p.plays("speaker", "microphone")
	p.wait(`lab.room.dominantSpeaker?.identity === "speaker"`)
	p.waits("Room", "dominantSpeakerChanged", "")
}
