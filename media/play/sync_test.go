package play_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
)

// raw decodes samples that are pictures of one brightness, as they are.
type raw struct {
	codec  media.Codec
	frozen bool
}

func rawDecoder(c media.Codec) (media.VideoDecoder, error) {
	if c == media.AV1 {
		return nil, codec.ErrUnavailable
	}
	return &raw{codec: c}, nil
}

func rawPicture(at time.Duration, luma byte, key bool) media.Sample {
	return media.Sample{Codec: media.VP8, Data: []byte{luma}, Timestamp: at, Keyframe: key}
}

func (r *raw) Codec() media.Codec { return r.codec }
func (r *raw) Close() error       { return nil }

func (r *raw) Decode(s media.Sample, f *media.VideoFrame) (bool, error) {
	if s.Lost > 0 && !s.Keyframe {
		r.frozen = true
	}
	r.frozen = r.frozen && !s.Keyframe
	if r.frozen {
		return false, codec.ErrLost
	}
	if len(s.Data) != 1 {
		return false, codec.ErrBitstream
	}
	if err := f.Reset(media.I420, 2, 2); err != nil {
		return false, err
	}
	f.Planes[0][0] = s.Data[0]
	return true, nil
}

// easel is a screen that remembers when it showed what.
type easel struct {
	mu     sync.Mutex
	shown  []shown
	titles []string
	open   int
}

type shown struct {
	title string
	luma  byte
	at    time.Time
}

func (e *easel) Open(title string) (play.Pane, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.titles = append(e.titles, title)
	e.open++
	return &easelPane{e, title}, nil
}

func (e *easel) Close() error { return nil }

func (e *easel) all() []shown {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.shown)
}

type easelPane struct {
	easel *easel
	title string
}

func (p *easelPane) Show(f *media.VideoFrame) error {
	p.easel.mu.Lock()
	defer p.easel.mu.Unlock()
	p.easel.shown = append(p.easel.shown, shown{p.title, f.Planes[0][0], time.Now()})
	return nil
}

func (p *easelPane) Close() error {
	p.easel.mu.Lock()
	defer p.easel.mu.Unlock()
	p.easel.open--
	return nil
}

// clapper sends a participant's sound and pictures: each second there is a tone
// and the pictures are bright, each other second silence and darkness. The
// microphone's clock is ppm off. Each track takes its own time.
type clapper struct {
	audio, video       *line
	ppm                float64
	audioNet, videoNet network
	reports            time.Duration // from when on capture times are known
	wall               time.Duration // what the sender's clock is ahead
}

const second = time.Second

func (c *clapper) start(t *testing.T, long time.Duration) {
	began := time.Now()
	stamp := func(at time.Time, s *media.Sample) {
		if c.reports >= 0 && at.Sub(began) >= c.reports {
			s.Captured = at.Add(c.wall)
		}
	}
	run := func(each time.Duration, net network, l *line, sample func(n int, from, to time.Duration) media.Sample) {
		over := cleanup(t)
		go func() {
			defer close(over)
			last, lost := began, 0
			for n := 0; ; n++ {
				from, to := time.Duration(n)*each, time.Duration(n+1)*each
				if to > long {
					return
				}
				took, gone := net(n)
				if gone {
					lost++
					continue
				}
				at := began.Add(to + took)
				if at.Before(last) {
					at = last
				}
				last = at
				time.Sleep(time.Until(at))
				s := sample(n, from, to)
				s.Lost, lost = lost, 0
				stamp(began.Add(from), &s)
				l.send(s)
			}
		}()
	}
	each := time.Duration(float64(20*time.Millisecond) / (1 + c.ppm/1e6))
	run(each, c.audioNet, c.audio, func(n int, from, _ time.Duration) media.Sample {
		s := media.Sample{Codec: media.PCMU, Data: make([]byte, 160), Timestamp: 55*time.Hour + time.Duration(n)*20*time.Millisecond, Keyframe: true}
		for i := range s.Data {
			s.Data[i] = 0xff // silence
			if at := from + each*time.Duration(i)/160; at%(2*second) < second {
				s.Data[i] = 0x9f // loud, a square of 500 Hz
				if i/8%2 == 1 {
					s.Data[i] = 0x1f
				}
			}
		}
		return s
	})
	run(time.Second/50, c.videoNet, c.video, func(_ int, from, _ time.Duration) media.Sample {
		luma := byte(1)
		if from%(2*second) < second {
			luma = 2
		}
		return rawPicture(9*time.Hour+from, luma, true)
	})
}

func cleanup(t *testing.T) chan struct{} {
	over := make(chan struct{})
	t.Cleanup(func() { <-over })
	return over
}

// skews returns, for each change seen, by how much later it was than the change
// heard next to it. Times are since the beginning.
func skews(began time.Time, loud []bool, pictures []shown, title string) (at, skew []time.Duration) {
	var heard, seen []time.Duration
	for i := 1; i < len(loud); i++ {
		if loud[i] != loud[i-1] {
			heard = append(heard, time.Duration(i)*time.Millisecond)
		}
	}
	last := byte(0)
	for _, s := range pictures {
		if s.title == title && s.luma != last {
			last = s.luma
			seen = append(seen, s.at.Sub(began))
		}
	}
	for _, s := range seen {
		best := time.Duration(math.MaxInt64)
		for _, h := range heard {
			if (s - h).Abs() < best.Abs() {
				best = s - h
			}
		}
		at, skew = append(at, s), append(skew, best)
	}
	return at, skew
}

// hear appends whether each millisecond is loud.
func hear(loud []bool, pcm []int16) []bool {
	for i := 0; i+96 <= len(pcm); i += 96 {
		most := int16(0)
		for _, v := range pcm[i : i+96] {
			most = max(most, max(v, -v))
		}
		loud = append(loud, most > 2000)
	}
	return loud
}

// Sound and pictures of a participant take different ways, of which one is
// uneven, and the microphone's clock is 200 ppm off. After a minute they are
// less than 40 ms apart, by the measure of who hears and sees.
func TestLipsAreInStep(t *testing.T) {
	for _, c := range []struct {
		name         string
		audio, video network
		ppm          float64
		reports      time.Duration
		from         time.Duration // it has to be right from then on
	}{
		{"slow video", steady(30 * time.Millisecond), uneven(180*time.Millisecond, 40*time.Millisecond, 0, 1), 200, 0, 5 * second},
		{"slow audio", uneven(250*time.Millisecond, 60*time.Millisecond, 0, 2), steady(20 * time.Millisecond), -200, 0, 5 * second},
		{"late reports", steady(30 * time.Millisecond), steady(330 * time.Millisecond), 200, 10 * second, 20 * second},
		{"loss", uneven(40*time.Millisecond, 30*time.Millisecond, 0.05, 3), uneven(90*time.Millisecond, 30*time.Millisecond, 0.05, 4), -200, 0, 10 * second},
		// Without reports the two are taken to be captured as they come: what
		// their ways differ by cannot be known.
		{"no reports", uneven(40*time.Millisecond, 30*time.Millisecond, 0, 3), uneven(40*time.Millisecond, 50*time.Millisecond, 0, 4), 0, -1, 10 * second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const long = 90 * time.Second
				screen := &easel{}
				p := newPlayer(t, func(o *play.Options) { o.Screen, o.VideoDecoder = screen, rawDecoder })
				ann := &clapper{
					audio: newLine(), video: newLine(), ppm: c.ppm, audioNet: c.audio, videoNet: c.video,
					reports: c.reports, wall: -1234 * time.Hour,
				}
				require.NoError(t, p.Add("ann", ann.audio))
				require.NoError(t, p.Add("ann", ann.video))
				began := time.Now()
				ann.start(t, long)
				var loud []bool
				listen(p, long, func(pcm []int16) { loud = hear(loud, pcm) })
				at, skew := skews(began, loud, screen.all(), "ann")
				var worst, after time.Duration
				n := 0
				for i, s := range skew {
					if at[i] > c.from {
						worst = max(worst, s.Abs())
						n++
					}
					if at[i] > 60*second {
						after = max(after, s.Abs())
					}
				}
				stats := p.Stats()
				t.Logf("worst %v from %v on, %v after a minute; %+v", worst, c.from, after, stats)
				require.Greater(t, n, 60)
				require.Less(t, after, 40*time.Millisecond)
				require.Less(t, worst, 60*time.Millisecond)
				require.Less(t, stats[1].Skew.Abs(), 20*time.Millisecond)
				require.InDelta(t, 1, float64(stats[1].Shown)/float64(stats[1].Samples), 0.05, "pictures are shown")
			})
		})
	}
}

// Sound does not wait for pictures that nobody sees.
func TestSoundWaitsForNothingUnseen(t *testing.T) {
	for name, change := range map[string]func(*play.Options){
		"no screen": func(*play.Options) {},
		"no decoder": func(o *play.Options) {
			o.Screen, o.VideoDecoder = &easel{}, func(media.Codec) (media.VideoDecoder, error) { return nil, codec.ErrUnavailable }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlayer(t, change)
				ann := &clapper{
					audio: newLine(), video: newLine(), audioNet: steady(30 * time.Millisecond), videoNet: steady(300 * time.Millisecond),
				}
				require.NoError(t, p.Add("ann", ann.audio))
				require.NoError(t, p.Add("ann", ann.video))
				ann.start(t, 10*second)
				listen(p, 10*second, nil)
				s := p.Stats()
				t.Logf("%+v", s)
				require.Less(t, s[0].Offset, 60*time.Millisecond)
				require.Equal(t, media.Video, s[1].Kind)
				require.Zero(t, s[1].Shown)
			})
		})
	}
}

// Who says nonsense about capture times is not in step, and no worse off.
func TestNonsenseAboutCaptureTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		screen := &easel{}
		p := newPlayer(t, func(o *play.Options) { o.Screen, o.VideoDecoder = screen, rawDecoder })
		audio, video := newLine(), newLine()
		require.NoError(t, p.Add("ann", audio))
		require.NoError(t, p.Add("ann", video))
		rnd := rand.New(rand.NewPCG(5, 5))
		go func() {
			made := tone(440, 0.5)
			for n := range 499 {
				s := made(n)
				s.Timestamp = time.Duration(n) * 20 * time.Millisecond
				s.Captured = time.Unix(rnd.Int64N(1<<40), 0)
				audio.send(s)
				v := rawPicture(time.Duration(n)*20*time.Millisecond, byte(n), true)
				v.Captured = time.Unix(rnd.Int64N(1<<40), 0)
				video.send(v)
				time.Sleep(20 * time.Millisecond)
			}
		}()
		listen(p, 10*time.Second, nil)
		stats := p.Stats()
		t.Logf("%+v", stats)
		require.Greater(t, stats[0].Played, 8*time.Second)
		require.Greater(t, stats[1].Shown, int64(400))
		require.Less(t, stats[0].Offset, 200*time.Millisecond)
	})
}

// Lost pictures freeze the film until the next key frame, which is asked for
// if the decoder or the queue has lost some itself.
func TestPicturesWaitForAKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		screen := &easel{}
		p := newPlayer(t, func(o *play.Options) { o.Screen, o.VideoDecoder = screen, rawDecoder })
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		for n := range 200 {
			s := rawPicture(time.Duration(n)*20*time.Millisecond, byte(n), n == 5 || n == 150)
			if n == 50 {
				s.Lost = 2
			}
			if n == 60 {
				s.Data = nil
			}
			l.send(s)
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(second)
		var got []byte
		for _, s := range screen.all() {
			got = append(got, s.luma)
		}
		var want []byte
		for n := range 200 {
			if n >= 5 && n < 50 || n >= 150 {
				want = append(want, byte(n))
			}
		}
		require.Equal(t, want, got)
		s := p.Stats()[0]
		require.EqualValues(t, 105, s.Frozen)
		require.GreaterOrEqual(t, l.asked, 2)
		require.LessOrEqual(t, l.asked, 5, "once a second")
		require.Equal(t, []string{"ann"}, screen.titles)
		l.end()
		synctest.Wait()
		require.Zero(t, screen.open)
		require.Empty(t, p.Stats())
	})
}

// A decoder that is not in the build is told, and costs the track alone.
func TestNoDecoder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		screen := &easel{}
		p := newPlayer(t, func(o *play.Options) { o.Screen, o.VideoDecoder = screen, rawDecoder })
		l := newLine()
		require.NoError(t, p.Add("ann", l))
		for n := range 50 {
			l.send(media.Sample{Codec: media.AV1, Data: []byte{1}, Timestamp: time.Duration(n) * 20 * time.Millisecond, Keyframe: true})
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(second)
		require.EqualValues(t, 50, p.Stats()[0].Failed)
		require.Empty(t, screen.titles)
	})
}
