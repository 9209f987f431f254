//go:build e2e

package browser_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/e2e/picture"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/record"
)

// recordRoom records so many frames of video, of two tracks that come from the
// server.
func recordRoom(t *testing.T, w *world, frames int) (dir, file string) {
	t.Helper()
	w.publish("alice", video(t, media.VP8, "camera"), audio(t, media.Opus, "microphone"))
	return recordOther(t, w.publish("recorder"), frames)
}

// recordOther records the camera and the microphone of the only other
// participant, and leaves.
func recordOther(t *testing.T, room *parley.Room, frames int) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	rec, err := record.New(dir, "PA0", nil)
	require.NoError(t, err)
	enough := make(chan struct{})
	attached := 0
	for e := range room.Events() {
		started, ok := e.(parley.TrackStarted)
		if !ok {
			continue
		}
		switch track := started.Track.(type) {
		case *parley.RemoteVideoTrack:
			sink, err := rec.AddTrack(track.Codec(), "camera")
			require.NoError(t, err)
			require.NoError(t, track.Attach(&counter{Sink: sink, left: frames, done: enough}))
		case *parley.RemoteAudioTrack:
			sink, err := rec.AddTrack(track.Codec(), "microphone")
			require.NoError(t, err)
			require.NoError(t, track.Attach(sink))
		}
		if attached++; attached == 2 {
			break
		}
	}
	select {
	case <-enough:
	case <-t.Context().Done():
		require.FailNow(t, "nothing to record came")
	}
	require.NoError(t, room.Disconnect())
	require.NoError(t, rec.Close())
	return dir, rec.File()
}

// counter tells when so many samples have been written.
type counter struct {
	media.Sink
	left int
	done chan struct{}
}

func (c *counter) WriteSample(s media.Sample) error {
	if c.left--; c.left == 0 {
		close(c.done)
	}
	return c.Sink.WriteSample(s)
}

const player = `document.querySelector("video")`

// requirePlays checks that the file plays in the browser's own player.
func requirePlays(t *testing.T, b *tab, dir, file string, least float64) {
	t.Helper()
	b.open(files(t, dir)+"/"+file, "")
	b.wait(player + `.readyState >= 3 && ` + player + `.videoWidth === 320`)
	require.GreaterOrEqual(t, b.number(player+".duration"), least, file)
	b.do(nil, "eval", map[string]any{"expression": `{ ` + player + `.loop = true; ` + player + `.muted = true; ` + player + `.play() }`})
	first := b.picture(file+"-1", "video")
	b.wait(player + `.currentTime > 0.6`)
	b.rises(player+`.getVideoPlaybackQuality().totalVideoFrames`, 5)
	second := b.picture(file+"-2", "video")
	require.Greater(t, picture.Lit(second, 120), 0.3, "the recording is black")
	require.Greater(t, picture.Differ(first, second), 0.002, "the recording does not move")
	require.Equal(t, "null", b.text(`String(`+player+`.error)`))

	// Its index lets it be entered in the middle.
	b.do(nil, "eval", map[string]any{"expression": player + `.pause(), ` + player + `.currentTime = 1, 0`})
	b.wait(`!` + player + `.seeking && Math.abs(` + player + `.currentTime - 1) < 0.1`)
	b.quiet("favicon.ico")
}

func TestRecordedRoomPlays(t *testing.T) {
	dir, file := recordRoom(t, newWorld(t), 75)
	require.Equal(t, ".webm", filepath.Ext(file))
	requirePlays(t, newTab(t), dir, file, 2.5)
}

// What WebM holds besides VP8, Chromium plays too.
func TestRecordedClipsPlay(t *testing.T) {
	b := newTab(t)
	for _, codec := range []media.Codec{media.VP8, media.VP9, media.AV1} {
		dir := t.TempDir()
		rec, err := record.New(dir, string(codec), nil)
		require.NoError(t, err)
		track, err := rec.AddTrack(codec, "camera")
		require.NoError(t, err)
		for _, s := range testclips.Samples(codec) {
			require.NoError(t, track.WriteSample(s))
		}
		require.NoError(t, rec.Close())
		requirePlays(t, b, dir, rec.File(), 1.5)
	}
}
