package media_test

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

// speech returns a piece of sound that is as long as it says and has no time.
func speech(rate int, length time.Duration) *media.AudioFrame {
	n := int(length * time.Duration(rate) / time.Second)
	return &media.AudioFrame{Rate: rate, Channels: 1, Samples: sine(rate, 1, 0, n)}
}

// heard is a sample and when it came.
type heard struct {
	media.Sample
	after time.Duration
}

// hear reads the source to its end.
func hear(t *testing.T, src media.Source) (samples []heard) {
	begun := time.Now()
	for {
		s, err := src.Next(t.Context())
		if err != nil {
			assert.Equal(t, io.EOF, err)
			return samples
		}
		samples = append(samples, heard{s, time.Since(begun)})
	}
}

// Five seconds of speech are made at once, and heard in five seconds.
func TestAudioPushPacesSpeech(t *testing.T) {
	for _, rate := range []int{48000, 44100, 22050, 16000} {
		synctest.Test(t, func(t *testing.T) {
			push, enc := media.NewAudioPush(&media.AudioPushOptions{Paced: true}), &pcm{}
			begun := time.Now()
			require.NoError(t, push.Write(t.Context(), speech(rate, 5*time.Second)))
			require.Zero(t, time.Since(begun))
			require.Equal(t, 5*time.Second, push.Waiting())
			require.NoError(t, push.Close())
			samples := hear(t, media.NewAudioSource(push, enc, nil))
			require.Len(t, samples, 250)
			for i, s := range samples {
				at := time.Duration(i) * 20 * time.Millisecond
				require.Equal(t, at, s.Timestamp)
				require.WithinDuration(t, begun.Add(at), s.Captured, time.Millisecond)
				require.InDelta(t, at, s.after, float64(21*time.Millisecond))
			}
			for i, want := range sine(48000, 1, 0, 5*48000)[100:230000] {
				require.InDelta(t, want, enc.all2(i+100), 12)
			}
		})
	}
}

// all2 returns one sample of all that was encoded.
func (e *pcm) all2(i int) int16 { return e.frames[i/960].Samples[i%960] }

func TestAudioPushPausesBetweenSentences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push, enc := media.NewAudioPush(&media.AudioPushOptions{Paced: true}), &pcm{}
		var samples []heard
		var wg sync.WaitGroup
		wg.Go(func() { samples = hear(t, media.NewAudioSource(push, enc, nil)) })
		begun := time.Now()
		require.NoError(t, push.Write(t.Context(), speech(16000, 110*time.Millisecond)))
		require.NoError(t, push.Flush(t.Context()))
		require.Equal(t, 145*time.Millisecond, time.Since(begun), "and the silence that pushes the end out")
		time.Sleep(855 * time.Millisecond)
		require.NoError(t, push.Write(t.Context(), speech(16000, 40*time.Millisecond)))
		require.NoError(t, push.Flush(t.Context()))
		require.NoError(t, push.Close())
		wg.Wait()
		var got []time.Duration
		for _, s := range samples {
			got = append(got, s.Timestamp/time.Millisecond)
			require.LessOrEqual(t, s.after-s.Timestamp, 40*time.Millisecond, "not even the end of a sentence is late")
		}
		require.Equal(t, []time.Duration{0, 20, 40, 60, 80, 100, 120, 1000, 1020, 1040}, got)
	})
}

// Speech that is made piece by piece, just in time, is not torn.
func TestAudioPushStreamsWithoutGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push, enc := media.NewAudioPush(&media.AudioPushOptions{Paced: true}), &pcm{}
		var wg sync.WaitGroup
		wg.Go(func() { hear(t, media.NewAudioSource(push, enc, nil)) })
		for i := range 50 { // 37 ms of sound each 37 ms, more or less
			f := &media.AudioFrame{Rate: 48000, Channels: 1, Samples: sine(48000, 1, i*1776, 1776)}
			require.NoError(t, push.Write(t.Context(), f))
			time.Sleep(time.Duration(37-3*(i%2)+3*((i+1)%2)-3) * time.Millisecond)
		}
		require.NoError(t, push.Close())
		wg.Wait()
		require.True(t, slices.Equal(sine(48000, 1, 0, 50*1776), enc.all()[:50*1776]))
	})
}

func TestAudioPushWriteWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewAudioPush(&media.AudioPushOptions{Paced: true, Queue: time.Second})
		require.NoError(t, push.Write(t.Context(), speech(16000, 5*time.Second)), "one piece always fits")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, push.Write(ctx, speech(16000, 200*time.Millisecond)), context.DeadlineExceeded)
		require.ErrorIs(t, push.Write(ctx, speech(16000, 200*time.Millisecond)), context.DeadlineExceeded)

		var wg sync.WaitGroup
		begun := time.Now()
		wg.Go(func() { hear(t, media.NewAudioSource(push, &pcm{}, nil)) })
		require.NoError(t, push.Write(t.Context(), speech(16000, 200*time.Millisecond)))
		require.InDelta(t, 4200*time.Millisecond, time.Since(begun), float64(20*time.Millisecond))
		require.NoError(t, push.Flush(t.Context()))
		require.Equal(t, 5225*time.Millisecond, time.Since(begun))
		require.NoError(t, push.Close())
		wg.Wait()
	})
}

func TestAudioPushQueueDefaults(t *testing.T) {
	for paced, want := range map[bool]time.Duration{true: 30 * time.Second, false: 200 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			push := media.NewAudioPush(&media.AudioPushOptions{Paced: paced})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for push.Write(ctx, speech(8000, 20*time.Millisecond)) == nil {
			}
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
			require.Equal(t, want, push.Waiting())
		})
	}
}

func TestAudioPushDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewAudioPush(&media.AudioPushOptions{Paced: true})
		src := media.NewAudioSource(push, &pcm{}, nil)
		require.NoError(t, push.Write(t.Context(), speech(48000, 5*time.Second)))
		for range 50 {
			next(t, src)
		}
		push.Discard()
		require.Zero(t, push.Waiting())
		require.NoError(t, push.Flush(t.Context()))
		require.NoError(t, push.Write(t.Context(), speech(48000, 40*time.Millisecond)))
		require.Equal(t, time.Second, next(t, src).Timestamp)
		require.NoError(t, push.Close())
	})
}

// A track that is paused, or not published yet, does not make up for it.
func TestAudioPushReaderComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewAudioPush(&media.AudioPushOptions{Paced: true})
		src := media.NewAudioSource(push, &pcm{}, nil)
		require.NoError(t, push.Write(t.Context(), speech(48000, 5*time.Second)))
		time.Sleep(time.Hour)
		require.Zero(t, next(t, src).Timestamp, "it begins with the first read")
		time.Sleep(500 * time.Millisecond)
		for range 26 { // a short delay is made up for
			next(t, src)
		}
		time.Sleep(time.Minute)
		first := next(t, src)
		begun := time.Now()
		for range 10 {
			next(t, src)
		}
		require.InDelta(t, 200*time.Millisecond, time.Since(begun), float64(20*time.Millisecond))
		require.Greater(t, first.Timestamp, time.Minute)
	})
}

func TestAudioPushUnpacedIsDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewAudioPush(nil)
		src := media.NewAudioSource(push, &pcm{}, nil)
		begun := time.Now()
		for i := range 10 {
			time.Sleep(20 * time.Millisecond) // the program's pace: it has heard so much
			require.NoError(t, push.Write(t.Context(), speech(44100, 20*time.Millisecond)))
			if i == 0 {
				continue // the resampler sees a moment ahead
			}
			s := next(t, src)
			require.Equal(t, time.Duration(i-1)*20*time.Millisecond, s.Timestamp)
			require.WithinDuration(t, begun.Add(s.Timestamp), s.Captured, 100*time.Microsecond)
		}
		require.Equal(t, 200*time.Millisecond, time.Since(begun))
	})
}

func TestAudioPushTimestamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewAudioPush(nil)
		write := func(f *media.AudioFrame) media.AudioFrame {
			require.NoError(t, push.Write(t.Context(), f))
			return readAudio(t, push)
		}
		f := speech(16000, 100*time.Millisecond)
		f.Timestamp, f.Captured = time.Minute, epoch
		require.Equal(t, *f, write(f), "the program's, where it says so")
		f.Timestamp, f.Captured = 0, time.Time{}
		time.Sleep(550 * time.Millisecond)
		require.Equal(t, time.Minute+100*time.Millisecond, write(f).Timestamp, "late, but no pause")
		time.Sleep(5100 * time.Millisecond)
		got := write(f)
		require.Equal(t, time.Minute+5200*time.Millisecond, got.Timestamp, "a pause of five seconds")
		require.Equal(t, time.Now().Add(-100*time.Millisecond), got.Captured)
	})
}

func TestAudioPushRefusesWhatIsMalformed(t *testing.T) {
	push := media.NewAudioPush(nil)
	var frameError *media.FrameError
	require.ErrorAs(t, push.Write(t.Context(), &media.AudioFrame{}), &frameError)
	require.ErrorAs(t, push.Write(t.Context(), &media.AudioFrame{Rate: 48000, Channels: 2, Samples: make([]int16, 3)}), &frameError)
	require.NoError(t, push.Write(t.Context(), &media.AudioFrame{Rate: 48000, Channels: 2}), "nothing")
	require.Zero(t, push.Waiting())
}

func TestAudioPushCloseEndsBehindWhatWaits(t *testing.T) {
	for _, paced := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			push := media.NewAudioPush(&media.AudioPushOptions{Paced: paced, Queue: 100 * time.Millisecond})
			require.NoError(t, push.Write(t.Context(), speech(48000, 60*time.Millisecond)))
			written, flushed := make(chan error), make(chan error)
			go func() { written <- push.Write(t.Context(), speech(48000, 60*time.Millisecond)) }()
			go func() { flushed <- push.Flush(t.Context()) }()
			synctest.Wait()
			require.NoError(t, push.Close())
			require.NoError(t, push.Close())
			require.ErrorIs(t, <-written, media.ErrClosed)
			require.ErrorIs(t, <-flushed, media.ErrClosed)
			require.Len(t, hear(t, media.NewAudioSource(push, &pcm{}, nil)), 3)
			require.NoError(t, push.Flush(t.Context()), "nothing waits any more")
			require.ErrorIs(t, push.Write(t.Context(), speech(48000, time.Millisecond)), media.ErrClosed)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		push := media.NewAudioPush(nil)
		read := make(chan error)
		go func() {
			var f media.AudioFrame
			read <- push.ReadAudio(t.Context(), &f)
		}()
		synctest.Wait()
		require.NoError(t, push.Close())
		require.Equal(t, io.EOF, <-read)
	})
}

func TestAudioPushWaitsEndWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewAudioPush(&media.AudioPushOptions{Paced: true})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		var f media.AudioFrame
		require.ErrorIs(t, push.ReadAudio(ctx, &f), context.DeadlineExceeded, "no sound")
		require.NoError(t, push.Write(t.Context(), speech(48000, time.Second)))
		readAudio(t, push)
		ctx, cancel = context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, push.ReadAudio(ctx, &f), context.DeadlineExceeded, "none due")
		require.ErrorIs(t, push.Flush(ctx), context.DeadlineExceeded)
		require.Equal(t, 20*time.Millisecond, readAudio(t, push).Timestamp)
	})
}

func TestAudioPushMakesNoGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewAudioPush(&media.AudioPushOptions{Paced: true})
		ctx := t.Context()
		require.NoError(t, push.Write(ctx, speech(48000, 20*time.Second)))
		var f media.AudioFrame
		require.NoError(t, push.ReadAudio(ctx, &f))
		require.NoError(t, push.ReadAudio(ctx, &f))
		require.Zero(t, testing.AllocsPerRun(50, func() { _ = push.ReadAudio(ctx, &f) }))
	})
}
