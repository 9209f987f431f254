package parley_test

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/stretchr/testify/require"
)

// encoder is a source of pictures, 30 a second, with as many bits as it is
// asked for, in VP8 that no decoder likes.
type encoder struct {
	natural int // bits per second, of its own accord
	aim     atomic.Int64
	key     atomic.Bool
	n       int
	began   time.Time
	closed  chan struct{}
	once    sync.Once
}

func newEncoder(bitrate int) *encoder { return &encoder{natural: bitrate, closed: make(chan struct{})} }

const encoderPace = time.Second / 30

func (e *encoder) Codec() media.Codec { return media.VP8 }

func (e *encoder) Next(ctx context.Context) (media.Sample, error) {
	if e.began.IsZero() {
		e.began = time.Now()
		e.key.Store(true)
	}
	e.n = max(e.n+1, int(time.Since(e.began)/encoderPace))
	timer := time.NewTimer(time.Until(e.began.Add(time.Duration(e.n) * encoderPace)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return media.Sample{}, ctx.Err()
	case <-e.closed:
		return media.Sample{}, io.EOF
	case <-timer.C:
	}
	bitrate := e.natural
	if aim := int(e.aim.Load()); aim > 0 {
		bitrate = aim
	}
	s := media.Sample{Codec: media.VP8, Data: make([]byte, max(bitrate/8/30, 20)), Timestamp: time.Duration(e.n) * encoderPace}
	s.Data[0] = 0x11
	if e.key.Swap(false) {
		s.Data[0], s.Keyframe, s.Width, s.Height = 0x10, true, 640, 480
		copy(s.Data[3:], []byte{0x9d, 0x01, 0x2a})
		binary.LittleEndian.PutUint16(s.Data[6:], 640)
		binary.LittleEndian.PutUint16(s.Data[8:], 480)
	}
	return s, nil
}

func (e *encoder) RequestKeyframe() { e.key.Store(true) }

func (e *encoder) SetBitrate(bps int) { e.aim.Store(int64(bps)) }

func (e *encoder) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

// fixed is an encoder that cannot be told, as a file.
type fixed struct{ e *encoder }

func (f fixed) Codec() media.Codec                             { return f.e.Codec() }
func (f fixed) Next(ctx context.Context) (media.Sample, error) { return f.e.Next(ctx) }
func (f fixed) RequestKeyframe()                               { f.e.RequestKeyframe() }
func (f fixed) Close() error                                   { return f.e.Close() }

func sending(t *testing.T, name string, src media.Source) *parley.LocalVideoTrack {
	t.Helper()
	track, err := parley.NewLocalVideoTrack(src, &parley.TrackOptions{Name: name})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	return track
}

func tone(t *testing.T) *parley.LocalAudioTrack {
	t.Helper()
	track, err := parley.NewLocalAudioTrack(synth.Tone(), &parley.TrackOptions{Name: "tone"})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	return track
}

// ear hears a track: when which piece arrived, and how large all were.
type ear struct {
	mu     sync.Mutex
	heard  []frame
	bytes  int
	origin time.Time
}

func (e *ear) WriteSample(s media.Sample) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.origin.IsZero() || time.Now().Add(-s.Timestamp).Before(e.origin) {
		e.origin = time.Now().Add(-s.Timestamp) // of the quickest
	}
	e.heard = append(e.heard, frame{time.Now(), s.Timestamp})
	e.bytes += len(s.Data)
	return nil
}

// since counts what came from a time on, and how much later than the quickest
// the latest of it was.
func (e *ear) since(at time.Time) (n int, late time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.heard {
		if f.at.After(at) {
			n++
			late = max(late, f.at.Sub(e.origin.Add(f.time)))
		}
	}
	return n, late
}

// rate is how many bits a second come in a time from now on.
func (e *ear) rate(d time.Duration) int {
	e.mu.Lock()
	before := e.bytes
	e.mu.Unlock()
	time.Sleep(d)
	e.mu.Lock()
	defer e.mu.Unlock()
	return int(float64(8*(e.bytes-before)) / d.Seconds())
}

func (m *member) hears(name string) *ear {
	m.t.Helper()
	e := &ear{}
	sub, _ := await(m, 0, func(s parley.TrackSubscribed) bool { return s.Track.Name() == name })
	switch track := sub.Track.(type) {
	case *parley.RemoteAudioTrack:
		require.NoError(m.t, track.Attach(e))
	case *parley.RemoteVideoTrack:
		require.NoError(m.t, track.Attach(e))
	}
	return e
}

// narrow limits what a host sends or receives to a rate, with a queue of 250 kB.
func narrow(rate int) func(*faultnet.Faults) {
	return func(f *faultnet.Faults) { f.Rate, f.Queue = rate, 250_000 }
}

// soundHolds requires that 98 in 100 pieces of sound came since a time.
func soundHolds(t *testing.T, e *ear, since time.Time) {
	t.Helper()
	n, _ := e.since(since)
	require.Greater(t, n, int(time.Since(since)/(20*time.Millisecond))*98/100-10)
}

// The downlink of one subscriber falls and recovers: its video goes, its sound
// stays, the video comes back, and nobody else notices.
func TestR16DownlinkFallsAndRecovers(t *testing.T) {
	inLab(t, 160, func(l *lab) {
		src := newEncoder(1_300_000)
		alice := l.join("alice", tone(l.t), sending(l.t, "film", fixed{src}))
		_ = alice
		bob, carol := l.joinWith("bob", profiled(parley.BandwidthProfile{})), l.join("carol")
		set := func(rate int) {
			bob.host.Impair(func(_, receive *faultnet.Faults) { narrow(rate)(receive) })
		}
		set(2_000_000)
		sound, film, other := bob.hears("tone"), bob.hears("film"), carol.hears("film")
		time.Sleep(5 * time.Second)
		require.Greater(t, film.rate(time.Second), 1_200_000)

		mark, fell := bob.log.mark(), time.Now()
		set(300_000)
		await[parley.TrackSwitchedOff](bob, mark)
		require.Less(t, time.Since(fell), 2*time.Second)
		time.Sleep(time.Until(fell.Add(5 * time.Second)))
		settled := time.Now()
		time.Sleep(10 * time.Second)
		_, late := sound.since(settled)
		require.Less(t, late, 500*time.Millisecond)
		soundHolds(t, sound, fell)

		mark, rose := bob.log.mark(), time.Now()
		set(2_000_000)
		await[parley.TrackSwitchedOn](bob, mark)
		require.Less(t, time.Since(rose), 15*time.Second)
		time.Sleep(time.Until(rose.Add(20 * time.Second)))
		require.Greater(t, film.rate(time.Second), 1_200_000)
		soundHolds(t, sound, fell)
		_, late = sound.since(rose)
		require.Less(t, late, 500*time.Millisecond)

		n, late := other.since(fell)
		require.Greater(t, n, int(time.Since(fell)/encoderPace)-5, "nobody else notices")
		require.Less(t, late, 100*time.Millisecond)
	})
}
