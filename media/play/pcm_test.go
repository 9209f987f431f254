package play

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

func wave(hz float64, in, channels, from, n int) *media.AudioFrame {
	f := &media.AudioFrame{Rate: in, Channels: channels}
	for i := range n {
		for c := range channels {
			v := math.Sin(2 * math.Pi * hz * float64(c+1) * float64(from+i) / float64(in))
			f.Samples = append(f.Samples, int16(16000*v))
		}
	}
	return f
}

// noise is what is left of channel c of the sound when its tone is taken out,
// in dB below it.
func noise(x []int16, c int, hz float64) float64 {
	var s, q, ss, qq, sq, e float64
	for i := range len(x) / 2 {
		v := float64(x[2*i+c])
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		s, q, e = s+v*sin, q+v*cos, e+v*v
		ss, qq, sq = ss+sin*sin, qq+cos*cos, sq+sin*cos
	}
	det := ss*qq - sq*sq
	pure := ((s*qq-q*sq)*s + (q*ss-s*sq)*q) / det
	return 10 * math.Log10(pure/max(1, e-pure))
}

// Sound of any rate becomes that of the mix, with as many samples as it takes,
// and without a seam between two pieces.
func TestResampling(t *testing.T) {
	for _, in := range []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000} {
		for _, channels := range []int{1, 2, 6} {
			t.Run(fmt.Sprint(in, channels), func(t *testing.T) {
				var p pcm
				at := 0
				for k := range 50 {
					n := in/50 + k%3 - 1 // uneven pieces
					fresh, ok := p.add(wave(300, in, channels, at, n))
					require.True(t, ok)
					require.InDelta(t, float64(n)*rate/float64(in), len(fresh)/2, 1)
					at += n
				}
				require.InDelta(t, float64(at)*rate/float64(in), p.frames(), 1)
				x := p.all()[2*4800:]
				require.Greater(t, noise(x, 0, 300), 40.0)
				require.Greater(t, noise(x, 1, 300*float64(min(2, channels))), 40.0)
			})
		}
	}
}

func TestOddSoundIsRefused(t *testing.T) {
	var p pcm
	for _, f := range []media.AudioFrame{
		{},
		{Rate: 48000, Channels: 2},
		{Rate: 0, Channels: 1, Samples: []int16{1}},
		{Rate: 1 << 30, Channels: 1, Samples: []int16{1}},
		{Rate: 48000, Channels: 9, Samples: make([]int16, 90)},
		{Rate: 48000, Channels: -1, Samples: []int16{1}},
		{Rate: 8000, Channels: 2, Samples: []int16{1}},
	} {
		_, ok := p.add(&f)
		require.False(t, ok, f)
	}
	require.Zero(t, p.frames())
}

// Stretching changes the length by what it says, within what was asked for, and
// leaves a tone a tone.
func TestStretch(t *testing.T) {
	var s stretcher
	for _, hz := range []float64{90, 100, 133.7, 220, 440, 1000, 3333} {
		for _, d := range []time.Duration{-15 * time.Millisecond, -12 * time.Millisecond, 12 * time.Millisecond, 15 * time.Millisecond} {
			var p pcm
			p.silence(10) // the queue does not begin at its memory's beginning
			p.take(make([]int16, 20))
			_, ok := p.add(wave(hz, rate, 1, 0, 2400))
			require.True(t, ok)
			before := p.frames()
			got := s.apply(&p, d, 0.9)
			require.NotZero(t, got, "%v %v", hz, d)
			require.Equal(t, d < 0, got < 0)
			require.LessOrEqual(t, length(got).Abs(), d.Abs())
			require.Equal(t, before+got, p.frames())
			require.Greater(t, noise(p.all(), 0, hz), 15.0, "%v Hz by %v", hz, d)
			var steepest float64
			x := p.all()
			for i := 2; i < len(x); i += 2 {
				steepest = max(steepest, math.Abs(float64(x[i])-float64(x[i-2])))
			}
			require.Less(t, steepest, 1.2*16000*2*math.Sin(math.Pi*hz/rate)+2, "%v Hz by %v", hz, d)
		}
	}
}

func TestStretchNeedsALikeness(t *testing.T) {
	var s stretcher
	rnd := rand.New(rand.NewPCG(1, 1))
	hiss := func() *pcm {
		var p pcm
		for i, x := 0, p.grow(2400); i < len(x); i++ {
			x[i] = int16(rnd.IntN(20000) - 10000)
		}
		return &p
	}
	require.Zero(t, s.apply(hiss(), -10*time.Millisecond, 0.9))
	require.NotZero(t, s.apply(hiss(), -10*time.Millisecond, -1), "unless it must be")
	var silent pcm
	silent.silence(2400)
	require.Equal(t, -480, s.apply(&silent, -10*time.Millisecond, 0.9), "silence is like itself")
	for n := range 300 { // too little to do anything with
		var p pcm
		p.silence(n)
		require.LessOrEqual(t, s.apply(&p, -time.Second, -1), 0)
		require.LessOrEqual(t, p.frames(), n)
	}
}

// Whatever comes in whatever order, a voice stays within its bounds.
func FuzzVoice(f *testing.F) {
	f.Add([]byte{0, 20, 40, 60, 80, 100, 120, 140, 255, 3, 9, 200, 180, 160})
	f.Add([]byte{250, 250, 250, 1, 1, 1, 1, 128, 128, 128, 7})
	f.Fuzz(func(t *testing.T, script []byte) {
		p, err := New(nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, p.Close()) }()
		track := &endless{}
		require.NoError(t, p.Add("x", track))
		pcm := make([]int16, 960)
		var at, stamp time.Duration
		for i, b := range script[:min(len(script), 2000)] {
			s := media.Sample{Codec: media.PCMU, Data: make([]byte, int(b)*4), Lost: int(b) % 3}
			switch b % 8 {
			case 0:
				stamp += time.Duration(b) * time.Second
			case 1:
				stamp -= time.Duration(b) * 10 * time.Millisecond
			case 2:
				at += time.Duration(b) * 50 * time.Millisecond
			case 3:
				s.Codec, s.Data = media.Opus, script[i:min(i+int(b), len(script))]
			case 4:
				s.Captured = p.epoch.Add(time.Duration(b) * time.Hour)
			default:
				stamp += 20 * time.Millisecond
			}
			s.Timestamp = stamp
			require.NoError(t, p.Deliver(track, s, at))
			for range b % 4 {
				p.MixAt(pcm, at)
				at += 10 * time.Millisecond
			}
			f := p.feed(track)
			require.LessOrEqual(t, f.voice.queue.len(), maxSamples)
			require.Less(t, f.voice.pcm.frames(), rate/2+1020*6)
		}
	})
}

// endless is a track that nobody sends.
type endless struct{}

func (*endless) Attach(media.Sink) error { return nil }
func (*endless) Detach(media.Sink) error { return nil }
func (*endless) Done() <-chan struct{}   { return nil }
