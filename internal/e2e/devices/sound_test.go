//go:build devicevm && codecs

package devices_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/all"
	"github.com/parley-rtc/parley/media/device"
)

// play plays a tone into the loopback card, of an amplitude of 0 to 1.
func play(t *testing.T, frequency, amplitude float64) {
	t.Helper()
	const rate, seconds = 48000, 10
	var pcm []byte
	for i := range rate * seconds {
		v := uint16(int16(math.Round(amplitude * 32767 * math.Sin(2*math.Pi*frequency*float64(i)/rate))))
		pcm = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(pcm, v), v)
	}
	file := filepath.Join(t.TempDir(), "tone")
	require.NoError(t, os.WriteFile(file, pcm, 0o600))
	// Whole periods of the tone, over and over, in one stream.
	start(t, "sh", "-c", `while cat "$0"; do :; done | aplay -q -D hw:Loopback,1 -t raw -f S16_LE -r 48000 -c 2 --buffer-time=1000000`, file)
	eventually(t, "the tone", func() bool {
		status, err := os.ReadFile("/proc/asound/Loopback/pcm1p/sub0/status")
		return err == nil && string(status) != "closed\n"
	})
}

// strength returns the share of a frequency in the power of a sound, and the
// sound's level in dB below that of a sine of full scale.
func strength(samples []int16, rate int, frequency float64) (share, level float64) {
	var re, im, power float64
	for i, s := range samples {
		v := float64(s) / 32767
		sin, cos := math.Sincos(2 * math.Pi * frequency * float64(i) / float64(rate))
		re, im, power = re+v*cos, im+v*sin, power+v*v
	}
	n := float64(len(samples))
	return 2 * (re*re + im*im) / max(n*power, 1e-9), 10 * math.Log10(max(2*power/n, 1e-9))
}

func TestStrengthOfATone(t *testing.T) {
	samples := make([]int16, 48000)
	for i := range samples {
		samples[i] = int16(32767 * 0.25 * math.Sin(2*math.Pi*440*float64(i)/48000))
	}
	share, level := strength(samples, 48000, 440)
	require.InDelta(t, 1, share, 0.01)
	require.InDelta(t, 20*math.Log10(0.25), level, 0.1)
	share, _ = strength(samples, 48000, 445)
	require.Less(t, share, 0.01)
}

// A tone goes from the card through Opus and the server to where it is heard,
// as high and as loud as it was.
func TestToneIsHeardInTheRoom(t *testing.T) {
	const amplitude = 0.25
	play(t, 440, amplitude)
	track, err := device.AudioTrack(within(t), &device.AudioOptions{Device: "hw:CARD=Loopback,DEV=0", Name: "mic", Bitrate: 64_000})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	require.Equal(t, media.Opus, track.Codec())
	dec, err := all.NewAudioDecoder(media.Opus, 48000, 1)
	require.NoError(t, err)
	defer func() { require.NoError(t, dec.Close()) }()

	call := newCall(t, track)
	const window = 2400 // samples: 22 periods of the tone
	var (
		f                  media.AudioFrame
		sound              []int16
		due                time.Duration
		packets, gaps      int
		share, level, best float64
		captured           time.Time
	)
	defer func() {
		t.Logf("%d packets, %d gaps; 440 Hz is %.1f %% of the sound, at %.2f dB; %.1f %% at best", packets, gaps, 100*share, level, 100*best)
	}()
	watch(t, call.subscribed(t, call.alice.LocalParticipant().AudioTracks()[0]), func(s media.Sample) bool {
		require.Equal(t, media.Opus, s.Codec)
		require.NoError(t, dec.Decode(s, &f))
		require.Equal(t, []int{48000, 1, 960}, []int{f.Rate, f.Channels, len(f.Samples)})
		if packets++; s.Timestamp != due && packets > 1 {
			gaps++
			sound = sound[:0]
		}
		due = s.Timestamp + f.Duration()
		sound = append(sound, f.Samples...)
		if !s.Captured.IsZero() {
			captured = s.Captured
		}
		if len(sound) < window {
			return false
		}
		// Player and card are too slow now and then on this machine, and where
		// that is cannot be seen: one stretch without it is enough.
		share, level = strength(sound[len(sound)-window:], 48000, 440)
		best = max(best, share)
		return share > 0.98 && !captured.IsZero()
	})
	require.InDelta(t, 20*math.Log10(amplitude), level, 1)
	require.WithinDuration(t, time.Now(), captured, limit)
}

func TestMicrophoneAbsent(t *testing.T) {
	_, err := device.AudioTrack(within(t), &device.AudioOptions{Device: "not there"})
	require.ErrorIs(t, err, device.ErrNotFound)
	require.ErrorContains(t, err, "Loopback", "it names what is there")

	run(t, "modprobe", "-r", "snd-aloop", "snd-dummy")
	defer plugCards(t)
	for what, opts := range map[string]*device.Options{
		"by default": {Audio: &device.AudioOptions{}},
		"by name":    {Audio: &device.AudioOptions{Device: "hw:CARD=Loopback,DEV=0"}},
		"with a camera": {
			Audio: &device.AudioOptions{},
			Video: &device.VideoOptions{Width: 640, Height: 360},
		},
	} {
		t.Run(what, func(t *testing.T) {
			tracks, err := device.Tracks(within(t), opts)
			require.ErrorIs(t, err, device.ErrNotFound)
			var typed *device.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, media.Audio, typed.Kind)
			require.Empty(t, tracks)
		})
	}

	// The camera is not held by what failed, and a room without sound lives.
	track := open(t, &device.VideoOptions{Width: 640, Height: 360})
	call := newCall(t, track)
	show(t, call.subscribed(t, call.alice.LocalParticipant().VideoTracks()[0]), 1)
}
