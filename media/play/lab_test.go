package play_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/internal/g711"
	"github.com/parley-rtc/parley/media/play"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is a track whose samples the test sends.
type line struct {
	mu    sync.Mutex
	sinks map[media.Sink]bool
	done  chan struct{}
	asked int
	err   error // of the sink
}

func newLine() *line { return &line{sinks: map[media.Sink]bool{}, done: make(chan struct{})} }

func (l *line) Attach(s media.Sink) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sinks[s] = true
	return nil
}

func (l *line) Detach(s media.Sink) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sinks, s)
	return nil
}

func (l *line) Done() <-chan struct{} { return l.done }

func (l *line) RequestKeyframe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
}

func (l *line) send(s media.Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sink := range l.sinks {
		if err := sink.WriteSample(s); err != nil {
			l.err = err
			delete(l.sinks, sink)
		}
	}
}

func (l *line) end() { close(l.done) }

// network says what becomes of a sample: how long it takes, or that it is lost.
type network func(n int) (took time.Duration, lost bool)

// steady takes the same time for all.
func steady(d time.Duration) network {
	return func(int) (time.Duration, bool) { return d, false }
}

// uneven adds up to jitter to each sample's time, and loses some. They stay in
// order.
func uneven(base, jitter time.Duration, loss float64, seed uint64) network {
	rnd := rand.New(rand.NewPCG(seed, 1))
	return func(int) (time.Duration, bool) {
		return base + time.Duration(rnd.Float64()*float64(jitter)), rnd.Float64() < loss
	}
}

// stream is samples of a track on their way.
type stream struct {
	line *line
	each time.Duration // the length of a sample, by the sender's clock
	ppm  float64       // how much quicker than ours that clock is
	net  network
	make func(n int) media.Sample
}

// run sends samples for so long.
func (s *stream) run(d time.Duration) {
	began := time.Now()
	lost := 0
	last := began
	for n := 0; ; n++ {
		sent := began.Add(time.Duration(float64(n+1) * float64(s.each) / (1 + s.ppm/1e6)))
		took, gone := s.net(n)
		if sent.Sub(began) > d {
			return
		}
		if gone {
			lost++
			continue
		}
		at := sent.Add(took)
		if at.Before(last) {
			at = last
		}
		last = at
		time.Sleep(time.Until(at))
		sample := s.make(n)
		sample.Timestamp = 1000*time.Hour + time.Duration(n)*s.each
		sample.Lost, lost = lost, 0
		sample.Keyframe = true
		s.line.send(sample)
	}
}

// tone makes samples of 20 ms with a tone in them, a multiple of 10 Hz.
func tone(hz, loud float64) func(n int) media.Sample {
	var made []media.Sample
	for n := range 5 {
		pcm := make([]byte, 0, 320)
		for i := range 160 {
			at := float64(n*160+i) / 8000
			v := int16(loud * 32767 * math.Sin(2*math.Pi*hz*at))
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
		}
		made = append(made, media.Sample{Codec: media.PCMU, Data: g711.MuLaw(pcm), Duration: 20 * time.Millisecond})
	}
	return func(n int) media.Sample { return made[n%5] }
}

// start runs the stream until the test's end, which waits for it.
func (s *stream) start(t *testing.T, d time.Duration) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.run(d)
	}()
	t.Cleanup(func() { <-over })
}

// listen takes the player's sound for so long, 10 ms at a time.
func listen(p *play.Player, d time.Duration, hear func(pcm []int16)) {
	pcm := make([]int16, 480*p.Mixer().Channels())
	began := time.Now()
	for n := 0; ; n++ {
		at := began.Add(time.Duration(n) * 10 * time.Millisecond)
		if at.Sub(began) >= d {
			return
		}
		time.Sleep(time.Until(at))
		p.Mixer().Mix(pcm)
		if hear != nil {
			hear(pcm)
		}
	}
}

func newPlayer(t *testing.T, change ...func(*play.Options)) *play.Player {
	t.Helper()
	var o play.Options
	for _, c := range change {
		c(&o)
	}
	p, err := play.New(&o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// left returns one channel of a stereo stream.
func left(pcm []int16) []float64 {
	out := make([]float64, len(pcm)/2)
	for i := range out {
		out[i] = float64(pcm[2*i])
	}
	return out
}

// purity returns, for each piece of so many samples, how much louder the tone
// is than all the rest, in dB, and how loud the piece is, of 1.
func purity(x []float64, hz float64, size int) (db, loud []float64) {
	for ; len(x) >= size; x = x[size:] {
		var s, c, ss, cc, sc, e float64
		for i, v := range x[:size] {
			sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / 48000)
			s, c, e = s+v*sin, c+v*cos, e+v*v
			ss, cc, sc = ss+sin*sin, cc+cos*cos, sc+sin*cos
		}
		det := ss*cc - sc*sc
		a, b := (s*cc-c*sc)/det, (c*ss-s*sc)/det
		pure := a*s + b*c
		db = append(db, 10*math.Log10((pure+1e-9)/(max(e-pure, 0)+1e-9)))
		loud = append(loud, math.Sqrt(e/float64(size))/32768)
	}
	return db, loud
}

// below returns the share of values under a limit.
func below(values []float64, limit float64) float64 {
	n := 0
	for _, v := range values {
		if v < limit {
			n++
		}
	}
	return float64(n) / float64(max(1, len(values)))
}

// clip returns the samples of a source, for its whole length.
func clip(t *testing.T, open func() media.Source, n int) func(i int) media.Sample {
	t.Helper()
	var list []media.Sample
	synctest.Test(t, func(t *testing.T) { // where it takes no time
		src := open()
		for range n {
			s, err := src.Next(t.Context())
			require.NoError(t, err)
			s.Data = slices.Clone(s.Data)
			list = append(list, s)
		}
		require.NoError(t, src.Close())
	})
	return func(i int) media.Sample { return list[i%n] }
}

// organ decodes samples that name one of the five parts of a tone of 440 Hz.
// It is for long tests.
type organ struct{ parts [5][]int16 }

func newOrgan(media.Codec) (media.AudioDecoder, error) {
	o := &organ{}
	for i := range 5 * 960 {
		v := int16(16000 * math.Sin(2*math.Pi*440*float64(i)/48000))
		o.parts[i/960] = append(o.parts[i/960], v, v)
	}
	return o, nil
}

func part(n int) media.Sample {
	return media.Sample{Codec: media.PCMU, Data: []byte{byte(n % 5)}, Duration: 20 * time.Millisecond}
}

func (o *organ) Codec() media.Codec { return media.PCMU }
func (o *organ) Close() error       { return nil }

func (o *organ) Decode(s media.Sample, f *media.AudioFrame) error {
	f.Rate, f.Channels, f.Samples = 48000, 2, append(f.Samples[:0], o.parts[s.Data[0]]...)
	return nil
}

func (o *organ) Conceal(_ media.Sample, d time.Duration, f *media.AudioFrame) error {
	f.Rate, f.Channels, f.Samples = 48000, 2, make([]int16, 2*d*48000/time.Second)
	return nil
}
