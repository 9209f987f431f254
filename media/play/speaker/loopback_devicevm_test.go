//go:build devicevm && cgo

// Tests with ALSA's loopback card: what is played on hw:0,1 is recorded from
// hw:0,0.
package speaker

import (
	"encoding/binary"
	"io"
	"math"
	"os"
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
		began := time.Now()
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
			case <-time.After(time.Until(began.Add(time.Duration(n) * 20 * time.Millisecond))):
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
	// An emulated machine may stand still for long.
	player, err := play.New(&play.Options{Sound: s, MinDelay: 500 * time.Millisecond, MaxDelay: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, player.Close()) })
	track := tone{make(chan struct{})}
	require.NoError(t, player.Add("ann", track))
	rec := exec.CommandContext(t.Context(), "arecord", "-q", "-D", "plughw:0,0", "-f", "S16_LE", "-r", "48000", "-c", "2", "-d", "3", "-t", "raw")
	rec.Stderr = os.Stderr
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

	// Quarter-second pieces of one channel. Where the machine stood still some
	// is missing; the best piece tells what is heard.
	require.Len(t, raw, 3*48000*4)
	var best, hz, loud float64
	for piece := range 12 {
		var x [12000]float64
		var energy, re, im, crossings float64
		for i := range x {
			x[i] = float64(int16(binary.LittleEndian.Uint16(raw[4*(piece*len(x)+i):])))
			energy += x[i] * x[i]
			if i > 0 && x[i-1] < 0 && x[i] >= 0 {
				crossings++
			}
			sin, cos := math.Sincos(2 * math.Pi * 440 * float64(i) / 48000)
			re, im = re+x[i]*cos, im+x[i]*sin
		}
		pure := 2 * (re*re + im*im) / float64(len(x)) / max(energy, 1)
		rms := math.Sqrt(energy/float64(len(x))) / 32768
		t.Logf("%d: %v Hz, loudness %.3f, %.4f of it at 440 Hz", piece, crossings*4, rms, pure)
		if pure > best {
			best, hz, loud = pure, crossings*4, rms
		}
	}
	require.Greater(t, best, 0.98)
	require.InDelta(t, 440, hz, 6)
	require.InDelta(t, 16000/math.Sqrt2/32768, loud, 0.03)
}

func TestBusyDevice(t *testing.T) {
	s, err := Open(&Options{Device: "hw:0,1,0"})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	_, err = Open(&Options{Device: "hw:0,1,0"})
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorContains(t, err, "hw:0,1")
}
