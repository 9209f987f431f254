//go:build linux && devicevm

// Tests with real devices, in the device VM:
//
//	go test -tags 'devicevm codecs' -exec "$PWD/internal/devicevm/run" ./media/device
package device

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// sh runs a command of the machine.
func sh(t *testing.T, format string, args ...any) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", fmt.Sprintf(format, args...)).CombinedOutput()
	require.NoError(t, err, "%s: %s", fmt.Sprintf(format, args...), out)
	return string(out)
}

// until waits until what it is told by the machine is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 20*time.Second, 20*time.Millisecond, what)
}

// plug sees to it that the usual cards and cameras are there, and fresh.
func plug(t *testing.T) {
	t.Cleanup(func() {
		sh(t, "modprobe -r vivid; modprobe vivid n_devs=3 node_types=0x1,0x1,0x1 num_inputs=1,1,1 input_types=0x0,0x0,0x0 multiplanar=1,1,2")
		until(t, "cameras", func() bool { _, err := os.Stat("/dev/video2"); return err == nil })
		sh(t, "modprobe -r snd-aloop snd-dummy; modprobe snd-aloop index=0 pcm_substreams=2; modprobe snd-dummy index=1 pcm_substreams=1")
		until(t, "cards", func() bool { _, err := os.Stat("/dev/snd/controlC1"); return err == nil })
	})
}

func TestDevicesAreListed(t *testing.T) {
	all, err := Devices(t.Context())
	require.NoError(t, err)
	var mics, cams []Device
	for _, d := range all {
		t.Log(d, d.Kind, d.Default, d.Audio)
		require.NotEmpty(t, d.ID)
		require.NotEmpty(t, d.Label)
		if d.Kind == media.Audio {
			mics = append(mics, d)
		} else {
			cams = append(cams, d)
		}
	}
	require.Len(t, cams, 3)
	require.True(t, cams[0].Default)
	require.Equal(t, "/dev/video0", cams[0].alias[0])
	formats := strings.Join(strings.Fields(fmt.Sprint(cams[0].Video)), " ")
	for _, f := range []string{"YUYV", "NV12", "YU12", "640x480", "1280x720"} {
		require.Contains(t, formats, f)
	}

	var ids []string
	for _, d := range mics {
		ids = append(ids, d.ID)
		require.NotEmpty(t, d.Audio, d)
	}
	require.True(t, mics[0].Default)
	require.Subset(t, ids, []string{"hw:CARD=Loopback,DEV=0", "hw:CARD=Loopback,DEV=1", "hw:CARD=Dummy,DEV=0"})
	require.NotContains(t, ids, "null")

	again, err := Devices(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(all), len(again))
	for i := range all {
		require.Equal(t, all[i].ID, again[i].ID)
	}
}

// sine is endless sound, as bytes: 440 Hz at half of what there is.
type sine struct {
	second []byte // 440 whole waves
	at     int
}

func newSine(rate, channels int) *sine {
	s := &sine{}
	for n := range rate {
		v := uint16(int16(16384 * math.Sin(2*math.Pi*440*float64(n)/float64(rate))))
		for range channels {
			s.second = binary.LittleEndian.AppendUint16(s.second, v)
		}
	}
	return s
}

func (s *sine) Read(b []byte) (int, error) {
	n := copy(b, s.second[s.at:])
	s.at = (s.at + n) % len(s.second)
	return n, nil
}

// tone plays 440 Hz into the loopback card until the test ends.
func tone(t *testing.T, rate, channels int) {
	cmd := exec.Command("aplay", "-q", "-D", "hw:Loopback,1,0", "-t", "raw", "-f", "S16_LE", "-c", fmt.Sprint(channels),
		"-r", fmt.Sprint(rate), "--buffer-time", "500000", "-")
	cmd.Stdin = newSine(rate, channels)
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(stderr)
		}
	})
	until(t, "the tone", func() bool {
		status, err := os.ReadFile("/proc/asound/Loopback/pcm1p/sub0/status")
		return err == nil && strings.Contains(string(status), "RUNNING")
	})
}

// hear reads so much sound, behind what is heard while things settle.
func hear(t *testing.T, r media.AudioReader, length time.Duration) (samples []int16, rate, channels int) {
	f := &media.AudioFrame{}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var start, end time.Duration
	for {
		require.NoError(t, r.ReadAudio(ctx, f))
		require.Len(t, f.Samples, f.Rate/100*f.Channels)
		require.WithinDuration(t, time.Now(), f.Captured, 5*time.Second)
		if end != 0 && f.Timestamp != end {
			samples = samples[:0] // there was a gap
		}
		if len(samples) == 0 {
			start = f.Timestamp
		}
		end = f.Timestamp + f.Duration()
		samples = append(samples, f.Samples...)
		if end-start >= length+200*time.Millisecond {
			return samples[f.Rate/5*f.Channels:], f.Rate, f.Channels
		}
	}
}

func TestToneIsHeard(t *testing.T) {
	for name, c := range map[string]struct {
		rate, channels int // of the sound card
		opts           MicrophoneOptions
		name           string
	}{
		"mono":           {48000, 1, MicrophoneOptions{}, "hw:CARD=Loopback,DEV=0"},
		"one of two":     {48000, 2, MicrophoneOptions{}, "loopback,dev=0"},
		"two":            {48000, 2, MicrophoneOptions{Channels: 2}, "hw:Loopback,0"},
		"two of one":     {48000, 1, MicrophoneOptions{Channels: 2}, "hw:Loopback,0"},
		"8 kHz":          {48000, 2, MicrophoneOptions{Rate: 8000}, "hw:0,0"},
		"44.1 kHz alone": {44100, 2, MicrophoneOptions{}, "hw:CARD=Loopback,DEV=0"},
		"default":        {48000, 2, MicrophoneOptions{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tone(t, c.rate, c.channels)
			m, err := OpenMicrophone(t.Context(), c.name, &c.opts)
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			samples, rate, channels := hear(t, m, time.Second)
			require.Equal(t, AudioSettings{Rate: rate, Channels: channels}, m.Settings())
			require.Equal(t, max(1, c.opts.Channels), channels)
			for ch := range channels {
				freq, level := pitch(samples, ch, channels, rate)
				t.Logf("channel %d: %.1f Hz at %.3f", ch, freq, level)
				require.InDelta(t, 440, freq, 2)
				require.InDelta(t, 0.5, level, 0.02)
			}
		})
	}
}
