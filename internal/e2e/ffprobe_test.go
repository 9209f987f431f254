//go:build e2e

// Package e2e_test holds the tests that need other programs: this one needs
// ffmpeg and ffprobe.
package e2e_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/record"
)

var ffprobeNames = map[media.Codec]string{
	media.VP8: "vp8", media.VP9: "vp9", media.AV1: "av1", media.H264: "h264", media.H265: "hevc",
	media.Opus: "opus", media.PCMU: "pcm_mulaw", media.PCMA: "pcm_alaw",
}

type probed struct {
	Streams []struct {
		Codec    string `json:"codec_name"`
		Packets  string `json:"nb_read_packets"`
		Frames   string `json:"nb_read_frames"`
		Width    int    `json:"width"`
		Height   int    `json:"height"`
		Channels int    `json:"channels"`
	} `json:"streams"`
	Format struct {
		Name     string `json:"format_name"`
		Duration string `json:"duration"`
	} `json:"format"`
}

// run returns what the program prints, and fails when it complains at all.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	require.NoError(t, cmd.Run(), "%s: %s", name, &complaints)
	require.Empty(t, complaints.String(), name)
	return out.Bytes()
}

func probe(t *testing.T, path string) probed {
	t.Helper()
	var p probed
	require.NoError(t, json.Unmarshal(run(t, "ffprobe", "-v", "warning", "-count_packets", "-count_frames",
		"-show_streams", "-show_format", "-of", "json", path), &p))
	run(t, "ffmpeg", "-v", "error", "-xerror", "-i", path, "-map", "0", "-f", "null", "-")
	return p
}

func TestRecordingsDecodeWithoutErrors(t *testing.T) {
	for _, codec := range testclips.Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			p := probe(t, recordClips(t, codec))
			require.Len(t, p.Streams, 1)
			requireStream(t, p, 0, codec)
		})
	}
}

func TestRecordingsOfSeveralTracksDecodeWithoutErrors(t *testing.T) {
	for _, codecs := range [][]media.Codec{
		{media.VP8, media.Opus},
		{media.Opus, media.AV1},
		{media.H264, media.Opus},
		{media.PCMU, media.H265, media.VP9},
		testclips.Codecs(),
	} {
		p := probe(t, recordClips(t, codecs...))
		require.Len(t, p.Streams, len(codecs))
		for i, codec := range codecs {
			requireStream(t, p, i, codec)
		}
	}
}

// TestRecordingIsSeekable decodes one frame from the middle by the index.
func TestRecordingIsSeekable(t *testing.T) {
	path := recordClips(t, media.VP8)
	out := run(t, "ffmpeg", "-v", "warning", "-ss", "3.0", "-i", path, "-frames:v", "1", "-f", "framecrc", "-")
	whole := run(t, "ffmpeg", "-v", "warning", "-i", path, "-vf", `select=eq(n\,75)`, "-frames:v", "1", "-f", "framecrc", "-")
	require.Equal(t, checksum(t, whole), checksum(t, out))
}

func checksum(t *testing.T, framecrc []byte) string {
	t.Helper()
	lines := bytes.Split(bytes.TrimSpace(framecrc), []byte("\n"))
	fields := bytes.Split(lines[len(lines)-1], []byte(","))
	require.Len(t, fields, 6)
	return string(bytes.TrimSpace(fields[5]))
}

func requireStream(t *testing.T, p probed, i int, codec media.Codec) {
	t.Helper()
	s := p.Streams[i]
	n := strconv.Itoa(len(testclips.Samples(codec)))
	require.Equal(t, ffprobeNames[codec], s.Codec)
	require.Equal(t, n, s.Packets)
	require.Equal(t, n, s.Frames)
	if codec.Kind() == media.Video {
		require.Equal(t, [2]int{320, 240}, [2]int{s.Width, s.Height})
	} else {
		require.Positive(t, s.Channels)
	}
	require.Equal(t, "matroska,webm", p.Format.Name)
	seconds, err := strconv.ParseFloat(p.Format.Duration, 64)
	require.NoError(t, err)
	require.InDelta(t, 4, seconds, 2.01)
}

// recordClips records the clips of the codecs together and returns the file.
func recordClips(t *testing.T, codecs ...media.Codec) string {
	t.Helper()
	dir := t.TempDir()
	rec, err := record.New(dir, "PA0", nil)
	require.NoError(t, err)
	var tracks []*record.Track
	var clips [][]media.Sample
	for _, codec := range codecs {
		track, err := rec.AddTrack(codec, string(codec))
		require.NoError(t, err)
		tracks = append(tracks, track)
		clips = append(clips, testclips.Samples(codec))
	}
	for range 1000 { // by turns, always the track that is behind
		next := -1
		for i, clip := range clips {
			if len(clip) > 0 && (next < 0 || clip[0].Timestamp < clips[next][0].Timestamp) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		require.NoError(t, tracks[next].WriteSample(clips[next][0]))
		clips[next] = clips[next][1:]
	}
	require.NoError(t, rec.Close())
	return filepath.Join(dir, rec.File())
}
