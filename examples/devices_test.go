//go:build unix

package examples_test

import (
	"debug/elf"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/roomtest"
	"github.com/stretchr/testify/require"
)

func clipOf(t *testing.T, codec media.Codec) string {
	t.Helper()
	name, data := testclips.File(codec)
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// toneFile is 440 Hz as espeak-ng writes its speech: 22 050 Hz, one channel,
// and a length that was not known when it began.
func toneFile(t *testing.T, length time.Duration) string {
	t.Helper()
	const rate = 22050
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("RIFF"), 0x7ffff024)
	b = le.AppendUint32(append(b, "WAVEfmt "...), 16)
	b = le.AppendUint16(le.AppendUint16(b, 1), 1)
	b = le.AppendUint32(le.AppendUint32(b, rate), 2*rate)
	b = le.AppendUint16(le.AppendUint16(b, 2), 16)
	b = le.AppendUint32(append(b, "data"...), 0x7ffff000)
	for n := range int(length.Seconds() * rate) {
		b = le.AppendUint16(b, uint16(int16(12000*math.Sin(2*math.Pi*440*float64(n)/rate))))
	}
	path := filepath.Join(t.TempDir(), "tone.wav")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// hear decodes a track until it ends.
func hear(t *testing.T, track *parley.RemoteAudioTrack) (pcm []int16, rate int) {
	t.Helper()
	dec, err := all.NewAudioDecoder(track.Codec(), 0, 1)
	require.NoError(t, err)
	defer dec.Close()
	var f media.AudioFrame
	for s, err := range track.Samples(t.Context()) {
		require.NoError(t, err)
		require.NoError(t, dec.Decode(s, &f))
		pcm, rate = append(pcm, f.Samples...), f.Rate
	}
	return pcm, rate
}

// level is how much of the frequency there is, from 0 to 1 of full scale.
func level(pcm []int16, rate int, hz float64) float64 {
	var re, im float64
	for n, v := range pcm {
		x := 2 * math.Pi * hz * float64(n) / float64(rate)
		re += float64(v) * math.Cos(x)
		im += float64(v) * math.Sin(x)
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm)) / 32768
}

func TestSpeakPlaysAFile(t *testing.T) {
	srv := roomtest.NewServer(t)
	alice := newAlice(t, srv)
	bot := start(t, env(srv, "bot"), "speak", "-wav", toneFile(t, 2*time.Second))
	bot.says("bot speaks " + string(spoken) + ` for 2\.0 s`)
	heard := roomtest.Next[parley.TrackStarted](t, alice.Events())
	require.Equal(t, "speech", heard.Track.Name())
	pcm, rate := hear(t, heard.Track.(*parley.RemoteAudioTrack))
	bot.says("said it")
	require.Zero(t, bot.ends())
	require.Greater(t, len(pcm), rate, "a second of two at the least")
	middle := pcm[len(pcm)/4 : len(pcm)/4+rate/2]
	require.InDelta(t, 12000.0/32768, level(middle, rate, 440), 0.06)
	require.Less(t, level(middle, rate, 1000), 0.01)
}

func TestSpeakRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "notes.wav")
	require.NoError(t, os.WriteFile(text, []byte("no sound at all"), 0o600))
	eight := filepath.Join(t.TempDir(), "eight.wav")
	wav, err := os.ReadFile(toneFile(t, time.Millisecond))
	require.NoError(t, err)
	wav[34] = 8
	require.NoError(t, os.WriteFile(eight, wav, 0o600))
	for what, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing":  {nil, "speak: name one text to say, or -wav FILE"},
		"both":     {[]string{"-wav", "a.wav", "hello"}, "speak: name one text to say, or -wav FILE"},
		"no file":  {[]string{"-wav", "/no/such.wav"}, "speak: open /no/such.wav: no such file or directory"},
		"text":     {[]string{"-wav", text}, "speak: .*notes.wav: not a WAV file"},
		"8 bits":   {[]string{"-wav", eight}, "speak: .*eight.wav: it is of format 1 with 8 bits; 16-bit PCM is understood"},
		"no voice": {[]string{"hello"}, "speak: .*espeak-ng.* install the package espeak-ng, or pass -wav"},
	} {
		t.Run(what, func(t *testing.T) {
			bot := start(t, []string{"PATH=/nowhere"}, "speak", c.args...)
			bot.says(c.says)
			require.Equal(t, 1, bot.ends())
			require.Len(t, bot.said, 1, "%q", bot.said)
		})
	}
}

// The robot is driven by its operator, who sees the front camera only, and
// stops when the operator lets go.
func TestRobot(t *testing.T) {
	srv := roomtest.NewServer(t)
	newAlice(t, srv) // whose picture the operator does not want
	robot := start(t, env(srv, "robot"), "robot", "-file", clipOf(t, media.H264))
	robot.says("robot shows H264 in lab")
	operator := start(t, env(srv, "operator"), "robot", "-operator", "-drive", "1s")
	operator.says("the front camera of robot is on", `first picture after \d{1,3} ms: H264, \d+ x \d+`, `let go after \d+ commands`)
	robot.says("operator drives", `motors: speed \+0\.5, turn \+0\.2`, "stop: no command for 500ms", `motors: speed \+0\.0, turn \+0\.0`)
	operator.interrupt()
	require.Zero(t, operator.ends())
	robot.interrupt()
	robot.says(`\d\d commands, \d+ lost, \d+ too late, 0 not understood, stopped 1 times`)
	require.Zero(t, robot.ends())
}

// The robot's own machine needs neither a C library nor anything else.
func TestRobotIsOneStaticFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "robot")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./robot")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	f, err := elf.Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, elf.EM_AARCH64, f.Machine)
	libs, err := f.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libs)
	for _, p := range f.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "it needs a loader")
	}
}

// What a device or a display is wanted for says in one line what is missing.
func TestWithoutDevices(t *testing.T) {
	srv := roomtest.NewServer(t)
	wav := filepath.Join(t.TempDir(), "mix.wav")
	for what, c := range map[string]struct {
		args string
		says string
	}{
		"no camera":       {"camera -camera no-such-camera -mic none", `camera: device: camera "no-such-camera": no such device; there .*`},
		"no size":         {"camera -mic none -camera no-such-camera -width -1", `camera: .*(no such device|cannot do that).*`},
		"no microphone":   {"camera -mic no-such-mic", `camera: device: .*(not in this build|no such device).*`},
		"no display":      {"window -speaker " + wav, `window: window: no usable display: .*DISPLAY.*`},
		"no H.264 camera": {"robot -camera no-such-camera", `robot: v4l2: find "no-such-camera": no such camera; there are .*`},
		"no clip":         {"robot -file /no/such.h264", "robot: media/file: .*/no/such.h264: no such file or directory"},
	} {
		t.Run(what, func(t *testing.T) {
			args := strings.Fields(c.args)
			bot := start(t, append(env(srv, "bot"), "DISPLAY="), args[0], args[1:]...)
			bot.says(c.says)
			require.Equal(t, 1, bot.ends())
			require.Len(t, bot.said, 1, "%q", bot.said)
		})
	}
}
