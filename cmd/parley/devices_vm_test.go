//go:build linux && devicevm

// Tests with real devices, in the device VM:
//
//	go test -tags 'devicevm codecs' -exec "$PWD/internal/devicevm/run" -run VM ./cmd/parley
package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

func init() { patience = 4 * time.Minute }

// running starts a program of the machine and ends it with the test.
func running(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // or it has ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%q said: %s", args, said.String())
		}
	})
}

// shows tells what a command said when the test fails in another place.
func shows(t *testing.T, p *process) *process {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%q said: %s", p.cmd.Args[1:], &p.stderr)
		}
	})
	return p
}

// aTone is heard on the loopback card.
func aTone(t *testing.T) {
	t.Helper()
	running(t, "speaker-test", "-D", "plughw:Loopback,1", "-r", "48000", "-c", "2", "-t", "sine", "-f", "440", "-l", "0", "-p", "100000")
}

// aCamera encodes H.264 by itself.
func aCamera(t *testing.T) string {
	t.Helper()
	const path = "/dev/video20"
	running(t, "ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-g", "15", "-f", "v4l2", path)
	require.Eventually(t, func() bool {
		out, err := exec.Command("v4l2-ctl", "-d", path, "--get-fmt-video").CombinedOutput()
		return err == nil && strings.Contains(string(out), "H264")
	}, patience, 100*time.Millisecond, "the camera")
	return path
}

func TestVMListsDevices(t *testing.T) {
	stdout, stderr, status := parleyRun(t, nil, "publish", "--list-devices", "--json")
	require.Zero(t, status, stderr)
	var l deviceList
	require.NoError(t, json.Unmarshal([]byte(stdout), &l))
	require.GreaterOrEqual(t, len(l.Cameras), 3)
	require.NotEmpty(t, l.Cameras[0].ID)
	require.Contains(t, l.Cameras[0].Label, "vivid")
	require.True(t, l.Cameras[0].Default)
	formats := map[string]bool{}
	for _, f := range l.Cameras[0].Formats {
		formats[fmt.Sprintf("%s %dx%d", f.Format, f.Width, f.Height)] = true
	}
	require.Contains(t, formats, "YUYV 640x480")
	var mics []string
	for _, m := range l.Microphones {
		mics = append(mics, m.ID)
	}
	require.Contains(t, strings.Join(mics, " "), "Loopback")

	stdout, stderr, status = parleyRun(t, nil, "publish", "--list-devices")
	require.Zero(t, status, stderr)
	require.Regexp(t, `(?s)^cameras:\n  vivid.*  \(default\)\n    .*YUYV 640x480.*microphones:\n.*Loopback.*screens: none\n$`, stdout)
}

// A camera and a microphone go into a room, and somebody records them.
func TestVMPublishesCameraAndMicrophone(t *testing.T) {
	srv := roomtest.NewServer(t)
	aTone(t)
	robot := shows(t, parleyStart(t, lab(srv, "robot"), "publish", "--json", "--camera", "/dev/video0", "--name", "front",
		"--size", "320x180", "--fps", "30", "--bitrate", "500k", "--mic", "hw:CARD=Loopback,DEV=0"))
	robot.until("front: ")
	robot.until("[front VP8 320x180 ")
	dir := t.TempDir()
	eye := parleyStart(t, lab(srv, "eye"), "watch", "--json", "--record", dir)
	eye.until("[robot/front VP8 320x180 ")
	for range 10 {
		eye.until("[robot/front VP8 320x180 ")
	}
	require.Zero(t, eye.stop(syscall.SIGINT), "%s", &eye.stderr)
	require.Zero(t, robot.stop(syscall.SIGINT), "%s", &robot.stderr)

	w := report[watchReport](t, eye.stdout.String())
	require.Len(t, w.Tracks, 2)
	for _, one := range w.Tracks {
		require.Greater(t, one.FramesReceived, int64(5), one.Name)
	}
	r := report[publishReport](t, robot.stdout.String())
	require.Equal(t, []string{"front", "mic"}, []string{r.Tracks[0].Name, r.Tracks[1].Name})
	require.Equal(t, "opus", r.Tracks[1].Codec)
	require.Contains(t, robot.stderr.String(), "320x180 at 30 a second")

	require.Len(t, w.Recordings, 1)
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "info", "-i", w.Recordings[0], "-map", "0:a", "-af", "volumedetect",
		"-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `mean_volume: -(\d|[1-4]\d)\.\d dB`, string(out), "the tone is heard; silence has less than -80 dB")
	out, err = exec.Command("ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", w.Recordings[0], "-map", "0:v", "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

// What a camera encodes itself is passed on as it is.
func TestVMPassesH264On(t *testing.T) {
	srv := roomtest.NewServer(t)
	path := aCamera(t)
	robot := parleyStart(t, lab(srv, "robot"), "publish", "--json", "--camera", path, "--codec", "h264")
	robot.until("H264 as it is")
	robot.until("[camera H264 320x240 ")
	eye := parleyStart(t, lab(srv, "eye"), "watch", "--json")
	eye.until("[robot/camera H264 320x240 ")
	eye.until("[robot/camera H264 320x240 ")
	require.Zero(t, eye.stop(syscall.SIGINT), "%s", &eye.stderr)
	require.Zero(t, robot.stop(syscall.SIGINT), "%s", &robot.stderr)
}

// Each thing that can be wrong with a device is one line that says what there
// is instead.
func TestVMWrongDevices(t *testing.T) {
	env := []string{"PARLEY_URL=ws://127.0.0.1:1/signaling", "PARLEY_TOKEN=t"}
	for args, want := range map[string][]string{
		"--camera garden":                              {"--camera garden", "no such device", "vivid"},
		"--camera vivid":                               {"--camera vivid", "no such device", "called like this"},
		"--camera /dev/video0 --size 123x45":           {"--camera /dev/video0", "cannot do that", "640x480"},
		"--camera /dev/video0 --fps 7 --size 640x480":  {"--camera /dev/video0", "cannot do that"},
		"--camera /dev/null":                           {"--camera /dev/null", "no such device", "vivid"},
		"--mic garden":                                 {"--mic garden", "no such device", "Loopback"},
		"--camera /dev/video0 --mic garden":            {"--mic garden", "no such device", "Loopback"},
		"--screen":                                     {"--screen default", "DISPLAY"},
		"--camera default --camera default --name two": {"in use"},
	} {
		t.Run(args, func(t *testing.T) {
			stdout, stderr, status := parleyRun(t, env, append([]string{"publish"}, strings.Fields(args)...)...)
			require.Equal(t, exitUsage, status, stderr)
			require.Empty(t, stdout)
			for _, w := range want {
				require.Contains(t, stderr, w)
			}
			last := strings.TrimSpace(stderr)
			last = last[strings.LastIndexByte(last, '\n')+1:]
			require.True(t, strings.HasPrefix(last, "parley: "), stderr)
		})
	}
}

// A camera that is unplugged ends its track; with --reopen it is waited for.
func TestVMUnpluggedCamera(t *testing.T) {
	disconnect := func() {
		out, err := exec.Command("v4l2-ctl", "-d", "/dev/video0", "-c", "disconnect=1").CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	srv := roomtest.NewServer(t)
	robot := parleyStart(t, lab(srv, "robot"), "publish", "--json", "--camera", "/dev/video0", "--size", "320x180", "--file", "test")
	robot.until("[camera VP8 320x180 ")
	disconnect()
	require.Contains(t, robot.until("camera: the source has ended: "), "unplugged")
	robot.until("[file VP8 320x240 ")
	require.Equal(t, exitFailed, robot.stop(syscall.SIGINT), "%s", &robot.stderr)
	require.Contains(t, report[publishReport](t, robot.stdout.String()).Tracks[0].Error, "unplugged")

	// The driver gives its cameras back once nobody has them open.
	robot = parleyStart(t, lab(srv, "robot"), "publish", "--json", "--camera", "/dev/video0", "--size", "320x180", "--reopen")
	robot.until("[camera VP8 320x180 ")
	disconnect()
	for good := 0; good < 4; {
		if !strings.HasPrefix(robot.until("[camera VP8 320x180 "), "0 fps") {
			good++
		}
	}
	require.Zero(t, robot.stop(syscall.SIGINT), "%s", &robot.stderr)
	require.Empty(t, report[publishReport](t, robot.stdout.String()).Tracks[0].Error)
}

// What is received is heard on a sound card.
func TestVMWatchIsHeard(t *testing.T) {
	srv := roomtest.NewServer(t)
	robot := shows(t, parleyStart(t, lab(srv, "robot"), "publish", "--file", "tone", "--name", "mic"))
	robot.until("[mic opus ")
	eye := shows(t, parleyStart(t, lab(srv, "eye"), "watch", "--json", "--no-window", "--play", "--speaker", "plughw:Loopback,1"))
	eye.until("[robot/mic opus ")
	heard := filepath.Join(t.TempDir(), "heard.wav")
	out, err := exec.Command("arecord", "-q", "-D", "plughw:Loopback,0", "-f", "S16_LE", "-r", "48000", "-c", "2", "-d", "3", heard).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `delay \d+ ms concealed \d+ ms\]`, eye.until("[robot/mic opus "))
	require.Zero(t, eye.stop(syscall.SIGINT), "%s", &eye.stderr)
	r := report[watchReport](t, eye.stdout.String())
	require.NotNil(t, r.Tracks[0].Played)
	require.Positive(t, r.Tracks[0].Played.PlayedMS)
	out, err = exec.Command("ffmpeg", "-nostdin", "-v", "info", "-i", heard, "-af", "volumedetect", "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `mean_volume: -(\d|[1-4]\d)\.\d dB`, string(out), "silence has less than -80 dB")
}
