package pace_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/internal/pace"
)

func TestScheduleIsAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New()
		start := time.Now()
		for i := range 100 {
			at := time.Duration(i) * 20 * time.Millisecond
			ts, err := p.Wait(t.Context(), at)
			require.NoError(t, err)
			require.Equal(t, at, ts)
			require.Equal(t, at, time.Since(start), "a slow consumer must not delay the next sample")
			time.Sleep(7 * time.Millisecond)
		}
	})
}

func TestLateConsumerGetsOnlyWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New()
		start := time.Now()
		_, err := p.Wait(t.Context(), 0)
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		for i := 1; i <= 10; i++ {
			_, err := p.Wait(t.Context(), time.Duration(i)*20*time.Millisecond)
			require.NoError(t, err)
			require.Equal(t, max(100*time.Millisecond, time.Duration(i)*20*time.Millisecond), time.Since(start))
		}
	})
}

func TestLongDelayBecomesGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New()
		start := time.Now()
		_, err := p.Wait(t.Context(), 0)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		ts, err := p.Wait(t.Context(), 20*time.Millisecond)
		require.NoError(t, err)
		require.Equal(t, time.Minute, ts)
		ts, err = p.Wait(t.Context(), 40*time.Millisecond)
		require.NoError(t, err)
		require.Equal(t, time.Minute+20*time.Millisecond, ts)
		require.Equal(t, ts, time.Since(start))
	})
}

func TestWaitEndsWithContextAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New()
		_, err := p.Wait(t.Context(), 0)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.Wait(ctx, time.Hour)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		done := make(chan error)
		go func() {
			_, err := p.Wait(t.Context(), time.Hour)
			done <- err
		}()
		synctest.Wait()
		require.False(t, p.Closed())
		require.True(t, p.Close())
		require.ErrorIs(t, <-done, io.EOF)
		require.False(t, p.Close())
		require.True(t, p.Closed())
		_, err = p.Wait(t.Context(), 0)
		require.ErrorIs(t, err, io.EOF)
	})
}
