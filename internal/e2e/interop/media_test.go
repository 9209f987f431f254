//go:build e2e

package interop_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/record"
)

// TestBrowserPublishes has a program record what a browser publishes, and
// decodes it, while another browser plays it.
func TestBrowserPublishes(t *testing.T) {
	for _, codec := range []media.Codec{media.VP8, media.H264, media.VP9} {
		t.Run(string(codec), func(t *testing.T) {
			w := newWorld(t)
			alice := w.program("alice")
			p := w.join("browser", options{
				"tracks":               []options{track("audio", "microphone"), track("video", "camera")},
				"preferredVideoCodecs": []string{string(codec)},
			})
			q := w.join("second", nil)

			video := receives[*parley.RemoteVideoTrack](alice, "browser", "camera")
			audio := receives[*parley.RemoteAudioTrack](alice, "browser", "microphone")
			require.Equal(t, p.text(`lab.publication("", "camera").trackSid`), video.SID())
			require.Equal(t, p.text(`lab.publication("", "microphone").trackSid`), audio.SID())

			dir := t.TempDir()
			rec, err := record.New(dir, "browser", nil)
			require.NoError(t, err)
			sink, err := rec.AddTrack(codec, "camera")
			require.NoError(t, err)
			frames := 0
			for s, err := range video.Samples(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, codec, s.Codec)
				if frames == 0 {
					require.True(t, s.Keyframe, "the first frame is none to begin with")
					require.Equal(t, [2]int{640, 480}, [2]int{s.Width, s.Height})
				}
				require.NoError(t, sink.WriteSample(s))
				if frames++; frames == 45 {
					break
				}
			}
			packets := 0
			for s, err := range audio.Samples(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, media.Opus, s.Codec)
				if packets++; packets == 50 {
					break
				}
			}
			require.NoError(t, rec.Close())
			out, err := exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", recording(t, dir), "-f", "null", "-").CombinedOutput()
			require.NoError(t, err, "%s", out)

			q.shows("browser-"+string(codec), "browser", "camera")
			q.plays("browser", "microphone")
			require.Equal(t, "640x480", q.text(`((d) => d.width + "x" + d.height)(lab.track("browser", "camera").dimensions)`))
			p.quiet()
			q.quiet()
		})
	}
}

func recording(t *testing.T, dir string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.*"))
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0]
}

// TestProgramPublishes has a browser play every codec that it knows.
func TestProgramPublishes(t *testing.T) {
	w := newWorld(t)
	codecs := []media.Codec{media.VP8, media.VP9, media.H264, media.AV1, media.Opus, media.PCMU, media.PCMA}
	var tracks []parley.LocalTrack
	for _, codec := range codecs {
		tracks = append(tracks, clip(t, codec, string(codec)))
	}
	w.program("alice", tracks...)
	p := w.join("browser", nil)
	for _, codec := range codecs {
		if codec.Kind() == media.Video {
			p.shows("alice-"+string(codec), "alice", string(codec))
			require.Equal(t, "320x240", p.text(`((d) => d.width + "x" + d.height)(lab.track("alice", `+js(codec)+`).dimensions)`))
		} else {
			p.plays("alice", string(codec))
		}
	}
	p.picture("alice-all", "")
	p.quiet()
}

// TestOrderOfSections has two browsers whose sections stand in opposite order
// play each other for longer than it takes Chromium to sort streams by their
// section ids.
func TestOrderOfSections(t *testing.T) {
	w := newWorld(t)
	p := w.join("first", options{"tracks": []options{track("audio", "microphone"), track("video", "camera")}})
	q := w.join("second", options{"tracks": []options{track("data", "chat"), track("video", "camera")}})
	q.publish(track("audio", "microphone"))
	r := w.join("third", nil)
	for _, v := range []struct {
		page     *page
		identity string
	}{{p, "second"}, {q, "first"}, {r, "first"}, {r, "second"}} {
		v.page.plays(v.identity, "camera")
		v.page.plays(v.identity, "microphone")
	}
	// Eight seconds of fifteen frames each, and of fifty packets.
	p.rises(`lab.frames("second", "camera")`, 120)
	p.plays("second", "microphone")
	q.plays("first", "camera")
	q.plays("first", "microphone")
	r.plays("first", "camera")
	r.plays("second", "camera")
	p.quiet()
	q.quiet()
	r.quiet()
}
