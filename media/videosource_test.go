package media_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func next(t testing.TB, src media.Source) media.Sample {
	t.Helper()
	s, err := src.Next(t.Context())
	require.NoError(t, err)
	return s
}

func TestVideoSourceCarriesTimestampsAndEnds(t *testing.T) {
	for _, format := range rawFormats {
		cam := newCamera(0, 5, plain(format, 64, 48))
		src := media.NewVideoSource(cam, &encoder{}, nil)
		require.Equal(t, media.VP8, src.Codec())
		for n := range 5 {
			at := time.Duration(n) * time.Second / 30
			s := next(t, src)
			require.Equal(t, media.VP8, s.Codec)
			require.Equal(t, at, s.Timestamp)
			require.Equal(t, epoch.Add(at), s.Captured)
			require.Equal(t, []byte{4, 3}, s.Data[1:], "the size, in blocks")
		}
		_, err := src.Next(t.Context())
		require.Equal(t, io.EOF, err)
		require.NoError(t, src.Close())
	}
}

func TestVideoSourceEncodesI420WithoutCopy(t *testing.T) {
	var captured, encoded *byte
	cam := newCamera(0, 0, func(f *media.VideoFrame, n int) error {
		err := plain(media.I420, 64, 48)(f, n)
		captured = &f.Planes[0][0]
		return err
	})
	src := media.NewVideoSource(cam, &encoder{encode: func(f *media.VideoFrame, _ bool) (media.Sample, error) {
		encoded = &f.Planes[0][0]
		return media.Sample{Data: f.Planes[0]}, nil
	}}, nil)
	next(t, src)
	require.Same(t, captured, encoded)
}

func TestVideoSourceMakesNoGarbage(t *testing.T) {
	for _, format := range rawFormats {
		src := media.NewVideoSource(newCamera(0, 0, plain(format, 64, 48)), &encoder{}, &media.VideoSourceOptions{MaxWidth: 40})
		ctx := t.Context()
		next(t, src)
		require.Zero(t, testing.AllocsPerRun(20, func() { _, _ = src.Next(ctx) }), format)
	}
}

// Adaptation: lowered and restored while the track is published.
func TestVideoSourceSizeIsLoweredAndRestored(t *testing.T) {
	var sizes [][2]int
	enc := &encoder{encode: func(f *media.VideoFrame, _ bool) (media.Sample, error) {
		sizes = append(sizes, [2]int{f.Width, f.Height})
		return media.Sample{Data: f.Planes[0]}, nil
	}}
	src := media.NewVideoSource(newCamera(0, 0, plain(media.YUYV, 1280, 720)), enc, &media.VideoSourceOptions{MaxWidth: 640, MaxHeight: 640})
	next(t, src)
	for _, limit := range [][2]int{{0, 0}, {1280, 720}, {9999, 9999}, {640, 480}, {0, 180}, {500, 0}, {-5, -5}, {1, 1}, {1, 0}, {0, 0}} {
		src.SetSize(limit[0], limit[1])
		next(t, src)
	}
	require.Equal(t, [][2]int{
		{640, 360}, {1280, 720}, {1280, 720}, {1280, 720}, {640, 360}, {320, 180}, {500, 280}, {1280, 720}, {16, 16}, {16, 16}, {1280, 720},
	}, sizes)
}

func TestVideoSourceSizeOfPortraitAndOddPictures(t *testing.T) {
	for _, tc := range []struct{ width, height, maxWidth, maxHeight, wantWidth, wantHeight int }{
		{720, 1280, 640, 480, 270, 480},
		{641, 479, 0, 0, 641, 479},
		{641, 479, 641, 240, 320, 240},
		{8000, 20, 1000, 0, 1000, 16},
		{8000, 10, 1000, 0, 1000, 10},
		{640, 480, 333, 333, 332, 250},
	} {
		var width, height int
		enc := &encoder{encode: func(f *media.VideoFrame, _ bool) (media.Sample, error) {
			width, height = f.Width, f.Height
			return media.Sample{Data: f.Planes[0], Keyframe: true}, nil
		}}
		src := media.NewVideoSource(newCamera(0, 0, plain(media.I420, tc.width, tc.height)), enc, nil)
		src.SetSize(tc.maxWidth, tc.maxHeight)
		s := next(t, src)
		require.Equal(t, []int{tc.wantWidth, tc.wantHeight}, []int{width, height}, "%+v", tc)
		require.Equal(t, []int{width, height}, []int{s.Width, s.Height}, "key frames tell the size")
	}
}

func TestVideoSourceDropsFramesEvenly(t *testing.T) {
	for _, tc := range []struct {
		captured, wanted float64
		kept             int // of those captured in 10 s
		longest          int // captured pictures from one kept to the next
	}{
		{30, 0, 300, 1},
		{30, 30, 300, 1},
		{30, 60, 300, 1},
		{30, 15, 150, 2},
		{30, 10, 100, 3},
		{30, 20, 200, 2},
		{30, 24, 240, 2},
		{30, 29, 290, 2},
		{25, 15, 150, 2},
		{60, 24, 240, 3},
		{30, 7, 70, 5},
		{30, 1, 10, 31},
		{30, 0.5, 5, 61},
	} {
		for _, jitter := range []time.Duration{0, 3 * time.Millisecond} {
			t.Run(fmt.Sprintf("%v of %v, jitter %v", tc.wanted, tc.captured, jitter), func(t *testing.T) {
				count := int(10 * tc.captured)
				cam := newCamera(0, count, func(f *media.VideoFrame, n int) error {
					err := plain(media.I420, 16, 16)(f, n)
					f.Timestamp = time.Duration(float64(n) / tc.captured * float64(time.Second))
					f.Timestamp += jitter * time.Duration(n*7919%11-5) / 5
					return err
				})
				src := media.NewVideoSource(cam, &encoder{}, &media.VideoSourceOptions{FrameRate: tc.wanted})
				kept, last, longest := 0, -1, 0
				for {
					if _, err := src.Next(t.Context()); err != nil {
						require.Equal(t, io.EOF, err)
						break
					}
					if kept++; last >= 0 {
						longest = max(longest, cam.n-last)
					}
					last = cam.n
				}
				require.InDelta(t, tc.kept, kept, 0.03*float64(tc.kept)+1)
				require.LessOrEqual(t, longest, tc.longest)
			})
		}
	}
}

func TestVideoSourceFrameRateIsRestoredAtOnce(t *testing.T) {
	cam := newCamera(0, 0, plain(media.I420, 16, 16))
	src := media.NewVideoSource(cam, &encoder{}, nil)
	next(t, src)
	next(t, src)
	src.SetFrameRate(0.1)
	next(t, src)
	first := next(t, src).Timestamp
	require.InDelta(t, 10, (next(t, src).Timestamp - first).Seconds(), 0.05)
	src.SetFrameRate(0)
	n := cam.n
	next(t, src)
	next(t, src)
	require.Equal(t, n+2, cam.n)
}

// After a pause, such as while the track was disabled, no burst makes up for
// what was not sent.
func TestVideoSourceFrameRateAfterAPause(t *testing.T) {
	cam := newCamera(0, 0, func(f *media.VideoFrame, n int) error {
		err := plain(media.I420, 16, 16)(f, n)
		if n >= 30 {
			f.Timestamp += time.Hour
		}
		return err
	})
	src := media.NewVideoSource(cam, &encoder{}, &media.VideoSourceOptions{FrameRate: 10})
	for cam.n < 31 {
		next(t, src)
	}
	for range 10 {
		n := cam.n
		next(t, src)
		require.GreaterOrEqual(t, cam.n, n+2)
	}
}

func TestVideoSourceKeyframeRequestWaitsForAPicture(t *testing.T) {
	var asked []bool
	enc := &encoder{encode: func(f *media.VideoFrame, keyframe bool) (media.Sample, error) {
		asked = append(asked, keyframe)
		if len(asked) == 2 {
			return media.Sample{}, nil // left out to keep the bitrate
		}
		return media.Sample{Data: f.Planes[0], Keyframe: keyframe}, nil
	}}
	src := media.NewVideoSource(newCamera(0, 0, plain(media.I420, 16, 16)), enc, nil)
	require.False(t, next(t, src).Keyframe)
	src.RequestKeyframe()
	src.RequestKeyframe()
	require.True(t, next(t, src).Keyframe)
	require.False(t, next(t, src).Keyframe)
	require.Equal(t, []bool{false, true, true, false}, asked)
}

func TestVideoSourceBitrateReachesTheEncoder(t *testing.T) {
	enc := &encoder{}
	media.NewVideoSource(newCamera(0, 0, plain(media.I420, 16, 16)), enc, nil).SetBitrate(123_000)
	require.EqualValues(t, 123_000, enc.bitrate.Load())
}

func TestVideoSourceSurvivesBrokenPictures(t *testing.T) {
	cam := newCamera(0, 0, func(f *media.VideoFrame, n int) error {
		err := plain(media.YUYV, 16, 16)(f, n)
		switch n % 4 {
		case 1:
			f.Planes[0] = f.Planes[0][:7]
		case 2:
			f.Timestamp = 0 // the device's clock stumbled
		}
		return err
	})
	src := media.NewVideoSource(cam, &encoder{}, nil)
	for _, want := range []int{0, 3, 4, 7, 8, 11} {
		require.Equal(t, time.Duration(want)*time.Second/30, next(t, src).Timestamp)
	}
}

func TestVideoSourceEndsWhenAllPicturesAreBroken(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(f *media.VideoFrame)
		want  error
	}{
		"short":      {func(f *media.VideoFrame) { f.Planes[0] = f.Planes[0][:7] }, media.ErrPlane},
		"format":     {func(f *media.VideoFrame) { f.Format = "nonsense" }, media.ErrFormat},
		"size":       {func(f *media.VideoFrame) { f.Width = 1 << 30 }, media.ErrSize},
		"no JPEG":    {func(f *media.VideoFrame) { f.Format = media.MJPEG }, media.ErrPicture},
		"same time":  {func(f *media.VideoFrame) { f.Timestamp = 0 }, media.ErrTimestamp},
		"wrong I420": {func(f *media.VideoFrame) { f.Format = media.I420; f.Planes[2] = nil }, media.ErrPlane},
	} {
		t.Run(name, func(t *testing.T) {
			cam := newCamera(0, 0, func(f *media.VideoFrame, n int) error {
				err := plain(media.YUYV, 16, 16)(f, n)
				if n > 0 {
					tc.spoil(f)
				}
				return err
			})
			src := media.NewVideoSource(cam, &encoder{}, nil)
			next(t, src)
			_, err := src.Next(t.Context())
			var frameError *media.FrameError
			require.ErrorAs(t, err, &frameError)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, 31, cam.n)
		})
	}
}

func TestVideoSourceReportsErrorsOfReaderAndEncoder(t *testing.T) {
	unplugged, broken := errors.New("unplugged"), errors.New("encoder broke")
	src := media.NewVideoSource(newCamera(0, 0, func(*media.VideoFrame, int) error { return unplugged }), &encoder{}, nil)
	_, err := src.Next(t.Context())
	require.ErrorIs(t, err, unplugged)

	src = media.NewVideoSource(newCamera(0, 0, plain(media.I420, 16, 16)), &encoder{
		encode: func(*media.VideoFrame, bool) (media.Sample, error) { return media.Sample{}, broken },
	}, nil)
	_, err = src.Next(t.Context())
	require.ErrorIs(t, err, broken)
}

func TestVideoSourceNextEndsWithContextAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := media.NewVideoSource(newCamera(time.Second, 0, plain(media.I420, 16, 16)), &encoder{}, nil)
		next(t, src)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for range 2 {
			_, err := src.Next(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		next(t, src)
	})
}

func TestVideoSourceCloseFreesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam, enc := newCamera(time.Hour, 0, plain(media.I420, 16, 16)), &encoder{}
		src := media.NewVideoSource(cam, enc, nil)
		next(t, src)
		ended := make(chan error)
		go func() {
			_, err := src.Next(t.Context())
			ended <- err
		}()
		synctest.Wait()
		for range 3 {
			require.NoError(t, src.Close())
		}
		require.Equal(t, io.EOF, <-ended)
		_, err := src.Next(t.Context())
		require.Equal(t, io.EOF, err)
		require.EqualValues(t, 1, cam.closes.Load())
		require.EqualValues(t, 1, enc.closes.Load())
	})
}

// Close comes while a picture is encoded: the encoder says so, and that is the
// end in good order.
func TestVideoSourceCloseWhileEncoding(t *testing.T) {
	var src *media.VideoSource
	src = media.NewVideoSource(newCamera(0, 0, plain(media.I420, 16, 16)), &encoder{
		encode: func(*media.VideoFrame, bool) (media.Sample, error) {
			require.NoError(t, src.Close())
			return media.Sample{}, media.ErrClosed
		},
	}, nil)
	_, err := src.Next(t.Context())
	require.Equal(t, io.EOF, err)
}
