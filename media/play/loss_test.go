package play_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/play"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/stretchr/testify/require"
)

// bursts loses runs of samples, one run a second.
func bursts(base time.Duration, length int) network {
	return func(n int) (time.Duration, bool) { return base, n%50 >= 50-length }
}

// What is lost is concealed, and no more than that; what is heard stays the
// tone that was sent, as far as a guess can know.
func TestLossIsConcealed(t *testing.T) {
	const long = 30 * time.Second
	opus := clip(t, synth.Tone, 250)
	for _, c := range []struct {
		name string
		net  func() network // a fresh one for each
		lost float64        // share of the samples
		want float64        // share of what is played that is a guess
		bad  float64        // share of pieces of 20 ms that may be no tone
	}{
		// The clip of Opus is no whole number of periods: a click each 5 s.
		{"none", func() network { return steady(40 * time.Millisecond) }, 0, 0, 0.005},
		{"jitter", func() network { return uneven(40*time.Millisecond, 80*time.Millisecond, 0, 1) }, 0, 0, 0.02},
		{"5 %", func() network { return uneven(40*time.Millisecond, 20*time.Millisecond, 0.05, 2) }, 0.05, 0.05, 0.12},
		{"20 %", func() network { return uneven(40*time.Millisecond, 20*time.Millisecond, 0.20, 3) }, 0.20, 0.20, 0.36},
		{"bursts of 60 ms", func() network { return bursts(40*time.Millisecond, 3) }, 0.06, 0.06, 0.08},
		// After 100 ms it is better to be silent.
		{"bursts of 200 ms", func() network { return bursts(40*time.Millisecond, 10) }, 0.20, 0.11, 0.24},
	} {
		for kind, samples := range map[string]func(int) media.Sample{"pcmu": tone(440, 0.5), "opus": opus} {
			t.Run(c.name+" "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPlayer(t)
					l := newLine()
					require.NoError(t, p.Add("ann", l))
					(&stream{line: l, each: 20 * time.Millisecond, net: c.net(), make: samples}).start(t, long)
					var heard []float64
					n := 0
					listen(p, long, func(pcm []int16) {
						if n++; n > 100 {
							heard = append(heard, left(pcm)...)
						}
					})
					s := p.Stats()[0]
					db, loud := purity(heard, 440, 960)
					concealed := s.Concealed.Seconds() / s.Played.Seconds()
					t.Logf("concealed %.4f, %d late, target %v; of 20 ms pieces are %.4f under 20 dB, %.4f silent",
						concealed, s.Late, s.Target, below(db, 20), below(loud, 0.01))
					require.InDelta(t, c.lost, float64(s.Lost)/float64(s.Lost+s.Samples), 0.02)
					require.InDelta(t, c.want, concealed, 0.015)
					require.Zero(t, s.Failed)
					require.LessOrEqual(t, below(db, 20), c.bad)
				})
			})
		}
	}
}

// A path that is blocked for a while costs what it costs, and no more: sound
// goes on at the old delay soon.
func TestStallIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t)
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		stall := func(n int) (time.Duration, bool) {
			if n >= 500 && n < 550 { // a second arrives at once
				return time.Duration(550-n)*20*time.Millisecond + 40*time.Millisecond, false
			}
			return 40 * time.Millisecond, false
		}
		(&stream{line: l, each: 20 * time.Millisecond, net: stall, make: tone(440, 0.5)}).start(t, 60*time.Second)
		var heard []float64
		var worst, last time.Duration
		listen(p, 60*time.Second, func(pcm []int16) {
			heard = append(heard, left(pcm)...)
			last = p.Stats()[0].Offset
			worst = max(worst, last)
		})
		s := p.Stats()[0]
		_, loud := purity(heard, 440, 960)
		t.Logf("offset at most %v, %v in the end; %+v; %d silent pieces", worst, last, s, int(below(loud, 0.01)*float64(len(loud))))
		require.Less(t, below(loud[10:], 0.01)*float64(len(loud)), 60.0, "a second is missing, and hardly more")
		require.Less(t, last, 100*time.Millisecond)
	})
}

// A sender that begins with what it had saved up, as one whose first packets
// waited for the subscription, is heard with no more delay than others.
func TestBacklogIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t)
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		saved := func(n int) (time.Duration, bool) {
			return max(0, 3*time.Second-time.Duration(n)*20*time.Millisecond) + 40*time.Millisecond, false
		}
		(&stream{line: l, each: 20 * time.Millisecond, net: saved, make: tone(440, 0.5)}).start(t, 8*time.Second)
		var early time.Duration
		n := 0
		listen(p, 8*time.Second, func([]int16) {
			if n++; n == 350 {
				early = p.Stats()[0].Offset
			}
		})
		t.Logf("half a second after the beginning: %v; %+v", early, p.Stats()[0])
		require.Less(t, early, 80*time.Millisecond)
		require.Positive(t, early)
	})
}

// The path becomes longer, or shorter, for good.
func TestPathMayChange(t *testing.T) {
	for name, by := range map[string]time.Duration{"longer": 300 * time.Millisecond, "shorter": -300 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlayer(t)
				l := newLine()
				require.NoError(t, p.Add("ann", l))
				moved := func(n int) (time.Duration, bool) {
					if n > 500 {
						return 400*time.Millisecond + by, false
					}
					return 400 * time.Millisecond, false
				}
				(&stream{line: l, each: 20 * time.Millisecond, net: moved, make: tone(440, 0.5)}).start(t, 40*time.Second)
				var heard []float64
				n := 0
				listen(p, 40*time.Second, func(pcm []int16) {
					if n++; n > 1300 {
						heard = append(heard, left(pcm)...)
					}
				})
				s := p.Stats()[0]
				_, loud := purity(heard, 440, 960)
				t.Logf("%+v", s)
				require.Zero(t, below(loud, 0.3), "two seconds later all is well")
				require.Less(t, s.Offset, 100*time.Millisecond)
				require.Greater(t, s.Offset, 15*time.Millisecond)
			})
		})
	}
}

// A sender that pauses, with or without its clock going on, is heard again.
func TestPausesAreNoLoss(t *testing.T) {
	for name, clock := range map[string]bool{"clock goes on": true, "clock stands still": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlayer(t)
				l := newLine()
				require.NoError(t, p.Add("ann", l))
				made := tone(440, 0.5)
				go func() {
					began := time.Now()
					at := 77 * time.Hour
					for n := range 1500 {
						time.Sleep(time.Until(began.Add(time.Duration(n) * 20 * time.Millisecond)))
						if n%500 >= 250 { // five seconds of every ten
							if clock {
								at += 20 * time.Millisecond
							}
							continue
						}
						s := made(n)
						s.Timestamp = at
						at += 20 * time.Millisecond
						l.send(s)
					}
				}()
				var heard []float64
				listen(p, 31*time.Second, func(pcm []int16) { heard = append(heard, left(pcm)...) })
				s := p.Stats()[0]
				_, loud := purity(heard, 440, 480)
				t.Logf("%+v; silent %.3f", s, below(loud, 0.01))
				require.InDelta(t, 15.0/31, 1-below(loud, 0.01), 0.02)
				require.InDelta(t, 15, s.Played.Seconds(), 0.5)
				require.Less(t, s.Concealed, time.Second, "a guess at each pause's beginning")
				require.Zero(t, s.Late)
			})
		})
	}
}

// Senders may lie about everything.
func TestHostileSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t)
		lines := map[string]*line{}
		for _, who := range []string{"ann", "bob", "eve"} {
			lines[who] = newLine()
			require.NoError(t, p.Add(who, lines[who]))
		}
		(&stream{line: lines["ann"], each: 20 * time.Millisecond, net: steady(0), make: tone(440, 0.4)}).start(t, 20*time.Second)
		go func() {
			n := 0
			for _, at := range []time.Duration{0, -1, 1 << 62, -1 << 62, 1<<63 - 1, -1 << 63, time.Hour, 3, 2, 1} {
				for _, c := range []media.Codec{media.PCMU, media.Opus, "", "x", media.VP8} {
					for _, data := range [][]byte{nil, {1}, make([]byte, 3000), {0xff, 0xff, 0xff}} {
						n++
						time.Sleep(20 * time.Millisecond)
						s := media.Sample{Codec: c, Data: data, Timestamp: at + time.Duration(n), Lost: n * 1e9 * (n%3 - 1), Captured: time.Unix(int64(at), 0)}
						lines["bob"].send(s)
						lines["eve"].send(media.Sample{Codec: media.Opus, Data: data, Timestamp: at * time.Duration(n)})
					}
				}
			}
		}()
		var heard []float64
		listen(p, 20*time.Second, func(pcm []int16) { heard = append(heard, left(pcm)...) })
		stats := p.Stats()
		t.Logf("%+v", stats)
		require.Zero(t, stats[0].Concealed)
		require.InDelta(t, 20, stats[0].Played.Seconds(), 0.2)
		require.Positive(t, stats[1].Failed)
		for _, who := range []string{"bob", "eve"} {
			require.NoError(t, lines[who].err)
		}
	})
}

var _ play.Track = (*line)(nil)
