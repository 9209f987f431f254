package media_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func TestVideoPushCopies(t *testing.T) {
	for _, format := range append(rawFormats, media.MJPEG) {
		src := newFrame(t, format, 8, 8)
		if format == media.MJPEG {
			src.Planes[0] = []byte{0xff, 0xd8}
			src.Width, src.Height = 0, 0 // a JPEG tells itself
		}
		paint(src)
		src.Timestamp, src.Captured = time.Second, epoch
		push := media.NewVideoPush(nil)
		require.NoError(t, push.Write(t.Context(), src))
		first := src.Planes[0][0]
		src.Planes[0][0]++
		var got media.VideoFrame
		require.NoError(t, push.ReadFrame(t.Context(), &got))
		require.Equal(t, first, got.Planes[0][0])
		src.Planes[0][0]--
		require.Equal(t, *src, got)
	}
}

func TestVideoPushNewestWins(t *testing.T) {
	push := media.NewVideoPush(nil)
	for n := range 5 {
		f := newFrame(t, media.I420, 16, 16)
		f.Timestamp = time.Duration(n + 1)
		require.NoError(t, push.Write(t.Context(), f))
	}
	require.EqualValues(t, 5, readFrame(t, push).Timestamp)

	synctest.Test(t, func(t *testing.T) {
		push := media.NewVideoPush(nil)
		got := make(chan *media.VideoFrame)
		go func() { got <- readFrame(t, push) }()
		synctest.Wait()
		require.NoError(t, push.Write(t.Context(), newFrame(t, media.I420, 16, 16)))
		require.NotNil(t, <-got)
	})
}

func TestVideoPushStampsWhatHasNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewVideoPush(nil)
		begun := time.Now()
		for n := range 3 {
			require.NoError(t, push.Write(t.Context(), newFrame(t, media.I420, 16, 16)))
			f := readFrame(t, push)
			require.Equal(t, time.Duration(n)*thirtieth, f.Timestamp)
			require.Equal(t, begun.Add(f.Timestamp), f.Captured)
			time.Sleep(thirtieth)
		}
		// The time of the picture counts, not when it was written.
		f := newFrame(t, media.I420, 16, 16)
		f.Captured = begun.Add(3*thirtieth - 5*time.Millisecond)
		require.NoError(t, push.Write(t.Context(), f))
		require.Equal(t, 3*thirtieth-5*time.Millisecond, readFrame(t, push).Timestamp)
		// Two of one moment stay two.
		for n := range 3 {
			require.NoError(t, push.Write(t.Context(), newFrame(t, media.I420, 16, 16)))
			require.Equal(t, 3*thirtieth+time.Duration(n)*time.Millisecond, readFrame(t, push).Timestamp)
		}
	})
}

func TestVideoPushRefusesWhatDoesNotFit(t *testing.T) {
	push := media.NewVideoPush(&media.VideoPushOptions{Wait: true})
	f := newFrame(t, media.I420, 16, 16)
	f.Timestamp = time.Second
	require.NoError(t, push.Write(t.Context(), f))
	readFrame(t, push)
	for _, timestamp := range []time.Duration{time.Second, time.Second - 1, -1} {
		f.Timestamp = timestamp
		err := push.Write(t.Context(), f)
		var frameError *media.FrameError
		require.ErrorAs(t, err, &frameError)
		require.ErrorIs(t, err, media.ErrTimestamp)
	}
	require.ErrorIs(t, push.Write(t.Context(), &media.VideoFrame{Format: media.NV12, Width: 4, Height: 4}), media.ErrPlane)
	require.ErrorIs(t, push.Write(t.Context(), &media.VideoFrame{}), media.ErrFormat)
	f.Timestamp = time.Second + 1
	require.NoError(t, push.Write(t.Context(), f), "after refusals")
}

func TestVideoPushWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewVideoPush(&media.VideoPushOptions{Wait: true})
		var wg sync.WaitGroup
		for range 2 { // two writers: nobody's pictures are lost
			wg.Go(func() {
				for range 10 {
					assert.NoError(t, push.Write(t.Context(), newFrame(t, media.I420, 16, 16)))
				}
			})
		}
		for range 20 {
			synctest.Wait()
			readFrame(t, push)
		}
		wg.Wait()

		require.NoError(t, push.Write(t.Context(), newFrame(t, media.I420, 16, 16)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 {
			require.ErrorIs(t, push.Write(ctx, newFrame(t, media.I420, 16, 16)), context.DeadlineExceeded)
		}
	})
}

func TestVideoPushCloseEndsBehindWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewVideoPush(&media.VideoPushOptions{Wait: true})
		f := newFrame(t, media.I420, 16, 16)
		require.NoError(t, push.Write(t.Context(), f))
		written := make(chan error)
		go func() { written <- push.Write(t.Context(), f) }()
		synctest.Wait()
		require.NoError(t, push.Close())
		require.NoError(t, push.Close())
		require.ErrorIs(t, <-written, media.ErrClosed)
		readFrame(t, push)
		var got media.VideoFrame
		for range 2 {
			require.Equal(t, io.EOF, push.ReadFrame(t.Context(), &got))
		}
		require.ErrorIs(t, push.Write(t.Context(), f), media.ErrClosed)

		idle := media.NewVideoPush(nil)
		read := make(chan error)
		go func() { read <- idle.ReadFrame(t.Context(), &got) }()
		synctest.Wait()
		require.NoError(t, idle.Close())
		require.Equal(t, io.EOF, <-read)
	})
}

func TestVideoPushReadEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := media.NewVideoPush(nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var f media.VideoFrame
		require.ErrorIs(t, push.ReadFrame(ctx, &f), context.DeadlineExceeded)
		require.NoError(t, push.Write(t.Context(), newFrame(t, media.I420, 16, 16)))
		readFrame(t, push)
	})
}

func TestVideoPushMakesNoGarbage(t *testing.T) {
	push := media.NewVideoPush(nil)
	f, got := newFrame(t, media.BGRA, 64, 48), newFrame(t, media.BGRA, 64, 48)
	ctx := t.Context()
	require.NoError(t, push.Write(ctx, f))
	require.Zero(t, testing.AllocsPerRun(20, func() {
		if push.Write(ctx, f) != nil || push.ReadFrame(ctx, got) != nil {
			panic("push")
		}
	}))
}
