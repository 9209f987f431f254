package play

import (
	"context"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
)

// piece is what ReadAudio gives at a time.
const piece = 20 * time.Millisecond

// Mixer is the sound of all tracks of a [Player], as one stream of 48 kHz. It
// is taken either by [Mixer.Mix], at the pace of a device, or by
// [Mixer.ReadAudio], at the pace of the clock; the two would take it from each
// other. It is a [media.AudioReader].
type Mixer struct {
	epoch time.Time
	mono  bool

	latency atomic.Int64 // from Mix to the ear
	pulled  atomic.Int64 // length of what Mix is asked for

	turn   sync.Mutex // who mixes; held while sound is decoded
	strips []*strip
	sum    [block * channels]float32
	part   [block * channels]int16
	mixed  time.Duration // when Mix was called last

	due   time.Time // of ReadAudio; its caller's
	count int64     // sample frames it gave
	over  chan struct{}
	once  sync.Once
}

// strip is one track in the mix.
type strip struct {
	voice *voice
	want  atomic.Uint32 // gain, as bits of a float32
	gain  float32       // of the last block; the mixer's
	leave bool          // as soon as it is silent
	drain bool          // when its voice has nothing left
}

func newMixer(epoch time.Time, mono bool) *Mixer {
	return &Mixer{epoch: epoch, mono: mono, over: make(chan struct{})}
}

func (s *strip) setGain(g float64) { s.want.Store(math.Float32bits(float32(g))) }

// Channels is how many the mix has: 2, or 1 if the player was told so.
func (m *Mixer) Channels() int {
	if m.mono {
		return 1
	}
	return 2
}

// Mix fills pcm with what is to be heard next, the channels interleaved. It
// never waits for sound: what has not arrived is concealed, or silent.
func (m *Mixer) Mix(pcm []int16) { m.mix(pcm, time.Since(m.epoch)) }

// mix is Mix at a time.
func (m *Mixer) mix(pcm []int16, now time.Duration) {
	per := m.Channels()
	m.pulled.Store(int64(length(len(pcm) / per)))
	at := now + time.Duration(m.latency.Load())
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mixed = now
	for len(pcm) > 0 {
		n := min(block, len(pcm)/per)
		if n == 0 {
			clear(pcm)
			return
		}
		m.block(pcm[:n*per], n, at)
		pcm, at = pcm[n*per:], at+length(n)
	}
}

// lead is how long before it is heard sound must be there.
func (m *Mixer) lead() time.Duration {
	return time.Duration(m.latency.Load() + m.pulled.Load())
}

// block mixes n sample frames that are heard at the time.
func (m *Mixer) block(dst []int16, n int, at time.Duration) {
	sum := m.sum[:n*channels]
	clear(sum)
	part := m.part[:n*channels]
	stay := m.strips[:0]
	for _, s := range m.strips {
		from, to := s.gain, math.Float32frombits(s.want.Load())
		if s.leave {
			to = 0
		}
		s.gain = to
		sound := s.voice.read(part, at)
		switch {
		case !sound:
		case from == to:
			for i, v := range part {
				sum[i] += float32(v) * to
			}
		default:
			step := (to - from) / float32(n)
			for i := range n {
				from += step
				sum[2*i] += float32(part[2*i]) * from
				sum[2*i+1] += float32(part[2*i+1]) * from
			}
		}
		if s.leave || s.drain && !sound && s.voice.queue.len() == 0 {
			s.voice.close()
			continue
		}
		stay = append(stay, s)
	}
	clear(m.strips[len(stay):])
	m.strips = stay
	if m.mono {
		for i := range n {
			dst[i] = soft((sum[2*i] + sum[2*i+1]) / 2)
		}
		return
	}
	for i, v := range sum {
		dst[i] = soft(v)
	}
}

// soft makes a sample of a sum: what is loud is bent, so that nothing clips.
func soft(v float32) int16 {
	const knee, room = 24000, math.MaxInt16 - 24000
	if -knee <= v && v <= knee {
		return int16(v)
	}
	if v > 0 {
		v = knee + room*float32(math.Tanh(float64(v-knee)/room))
	} else {
		v = -knee - room*float32(math.Tanh(float64(-v-knee)/room))
	}
	return int16(v)
}

// join adds a voice, from silence.
func (m *Mixer) join(v *voice, gain float64) *strip {
	s := &strip{voice: v}
	s.setGain(gain)
	m.turn.Lock()
	defer m.turn.Unlock()
	m.strips = append(m.strips, s)
	return s
}

// leave lets a voice fade out, at once or when it has nothing left.
func (m *Mixer) leave(s *strip, atOnce bool) {
	m.turn.Lock()
	defer m.turn.Unlock()
	s.leave, s.drain = atOnce, true
	if time.Since(m.epoch)-m.mixed > time.Second { // nobody listens
		m.strips = slices.DeleteFunc(m.strips, func(o *strip) bool { return o == s })
		s.voice.close()
	}
}

// end closes all voices; nothing is mixed any more.
func (m *Mixer) end() {
	m.once.Do(func() { close(m.over) })
	m.turn.Lock()
	defer m.turn.Unlock()
	for _, s := range m.strips {
		s.voice.close()
	}
	m.strips = nil
}

// ReadAudio waits until the next 20 ms of sound are due and puts them into f.
// A caller that comes late gets what is due now. It returns io.EOF when the
// player is closed.
func (m *Mixer) ReadAudio(ctx context.Context, f *media.AudioFrame) error {
	now := time.Now()
	if behind := now.Sub(m.due); behind > 10*piece {
		if m.count > 0 {
			m.count += int64(frames(behind)) // time goes on
		}
		m.due = now
	}
	timer := time.NewTimer(time.Until(m.due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	case <-m.over:
		return io.EOF
	}
	select {
	case <-m.over:
		return io.EOF
	default:
	}
	n := frames(piece) * m.Channels()
	if cap(f.Samples) < n {
		f.Samples = make([]int16, n)
	}
	f.Samples = f.Samples[:n]
	f.Rate, f.Channels = rate, m.Channels()
	f.Timestamp, f.Captured = length(int(m.count)), m.due
	m.Mix(f.Samples)
	m.due = m.due.Add(piece)
	m.count += int64(frames(piece))
	return nil
}

// Close ends ReadAudio. The sound goes on for Mix.
func (m *Mixer) Close() error {
	m.once.Do(func() { close(m.over) })
	return nil
}
