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

// vp8Key is the header of a VP8 key frame of 640 by 360 pixels.
var vp8Key = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01}

// vp8Delta is the header of another VP8 frame.
var vp8Delta = []byte{0x11, 0, 0, 0}

func TestPushSourceGivesSamplesInOrderThenEOF(t *testing.T) {
	src := media.NewPushSource(media.VP8, nil)
	for i := range 8 {
		require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Delta, Timestamp: time.Duration(i)}))
	}
	require.NoError(t, src.Close())
	require.NoError(t, src.Close())
	for i := range 8 {
		s, err := src.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Duration(i), s.Timestamp)
	}
	_, err := src.Next(t.Context())
	require.Equal(t, io.EOF, err)
	require.ErrorIs(t, src.Write(t.Context(), media.Sample{Data: vp8Delta, Timestamp: 9}), media.ErrClosed)
}

func TestPushSourceReadsHeaders(t *testing.T) {
	src := media.NewPushSource(media.VP8, nil)
	require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Lost: 7}))
	require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Delta, Timestamp: 1}))
	require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: 2, Width: 1, Height: 2}))
	key, _ := src.Next(t.Context())
	require.Equal(t, media.Sample{Codec: media.VP8, Data: vp8Key, Keyframe: true, Width: 640, Height: 360}, key)
	delta, _ := src.Next(t.Context())
	require.Equal(t, media.Sample{Codec: media.VP8, Data: vp8Delta, Timestamp: 1}, delta)
	own, _ := src.Next(t.Context())
	require.Equal(t, []int{1, 2}, []int{own.Width, own.Height})
}

func TestPushSourceFollowsOnWithoutTimestamps(t *testing.T) {
	src := media.NewPushSource(media.Opus, nil)
	for range 3 { // 20 ms each, as their first byte says
		require.NoError(t, src.Write(t.Context(), media.Sample{Data: []byte{0x08, 1, 2}}))
	}
	for i := range 3 {
		s, err := src.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, media.Sample{
			Codec: media.Opus, Data: []byte{0x08, 1, 2}, Keyframe: true,
			Timestamp: time.Duration(i) * 20 * time.Millisecond, Duration: 20 * time.Millisecond,
		}, s)
	}
}

func TestPushSourceRefusesWhatDoesNotFit(t *testing.T) {
	src := media.NewPushSource(media.VP8, nil)
	require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: time.Second}))
	for name, tc := range map[string]struct {
		sample media.Sample
		want   error
	}{
		"other codec":      {media.Sample{Codec: media.VP9, Data: vp8Key, Timestamp: 2 * time.Second}, media.ErrCodec},
		"no data":          {media.Sample{Timestamp: 2 * time.Second}, media.ErrNoData},
		"same time":        {media.Sample{Data: vp8Key, Timestamp: time.Second}, media.ErrTimestamp},
		"earlier":          {media.Sample{Data: vp8Key, Timestamp: time.Second - 1}, media.ErrTimestamp},
		"unknown duration": {media.Sample{Data: vp8Key}, media.ErrTimestamp},
	} {
		t.Run(name, func(t *testing.T) {
			err := src.Write(t.Context(), tc.sample)
			var sampleError *media.SampleError
			require.ErrorAs(t, err, &sampleError)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, tc.sample.Timestamp, sampleError.Timestamp)
		})
	}
	require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: time.Second + 1}), "after refusals")

	unknown := media.NewPushSource("theora", nil)
	require.ErrorIs(t, unknown.Write(t.Context(), media.Sample{Data: vp8Key}), media.ErrCodec)
}

func TestPushSourceWriteWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := media.NewPushSource(media.VP8, &media.PushOptions{Queue: 1})
		require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: 1}))
		written := make(chan error, 1)
		go func() { written <- src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: 2}) }()
		synctest.Wait()
		require.Empty(t, written, "Write returned while the queue was full")
		_, err := src.Next(t.Context())
		require.NoError(t, err)
		require.NoError(t, <-written)
	})
}

func TestPushSourceWriteEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := media.NewPushSource(media.VP8, &media.PushOptions{Queue: 1})
		require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: 1}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := src.Write(ctx, media.Sample{Data: vp8Key, Timestamp: 5})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, _ = src.Next(t.Context())
		// What was not sent leaves no trace.
		require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: 2}))
	})
}

func TestPushSourceCloseFreesWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := media.NewPushSource(media.VP8, &media.PushOptions{Queue: 1})
		require.NoError(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: 1}))
		var wg sync.WaitGroup
		for range 2 { // one waits for room, the other for its turn
			wg.Go(func() {
				assert.ErrorIs(t, src.Write(t.Context(), media.Sample{Data: vp8Key, Timestamp: 2}), media.ErrClosed)
			})
		}
		synctest.Wait()
		require.NoError(t, src.Close())
		wg.Wait()

		idle := media.NewPushSource(media.VP8, nil)
		wg.Go(func() {
			_, err := idle.Next(t.Context())
			assert.Equal(t, io.EOF, err)
		})
		synctest.Wait()
		require.NoError(t, idle.Close())
		wg.Wait()
	})
}

func TestPushSourceNextEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := media.NewPushSource(media.VP8, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := src.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestPushSourceQueueDefaults(t *testing.T) {
	for codec, want := range map[media.Codec]int{media.VP8: 8, media.Opus: 32} {
		synctest.Test(t, func(t *testing.T) {
			src := media.NewPushSource(codec, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			n := 0
			for src.Write(ctx, media.Sample{Data: vp8Delta, Timestamp: time.Duration(n + 1)}) == nil {
				n++
			}
			require.Equal(t, want, n, codec)
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
		})
	}
}

func TestPushSourceTellsRequests(t *testing.T) {
	src := media.NewPushSource(media.VP8, nil)
	for range 3 {
		src.RequestKeyframe()
	}
	<-src.KeyframeRequests()
	require.Empty(t, src.KeyframeRequests(), "requests not read become one")

	for bps := range 3 {
		src.SetBitrate(bps)
	}
	require.Equal(t, 2, <-src.Bitrates(), "the newest target")
	require.Empty(t, src.Bitrates())
}

func TestPushSourceManyWriters(t *testing.T) {
	src := media.NewPushSource(media.VP8, nil)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 100 {
				_ = src.Write(t.Context(), media.Sample{Data: vp8Delta, Timestamp: time.Duration(i*4 + w + 1)})
				src.SetBitrate(i)
				src.RequestKeyframe()
			}
		})
	}
	go func() { wg.Wait(); _ = src.Close() }()
	last, n := time.Duration(0), 0
	for {
		s, err := src.Next(t.Context())
		if err != nil {
			require.Equal(t, io.EOF, err)
			break
		}
		require.Greater(t, s.Timestamp, last)
		last = s.Timestamp
		n++
	}
	require.NotZero(t, n)
	wg.Wait()
}
