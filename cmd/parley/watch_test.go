package main

import (
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
