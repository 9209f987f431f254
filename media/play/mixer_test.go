package play_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
)

// level returns how loud a tone is in the sound, of 1.
func level(x []float64, hz float64) float64 {
	var re, im float64
	for i, v := range x {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / 48000)
		re, im = re+v*cos, im+v*sin
	}
	return 2 * math.Hypot(re, im) / float64(len(x)) / 32768
}

func TestTracksAreMixed(t *testing.T) {
	for _, mono := range []bool{false, true} {
		t.Run(fmt.Sprint("mono ", mono), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlayer(t, func(o *play.Options) { o.Mono = mono })
				pitches := []float64{300, 440, 620, 910, 1230}
				lines := map[float64]*line{}
				for i, hz := range pitches {
					lines[hz] = newLine()
					require.NoError(t, p.Add(fmt.Sprint("person", i), lines[hz]))
					(&stream{line: lines[hz], each: 20 * time.Millisecond, net: uneven(0, 20*time.Millisecond, 0, uint64(i)), make: tone(hz, 0.1)}).start(t, 5*time.Second)
				}
				require.NoError(t, p.SetGain(lines[620], 2))
				require.NoError(t, p.SetGain(lines[910], 0))
				var heard []float64
				listen(p, 3*time.Second, func(pcm []int16) {
					if mono {
						for _, v := range pcm {
							heard = append(heard, float64(v))
						}
						return
					}
					for i := range 480 {
						require.Equal(t, pcm[2*i], pcm[2*i+1])
					}
					heard = append(heard, left(pcm)...)
				})
				heard = heard[len(heard)-48000:]
				for _, hz := range pitches {
					want := map[float64]float64{620: 0.2, 910: 0}[hz]
					if hz != 620 && hz != 910 {
						want = 0.1
					}
					require.InDelta(t, want, level(heard, hz), 0.02, hz)
				}
			})
		})
	}
}

// Twenty people who shout are loud, and nothing wraps or clips.
func TestLoudMixesBend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t)
		for i := range 20 {
			l := newLine()
			require.NoError(t, p.Add(fmt.Sprint(i), l))
			(&stream{line: l, each: 20 * time.Millisecond, net: steady(0), make: tone(100, 1)}).start(t, 2*time.Second)
		}
		var heard []float64
		listen(p, 2*time.Second, func(pcm []int16) { heard = append(heard, left(pcm)...) })
		heard = heard[48000:]
		require.Greater(t, slices.Max(heard), 32000.0)
		require.Less(t, slices.Min(heard), -32000.0)
		for i, v := range heard[1:] {
			require.Less(t, math.Abs(v-heard[i]), 15000.0, "it wrapped")
		}
	})
}

// steepest returns the largest step from one sample to the next.
func steepest(x []float64) float64 {
	var most float64
	for i := range x[1:] {
		most = max(most, math.Abs(x[i+1]-x[i]))
	}
	return most
}

// Joining, leaving, ending, and turning louder or softer make no clicks: no step
// is larger than the tone's own.
func TestNothingClicks(t *testing.T) {
	const steep = 32768 * 0.5 * 2 * math.Pi * 200 / 48000 // of the tone
	for name, act := range map[string]func(t *testing.T, p *play.Player, l *line){
		"joining":  func(*testing.T, *play.Player, *line) {},
		"leaving":  func(_ *testing.T, p *play.Player, l *line) { p.Remove(l) },
		"ending":   func(_ *testing.T, _ *play.Player, l *line) { l.end() },
		"louder":   func(t *testing.T, p *play.Player, l *line) { require.NoError(t, p.SetGain(l, 1.4)) },
		"silenced": func(t *testing.T, p *play.Player, l *line) { require.NoError(t, p.SetGain(l, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlayer(t)
				l := newLine()
				require.NoError(t, p.Add("ann", l))
				sent := 2 * time.Second
				if name == "ending" {
					sent = 1005 * time.Millisecond
				}
				(&stream{line: l, each: 20 * time.Millisecond, net: steady(3 * time.Millisecond), make: tone(200, 0.5)}).start(t, sent)
				go func() {
					time.Sleep(1007 * time.Millisecond)
					act(t, p, l)
				}()
				var heard []float64
				listen(p, 2*time.Second, func(pcm []int16) { heard = append(heard, left(pcm)...) })
				t.Logf("steepest %.0f, of the tone %.0f", steepest(heard), steep)
				require.Less(t, steepest(heard), steep*1.4*1.15)
				_, loud := purity(heard[48000+24000:], 200, 2400)
				if name == "leaving" || name == "ending" {
					require.Zero(t, slices.Max(loud))
					require.Empty(t, p.Stats())
				}
			})
		})
	}
}

// What was sent before the end is heard to its end.
func TestEndIsPlayedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t, func(o *play.Options) { o.MinDelay = 300 * time.Millisecond })
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		go func() {
			made := tone(440, 0.5)
			for n := range 50 {
				s := made(n)
				s.Timestamp = time.Duration(n) * 20 * time.Millisecond
				l.send(s)
				time.Sleep(20 * time.Millisecond)
			}
			l.end()
		}()
		var heard []float64
		listen(p, 3*time.Second, func(pcm []int16) { heard = append(heard, left(pcm)...) })
		_, loud := purity(heard, 440, 480)
		require.InDelta(t, 1.0, (1-below(loud, 0.1))*3, 0.12)
	})
}

func TestReadAudioKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t)
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		(&stream{line: l, each: 20 * time.Millisecond, net: steady(0), make: tone(440, 0.5)}).start(t, 5*time.Second)
		var r media.AudioReader = p.Mixer()
		var f media.AudioFrame
		began := time.Now()
		var heard []float64
		for n := range 100 {
			require.NoError(t, r.ReadAudio(t.Context(), &f))
			require.Equal(t, time.Duration(n)*20*time.Millisecond, f.Timestamp)
			require.Equal(t, time.Duration(n)*20*time.Millisecond, time.Since(began))
			require.Equal(t, 20*time.Millisecond, f.Duration())
			require.Equal(t, 48000, f.Rate)
			heard = append(heard, left(f.Samples)...)
		}
		require.InDelta(t, 0.5, level(heard[48000:], 440), 0.03)
		time.Sleep(time.Second) // the program was busy
		require.NoError(t, r.ReadAudio(t.Context(), &f))
		require.Equal(t, time.Since(began), f.Timestamp, "time has gone on")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, r.ReadAudio(ctx, &f), context.Canceled)
		ended := make(chan error)
		go func() {
			for {
				if err := r.ReadAudio(context.Background(), &f); err != nil {
					ended <- err
					return
				}
			}
		}()
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-ended, io.EOF)
	})
}

func TestWAV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mix.wav")
	synctest.Test(t, func(t *testing.T) {
		w, err := play.CreateWAV(path)
		require.NoError(t, err)
		p := newPlayer(t, func(o *play.Options) { o.Sound = w })
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		(&stream{line: l, each: 20 * time.Millisecond, net: steady(0), make: tone(440, 0.5)}).start(t, 3*time.Second)
		time.Sleep(3*time.Second - time.Millisecond)
		require.NoError(t, p.Close())
		require.NoError(t, w.Close())
		require.ErrorIs(t, w.Start(p.Mixer()), play.ErrOption)
	})
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, b, 44+3*48000*4)
	require.Equal(t, "RIFF", string(b[:4]))
	require.EqualValues(t, len(b)-8, binary.LittleEndian.Uint32(b[4:]))
	require.EqualValues(t, len(b)-44, binary.LittleEndian.Uint32(b[40:]))
	var x []float64
	for i := 44 + 48000*4; i < len(b); i += 4 {
		x = append(x, float64(int16(binary.LittleEndian.Uint16(b[i:]))))
	}
	require.InDelta(t, 0.5, level(x, 440), 0.03)

	_, err = play.CreateWAV(filepath.Join(path, "not a folder"))
	require.ErrorContains(t, err, "mix.wav")
}
