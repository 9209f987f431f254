//go:build devicevm && cgo

// Tests with ALSA's loopback card: what is played on hw:0,1 is recorded from
// hw:0,0.
package speaker

import (
	"encoding/binary"
	"io"
	"math"
	"os/exec"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/internal/g711"
	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
)

// tone is a track with a tone of 440 Hz.
type tone struct{ done chan struct{} }

func (t tone) Done() <-chan struct{}   { return t.done }
func (t tone) Detach(media.Sink) error { return nil }

func (t tone) Attach(s media.Sink) error {
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ; n++ {
			var pcm []byte
			for i := range 160 {
				v := 16000 * math.Sin(2*math.Pi*440*float64(n*160+i)/8000)
				pcm = binary.LittleEndian.AppendUint16(pcm, uint16(int16(v)))
			}
			err := s.WriteSample(media.Sample{
				Codec: media.PCMU, Data: g711.MuLaw(pcm), Timestamp: time.Duration(n) * 20 * time.Millisecond, Keyframe: true,
			})
			if err != nil {
				return
			}
			select {
			case <-ticker.C:
			case <-t.done:
				return
			}
		}
	}()
	return nil
}

func TestDevicesAreListed(t *testing.T) {
	devices, err := Devices()
	require.NoError(t, err)
	ids := map[string]string{}
	for _, d := range devices {
		ids[d.ID] = d.Label
	}
	t.Logf("%q", ids)
	require.Contains(t, ids["hw:0,1"], "Loopback")
	require.Contains(t, ids["hw:1,0"], "Dummy")
	require.NotContains(t, ids, "null")
}

func TestToneIsHeard(t *testing.T) {
	s, err := Open(&Options{Device: "hw:0,1", Buffer: 100 * time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, "hw:0,1", s.Device().ID)
	player, err := play.New(&play.Options{Sound: s})
	require.NoError(t, err)
	track := tone{make(chan struct{})}
	require.NoError(t, player.Add("ann", track))
	rec := exec.CommandContext(t.Context(), "arecord", "-q", "-D", "hw:0,0", "-f", "S16_LE", "-r", "48000", "-c", "2", "-d", "3", "-t", "raw")
	out, err := rec.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, rec.Start())
	raw, err := io.ReadAll(out)
	require.NoError(t, err)
	require.NoError(t, rec.Wait())
	t.Logf("%+v, %d underruns", player.Stats(), s.Underruns())
	close(track.done)
	require.NoError(t, player.Close())
	require.NoError(t, s.Close(), "twice is fine")
	select {
	case <-s.Done():
	default:
		t.Fatal("it is done when it is closed")
	}

	// Half-second pieces of one channel; the last four are of the tone alone.
	require.Len(t, raw, 3*48000*4)
	for piece := 2; piece < 6; piece++ {
		var x [24000]float64
		var energy, crossings float64
		for i := range x {
			x[i] = float64(int16(binary.LittleEndian.Uint16(raw[4*(piece*24000+i):])))
			energy += x[i] * x[i]
			if i > 0 && x[i-1] < 0 && x[i] >= 0 {
				crossings++
			}
		}
		var re, im float64
		for i, v := range x {
			sin, cos := math.Sincos(2 * math.Pi * 440 * float64(i) / 48000)
			re, im = re+v*cos, im+v*sin
		}
		pure := 2 * (re*re + im*im) / float64(len(x)) / energy
		t.Logf("%d: %v Hz, loudness %.3f, %.4f of it at 440 Hz", piece, crossings*2, math.Sqrt(energy/24000)/32768, pure)
		require.InDelta(t, 440, crossings*2, 6)
		require.InDelta(t, 16000/math.Sqrt2/32768, math.Sqrt(energy/24000)/32768, 0.05)
		require.Greater(t, pure, 0.5, "pieces are missing")
	}
}

func TestBusyDevice(t *testing.T) {
	s, err := Open(&Options{Device: "hw:0,1"})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	_, err = Open(&Options{Device: "hw:0,1"})
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "hw:0,1")
}
