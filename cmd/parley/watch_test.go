package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

// watchReport is what scripts may rely on.
type watchReport struct {
	Identity string `json:"identity"`
	Tracks   []struct {
		Participant    string  `json:"participant"`
		Name           string  `json:"name"`
		Codec          string  `json:"codec"`
		Width          int     `json:"width"`
		FirstFrameMS   float64 `json:"first_frame_ms"`
		FramesReceived int64   `json:"frames_received"`
		PacketsLost    *int64  `json:"packets_lost"`
		Played         *struct {
			Kind     string  `json:"kind"`
			PlayedMS float64 `json:"played_ms"`
			Shown    int64   `json:"shown"`
			Failed   int64   `json:"failed"`
		} `json:"played"`
	} `json:"tracks"`
	Recordings []string `json:"recordings"`
	Error      string   `json:"error"`
}

// aRobot publishes two pictures and a tone.
func aRobot(t *testing.T, srv *roomtest.Server, who string) {
	t.Helper()
	var tracks []parley.LocalTrack
	for _, name := range []string{"front", "thermal"} {
		track, err := parley.NewLocalVideoTrack(synth.Video(), &parley.TrackOptions{Name: name})
		require.NoError(t, err)
		t.Cleanup(track.Stop)
		tracks = append(tracks, track)
	}
	tone, err := parley.NewLocalAudioTrack(synth.Tone(), &parley.TrackOptions{Name: "mic"})
	require.NoError(t, err)
	t.Cleanup(tone.Stop)
	room, err := parley.Connect(srv.Token(who, "lab"), &parley.ConnectOptions{URL: srv.URL(), Tracks: append(tracks, tone)})
	require.NoError(t, err)
	t.Cleanup(func() { room.Disconnect() })
}

func TestWatchRecords(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	aRobot(t, srv, "robot")
	dir := filepath.Join(t.TempDir(), "new")
	w := parleyStart(t, lab(srv, "eye"), "watch", "--record", dir, "--json")
	w.until("in room lab as eye")
	w.until("[robot/front VP8 320x240 ")
	require.Regexp(t, `^\d+ fps \d+ kbit/s loss 0\.0 %\]`, w.until("[robot/front VP8 320x240 "))
	require.Zero(t, w.stop(syscall.SIGINT), "%s", &w.stderr)
	r := report[watchReport](t, w.stdout.String())
	require.Len(t, r.Tracks, 3)
	for _, one := range r.Tracks {
		require.Equal(t, "robot", one.Participant)
		require.Greater(t, one.FramesReceived, int64(10), one.Name)
		require.Positive(t, one.FirstFrameMS)
		require.NotNil(t, one.PacketsLost)
	}
	require.Len(t, r.Recordings, 1)
	require.FileExists(t, r.Recordings[0])
	require.Equal(t, dir, filepath.Dir(r.Recordings[0]))
}

func TestWatchSubscribesToWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	aRobot(t, srv, "robot")
	aRobot(t, srv, "other")
	for args, want := range map[string][]string{
		"--track front": {"other/front", "robot/front"},
		"--from robot":  {"robot/front", "robot/mic", "robot/thermal"},
		"--from robot --track mic --track thermal": {"robot/mic", "robot/thermal"},
	} {
		t.Run(args, func(t *testing.T) {
			w := parleyStart(t, lab(srv, "eye"), append([]string{"watch", "--json"}, strings.Fields(args)...)...)
			for line := ""; strings.Count(line, "[") != len(want); {
				line = w.until("rtt ")
			}
			require.Zero(t, w.stop(syscall.SIGINT), "%s", &w.stderr)
			var got []string
			for _, one := range report[watchReport](t, w.stdout.String()).Tracks {
				got = append(got, one.Participant+"/"+one.Name)
			}
			require.ElementsMatch(t, want, got)
		})
	}
}

// An empty room is no success.
func TestNothingReceivedIsAFailure(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	stdout, stderr, status := parleyRun(t, lab(srv, "eye"), "watch", "--duration", "500ms", "--json")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "parley: nothing was received\n")
	require.Equal(t, "nothing was received", report[watchReport](t, stdout).Error)
}

func TestWatchTellsWhyTheRoomEnded(t *testing.T) {
	t.Parallel()
	srv := roomtest.NewServer(t)
	aRobot(t, srv, "robot")
	w := parleyStart(t, lab(srv, "eye"), "watch")
	w.until("[robot/")
	srv.Complete("lab")
	require.Equal(t, exitFailed, w.wait())
	require.Contains(t, w.stderr.String(), "53118")
	require.Contains(t, w.stdout.String(), "robot/front (VP8 320x240)")
}

// What is received is decoded, mixed and played, here into a file, with a
// recording beside it and without.
func TestWatchPlays(t *testing.T) {
	t.Parallel()
	for what, more := range map[string][]string{"alone": nil, "recorded": {"--record", t.TempDir()}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			srv := roomtest.NewServer(t)
			aRobot(t, srv, "robot")
			mix := filepath.Join(t.TempDir(), "mix.wav")
			w := parleyStart(t, append(lab(srv, "eye"), "DISPLAY="), append([]string{"watch", "--json", "--speaker", mix}, more...)...)
			for range 3 {
				require.Regexp(t, ` delay \d+ ms concealed \d+ ms\]`, w.until("[robot/mic opus "))
			}
			require.Zero(t, w.stop(syscall.SIGINT), "%s", &w.stderr)
			played := 0.0
			for _, one := range report[watchReport](t, w.stdout.String()).Tracks {
				if one.Name == "mic" {
					require.NotNil(t, one.Played)
					require.Zero(t, one.Played.Failed)
					played = one.Played.PlayedMS
				} else {
					require.Nil(t, one.Played, "there is no window")
				}
			}
			require.Greater(t, played, 1000.0)
			data, err := os.ReadFile(mix)
			require.NoError(t, err)
			loud := 0
			for i := 44; i+1 < len(data); i += 2 {
				if v := int16(binary.LittleEndian.Uint16(data[i:])); v > 1000 || v < -1000 {
					loud++
				}
			}
			require.Greater(t, loud, 48000, "a second of two channels is louder than noise half of the time")
		})
	}
}

// What is wrong with where it is to be seen or heard is told in one line.
func TestWatchBadInput(t *testing.T) {
	env := []string{"PARLEY_URL=ws://127.0.0.1:1/signaling", "PARLEY_TOKEN=t", "DISPLAY="}
	for args, want := range map[string][]string{
		"--window --no-window":      {"--window", "--no-window"},
		"--window":                  {"--window", "DISPLAY"},
		"--speaker /no/such/a.wav":  {"--play", "/no/such/a.wav"},
		"--duration -1s":            {"--duration", "negative"},
		"front":                     {"front", "--help"},
		"--record " + os.DevNull:    {"refused"},
		"--identity a --token t":    {"exclude"},
		"--log-level loud --play=0": {"loud"},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := parleyRun(t, env, append([]string{"watch"}, strings.Fields(args)...)...)
			require.NotZero(t, status)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			for _, w := range want {
				require.Contains(t, stderr, w)
			}
		})
	}
}
