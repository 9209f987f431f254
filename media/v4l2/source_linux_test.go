package v4l2

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func next(t *testing.T, s media.Source) media.Sample {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sample, err := s.Next(ctx)
	require.NoError(t, err)
	return sample
}

func TestSourceBeginsWithAKeyFrame(t *testing.T) {
	d := newFake("YUYV", "H264")
	c := openFake(t, newFakeHost(d), Options{Format: "H264", Width: 640})
	require.Equal(t, 8, c.Config().Buffers)
	s := c.Source()
	require.Equal(t, media.H264, s.Codec())
	d.pushData(nals(slice264))
	d.pushData(nals(sps264, pps264))
	d.pushData(nals(idr264))
	d.pushData(nals(slice264))
	d.pushData(nals(slice264))
	got := next(t, s)
	require.Equal(t, nals(sps264, pps264, idr264), got.Data)
	require.Equal(t, []any{true, 1920, 1080, media.H264}, []any{got.Keyframe, got.Width, got.Height, got.Codec})
	require.Equal(t, time.Second/30, got.Duration)
	require.WithinDuration(t, time.Now(), got.Captured, time.Second)
	for range 2 { // none is left out for being old
		last := got
		got = next(t, s)
		require.Equal(t, nals(slice264), got.Data)
		require.False(t, got.Keyframe)
		require.Greater(t, got.Timestamp, last.Timestamp)
	}
	require.Zero(t, c.Stats().Stale)

	_, isRequester := s.(media.KeyframeRequester)
	_, isSetter := s.(media.BitrateSetter)
	require.False(t, isRequester || isSetter, "the camera has no such controls")
	require.ErrorIs(t, c.ReadFrame(t.Context(), new(media.VideoFrame)), ErrUnsatisfiable)
	require.NoError(t, s.Close())
	_, err := s.Next(t.Context())
	require.Equal(t, io.EOF, err)
}

func TestSourceTellsTheCamera(t *testing.T) {
	for _, keys := range [][]uint32{
		{ctrlForceKeyFrame, ctrlBitrate, ctrlRepeatSeqHeader}, {ctrlForceKeyFrame}, {ctrlBitrate},
	} {
		d := newFake("H264")
		d.keys = keys
		c := openFake(t, newFakeHost(d), Options{Bitrate: 1000000})
		s := c.Source()
		told := func(id uint32) (values []int32) {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, v := range d.set {
				if v.id == id {
					values = append(values, v.value)
				}
			}
			return values
		}
		d.pushData(nals(sps264, pps264, idr264))
		next(t, s)
		requester, can := s.(media.KeyframeRequester)
		require.Equal(t, slices.Contains(keys, ctrlForceKeyFrame), can)
		setter, canSet := s.(media.BitrateSetter)
		require.Equal(t, slices.Contains(keys, ctrlBitrate), canSet)

		// They wake a reader that waits.
		read := make(chan error)
		go func() {
			_, err := s.Next(context.Background())
			read <- err
		}()
		if can {
			requester.RequestKeyframe()
			require.Eventually(t, func() bool { return len(told(ctrlForceKeyFrame)) == 1 }, 10*time.Second, time.Millisecond)
		}
		if canSet {
			setter.SetBitrate(0)
			setter.SetBitrate(500000)
			require.Eventually(t, func() bool { return len(told(ctrlBitrate)) == 2 }, 10*time.Second, time.Millisecond)
			setter.SetBitrate(1 << 30)
			require.Eventually(t, func() bool { return len(told(ctrlBitrate)) == 3 }, 10*time.Second, time.Millisecond)
			require.Equal(t, []int32{1000000, 500000, 4000000}, told(ctrlBitrate), "within what it can do")
		}
		if slices.Contains(keys, ctrlRepeatSeqHeader) {
			require.Equal(t, []int32{1}, told(ctrlRepeatSeqHeader))
		}
		d.pushData(nals(idr264))
		require.NoError(t, <-read)
	}
}

func TestSourceAfterLostPictures(t *testing.T) {
	for _, canAsk := range []bool{true, false} {
		d := newFake("H264")
		if canAsk {
			d.keys = []uint32{ctrlForceKeyFrame}
		}
		c := openFake(t, newFakeHost(d), Options{})
		s := c.Source()
		d.pushData(nals(sps264, pps264, idr264))
		require.True(t, next(t, s).Keyframe)
		d.push(flagError, func([][]byte) []uint32 { return []uint32{3} })
		d.pushData(nals(slice264))
		d.pushData(nals(idr264))
		got := next(t, s)
		require.Equal(t, canAsk, got.Keyframe, "what depends on the lost one is left out where a key frame comes soon")
		d.mu.Lock()
		require.Equal(t, canAsk, len(d.set) > 0, "asked for it")
		d.mu.Unlock()
	}
}

func TestSourceOfGarbageEnds(t *testing.T) {
	for name, data := range map[string][]byte{"garbage": {1, 2, 3, 4}, "no key frame": nals(slice264)} {
		t.Run(name, func(t *testing.T) {
			d := newFake("H264")
			c := openFake(t, newFakeHost(d), Options{Reopen: true})
			stop, pushed := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(pushed)
				for {
					select {
					case <-stop:
						return
					default:
						d.pushData(data)
					}
				}
			}()
			_, err := c.Source().Next(t.Context())
			close(stop)
			<-pushed
			require.ErrorIs(t, err, ErrBroken)
		})
	}
}

func TestSourceOfRawCamera(t *testing.T) {
	c := openFake(t, newFakeHost(newFake("YUYV")), Options{})
	_, err := c.Source().Next(t.Context())
	require.ErrorIs(t, err, ErrUnsatisfiable)
}

func TestSourceStartsAnewWithAKeyFrameAfterReconfigure(t *testing.T) {
	d := newFake("H264", "YUYV")
	c := openFake(t, newFakeHost(d), Options{Format: "H264"})
	s := c.Source()
	d.pushData(nals(sps264, pps264, idr264))
	next(t, s)
	require.ErrorIs(t, c.Reconfigure(t.Context(), Options{Format: "YUYV"}), ErrUnsatisfiable)
	require.NoError(t, c.Reconfigure(t.Context(), Options{Width: 320}))
	require.Equal(t, Format("H264"), c.Config().Format)
	d.pushData(nals(slice264))
	d.pushData(nals(idr264))
	require.True(t, next(t, s).Keyframe)
}

func TestSourceMakesNoGarbage(t *testing.T) {
	d := newFake("H264")
	c := openFake(t, newFakeHost(d), Options{})
	s := c.Source()
	ctx := t.Context()
	picture := nals(sps264, pps264, idr264)
	used := []uint32{0}
	fill := func(p [][]byte) []uint32 {
		used[0] = uint32(copy(p[0], picture))
		return used
	}
	d.push(0, fill)
	next(t, s)
	d.push(0, fill)
	_, err := s.Next(ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		d.push(0, fill)
		if _, err := s.Next(ctx); err != nil {
			panic(err)
		}
	}), 2.0, "of reading the sequence parameter set")
}
