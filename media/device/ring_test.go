package device

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// counting makes samples that say which they are: channel c of sample n is
// 2n+c, cut to 16 bits.
func counting(from, n, channels int) []int16 {
	out := make([]int16, 0, n*channels)
	for i := from; i < from+n; i++ {
		for c := range channels {
			out = append(out, int16(2*i+c))
		}
	}
	return out
}

func TestPiecesOfWhateverComes(t *testing.T) {
	for _, channels := range []int{1, 2} {
		r := newRing(48000, channels)
		now := time.Now()
		begun := now
		sent, got := 0, 0
		f := &media.AudioFrame{}
		for sent < 48000 {
			n := 1 + rand.IntN(1500)
			now = begun.Add(span(int64(sent+n), 48000))
			r.write(counting(sent, n, channels), now)
			sent += n
			for {
				ok, end := r.take(f)
				require.NoError(t, end)
				if !ok {
					break
				}
				require.Equal(t, counting(got, 480, channels), f.Samples)
				require.Equal(t, span(int64(got), 48000), f.Timestamp)
				require.WithinDuration(t, begun.Add(f.Timestamp), f.Captured, time.Microsecond)
				require.Equal(t, 10*time.Millisecond, f.Duration())
				got += 480
			}
			require.Less(t, sent-got, 480)
		}
	}
}

func TestOldestSoundIsLost(t *testing.T) {
	r := newRing(48000, 2)
	now := time.Now()
	for i := range 100 { // a second
		r.write(counting(i*480, 480, 2), now.Add(time.Duration(i+1)*piece))
	}
	f := &media.AudioFrame{}
	ok, _ := r.take(f)
	require.True(t, ok)
	require.Equal(t, 950*time.Millisecond, f.Timestamp)
	require.Equal(t, counting(45600, 480, 2), f.Samples)
	require.WithinDuration(t, now.Add(f.Timestamp), f.Captured, time.Microsecond)

	// More at once than is kept.
	r.write(counting(48000, 24000, 2), now.Add(1500*time.Millisecond))
	ok, _ = r.take(f)
	require.True(t, ok)
	require.Equal(t, 1450*time.Millisecond, f.Timestamp)
	require.Equal(t, counting(69600, 480, 2), f.Samples)
}

func TestEndComesBehindTheSound(t *testing.T) {
	r := newRing(48000, 1)
	r.write(counting(0, 500, 1), time.Now())
	r.fail(errStopped)
	r.fail(media.ErrClosed)
	f := &media.AudioFrame{}
	ok, end := r.take(f)
	require.True(t, ok)
	require.NoError(t, end)
	ok, end = r.take(f)
	require.False(t, ok)
	require.ErrorIs(t, end, errStopped, "the first reason")
}

func TestRingWakesWhoWaits(t *testing.T) {
	r := newRing(48000, 1)
	timer := time.NewTimer(0)
	go r.write(counting(0, 480, 1), time.Now())
	ok, err := r.wait(t.Context(), timer, time.Hour)
	require.True(t, ok)
	require.NoError(t, err)
	ok, err = r.wait(t.Context(), timer, time.Millisecond)
	require.False(t, ok)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.wait(ctx, timer, time.Hour)
	require.ErrorIs(t, err, context.Canceled)
}

func TestSoundMakesNoGarbage(t *testing.T) {
	r := newRing(48000, 2)
	chunk := counting(0, 480, 2)
	f := &media.AudioFrame{}
	timer := time.NewTimer(0)
	now := time.Now()
	require.Zero(t, testing.AllocsPerRun(200, func() {
		now = now.Add(piece)
		r.write(chunk, now)
		if ok, err := r.wait(context.Background(), timer, time.Hour); !ok || err != nil {
			panic(err)
		}
		if ok, _ := r.take(f); !ok {
			panic("nothing")
		}
	}))
}

// What the device's clock says and when its sound comes are two things.
func TestClockIsFoundOut(t *testing.T) {
	for name, ppm := range map[string]float64{"exact": 0, "fast": 200, "slow": -200} {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 2))
			r := newRing(48000, 1)
			begun := time.Now()
			f := &media.AudioFrame{}
			var worst time.Duration
			for i := range 6000 { // a minute
				// When the last sample of the piece was heard, and when it came.
				heard := begun.Add(time.Duration(float64(i+1) * float64(piece) / (1 + ppm/1e6)))
				r.write(make([]int16, 480), heard.Add(time.Duration(rnd.ExpFloat64()*float64(3*time.Millisecond))))
				ok, _ := r.take(f)
				require.True(t, ok)
				require.Equal(t, time.Duration(i)*piece, f.Timestamp, "samples count, whatever their pace")
				if i > 200 {
					worst = max(worst, f.Captured.Sub(heard.Add(-piece)).Abs())
				}
			}
			t.Log("worst:", worst)
			require.Less(t, worst, 10*time.Millisecond)
		})
	}
}

func TestGapShows(t *testing.T) {
	r := newRing(48000, 1)
	begun := time.Now()
	f := &media.AudioFrame{}
	next := func(at time.Duration) {
		r.write(make([]int16, 480), begun.Add(at+piece))
		ok, _ := r.take(f)
		require.True(t, ok)
	}
	next(0)
	next(piece)
	require.Equal(t, piece, f.Timestamp)
	next(10 * time.Second) // the machine slept
	require.InDelta(t, 10*time.Second, f.Timestamp, float64(time.Millisecond))
	require.WithinDuration(t, begun.Add(10*time.Second), f.Captured, time.Millisecond)
	next(10*time.Second + piece)
	require.InDelta(t, 10*time.Second+piece, f.Timestamp, float64(time.Millisecond))
}

func TestTimestampsOfOneDeviceAfterAnother(t *testing.T) {
	var l timeline
	now := time.Now()
	place := func(epoch int, at, captured time.Duration) time.Duration {
		f := &media.AudioFrame{Rate: 48000, Channels: 1, Samples: make([]int16, 480), Timestamp: at, Captured: now.Add(captured)}
		l.place(epoch, f)
		return f.Timestamp
	}
	require.Equal(t, time.Duration(0), place(1, time.Hour, 0))
	require.Equal(t, piece, place(1, time.Hour+piece, piece))
	// The next device comes five seconds later and counts from zero.
	require.Equal(t, 2*piece+5*time.Second, place(3, 0, 2*piece+5*time.Second))
	require.Equal(t, 3*piece+5*time.Second, place(3, piece, 3*piece+5*time.Second))
	// One that claims to have heard earlier than the one before.
	require.Equal(t, 4*piece+5*time.Second, place(4, 0, 0))
}
