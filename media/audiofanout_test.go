package media_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func readAudio(t testing.TB, r media.AudioReader) media.AudioFrame {
	t.Helper()
	var f media.AudioFrame
	require.NoError(t, r.ReadAudio(t.Context(), &f))
	return f
}

// live is a microphone that gives each piece when it has been heard.
func live(pieces []media.AudioFrame) *microphoneLive {
	return &microphoneLive{microphone: newMicrophone(pieces...), begun: time.Now()}
}

type microphoneLive struct {
	*microphone
	begun time.Time
	heard time.Duration
}

func (m *microphoneLive) ReadAudio(ctx context.Context, f *media.AudioFrame) error {
	if len(m.pieces) > 0 {
		m.heard += m.pieces[0].Duration()
		select {
		case <-time.After(time.Until(m.begun.Add(m.heard))):
		case <-m.done:
			return media.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return m.microphone.ReadAudio(ctx, f)
}

func TestAudioFanoutGivesEachReaderAllSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mic := live(tone(48000, 2, 480, 100))
		fan := media.NewAudioFanout(mic)
		var wg sync.WaitGroup
		for range 3 {
			r := fan.Reader()
			wg.Go(func() {
				defer r.Close()
				for _, want := range tone(48000, 2, 480, 100) {
					assert.Equal(t, want, readAudio(t, r))
				}
				var f media.AudioFrame
				assert.Equal(t, io.EOF, r.ReadAudio(t.Context(), &f))
				assert.Zero(t, r.Lost())
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, mic.closes.Load())
	})
}

func TestAudioFanoutSlowReaderLosesTheOldestCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mic := live(tone(48000, 1, 480, 200))
		fan := media.NewAudioFanout(mic)
		defer fan.Close()
		fast, slow := fan.Reader(), fan.Reader()
		require.Zero(t, readAudio(t, slow).Timestamp)
		for n := range 100 {
			require.Equal(t, time.Duration(n)*10*time.Millisecond, readAudio(t, fast).Timestamp)
		}
		synctest.Wait()
		require.Equal(t, 990*time.Millisecond-300*time.Millisecond, slow.Lost())
		require.Equal(t, 700*time.Millisecond, readAudio(t, slow).Timestamp, "the gap is in the timestamps")
		require.Equal(t, 710*time.Millisecond, readAudio(t, slow).Timestamp)
		require.Zero(t, fast.Lost())
	})
}

func TestAudioFanoutKeepsAPieceLongerThanItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := media.NewAudioFanout(live(tone(8000, 1, 8000, 4)))
		defer fan.Close()
		r := fan.Reader()
		readAudio(t, r)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, 2*time.Second, readAudio(t, r).Timestamp)
		require.Equal(t, time.Second, r.Lost())
	})
}

func TestAudioFanoutReadersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mic := live(tone(48000, 1, 480, 1000))
		fan := media.NewAudioFanout(mic)
		stays := fan.Reader()
		for range 5 {
			r := fan.Reader()
			require.Equal(t, readAudio(t, stays).Timestamp, readAudio(t, r).Timestamp)
			waiting := make(chan error)
			go func() {
				var f media.AudioFrame
				waiting <- r.ReadAudio(t.Context(), &f)
			}()
			synctest.Wait()
			require.NoError(t, r.Close())
			require.NoError(t, r.Close())
			require.ErrorIs(t, <-waiting, media.ErrClosed)
		}
		require.Zero(t, mic.closes.Load())
		require.NoError(t, stays.Close())
		require.EqualValues(t, 1, mic.closes.Load(), "the last one closes the capture")
		require.NoError(t, fan.Close())
		require.EqualValues(t, 1, mic.closes.Load())
		var f media.AudioFrame
		require.ErrorIs(t, fan.Reader().ReadAudio(t.Context(), &f), media.ErrClosed)
	})
}

func TestAudioFanoutCloseFreesAllReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mic := newMicrophone()
		mic.wait = true
		fan := media.NewAudioFanout(mic)
		var wg sync.WaitGroup
		for range 3 {
			r := fan.Reader()
			wg.Go(func() {
				var f media.AudioFrame
				assert.ErrorIs(t, r.ReadAudio(t.Context(), &f), media.ErrClosed)
			})
		}
		synctest.Wait()
		require.NoError(t, fan.Close())
		wg.Wait()
		require.EqualValues(t, 1, mic.closes.Load())
	})
	mic := newMicrophone()
	require.NoError(t, media.NewAudioFanout(mic).Close(), "that nobody read from")
	require.EqualValues(t, 1, mic.closes.Load())
}

func TestAudioFanoutTellsAllHowItEnded(t *testing.T) {
	unplugged := errors.New("unplugged")
	for _, tc := range []struct {
		last media.AudioFrame
		want error
	}{{media.AudioFrame{Rate: 48000}, media.ErrFormat}, {tone(48000, 1, 480, 1)[0], unplugged}} {
		mic := newMicrophone(append(tone(48000, 1, 480, 3), tc.last)...)
		mic.end = unplugged
		fan := media.NewAudioFanout(mic)
		a, b := fan.Reader(), fan.Reader()
		var f media.AudioFrame
		for _, r := range []media.AudioReader{a, b} {
			for n := range 3 {
				require.Equal(t, time.Duration(n)*10*time.Millisecond, readAudio(t, r).Timestamp)
			}
			if errors.Is(tc.want, unplugged) {
				readAudio(t, r)
			}
			for range 2 {
				require.ErrorIs(t, r.ReadAudio(t.Context(), &f), tc.want)
			}
		}
		require.NoError(t, fan.Close())
	}
}

func TestAudioFanoutMakesNoGarbage(t *testing.T) {
	piece := tone(48000, 2, 480, 1)[0]
	turn := make(chan struct{})
	fan := media.NewAudioFanout(readerFunc(func(f *media.AudioFrame) error {
		if _, ok := <-turn; !ok {
			return io.EOF
		}
		f.Rate, f.Channels, f.Samples = piece.Rate, piece.Channels, append(f.Samples[:0], piece.Samples...)
		return nil
	}))
	a, b := fan.Reader(), fan.Reader()
	ctx := t.Context()
	var f media.AudioFrame
	go a.ReadAudio(ctx, &f) // starts it
	turn <- struct{}{}
	read := func() {
		turn <- struct{}{}
		if b.ReadAudio(ctx, &f) != nil {
			panic("read")
		}
	}
	for range 50 {
		read()
	}
	require.Zero(t, testing.AllocsPerRun(50, read))
	close(turn)
	require.NoError(t, fan.Close())
}
