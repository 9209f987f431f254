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

const thirtieth = time.Second / 30

func readFrame(t testing.TB, r media.VideoReader) *media.VideoFrame {
	t.Helper()
	var f media.VideoFrame
	require.NoError(t, r.ReadFrame(t.Context(), &f))
	require.NoError(t, f.Validate())
	return &f
}

func TestVideoFanoutGivesEachReaderEachPicture(t *testing.T) {
	for _, format := range rawFormats {
		synctest.Test(t, func(t *testing.T) {
			cam := newCamera(thirtieth, 20, plain(format, 32, 16))
			fan := media.NewVideoFanout(cam)
			var wg sync.WaitGroup
			readers := []media.VideoReader{fan.Reader(), fan.Reader(), fan.Reader()} // before the first picture
			for _, r := range readers {
				wg.Go(func() {
					defer r.Close()
					for n := range 20 {
						f := readFrame(t, r)
						assert.Equal(t, media.I420, f.Format)
						assert.Equal(t, time.Duration(n)*time.Second/30, f.Timestamp)
						assert.Equal(t, epoch.Add(f.Timestamp), f.Captured)
						if format == media.I420 {
							assert.Equal(t, []byte{byte(n), byte(n)}, []byte{f.Planes[0][511], f.Planes[2][127]})
						}
					}
					var f media.VideoFrame
					assert.Equal(t, io.EOF, r.ReadFrame(t.Context(), &f))
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, cam.closes.Load())
		})
	}
}

func TestVideoFanoutSlowReaderGetsTheNewestAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newCamera(thirtieth, 0, plain(media.YUYV, 32, 16))
		fan := media.NewVideoFanout(cam)
		fast, slow := fan.Reader(), fan.Reader()
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := range 40 {
				assert.Equal(t, time.Duration(n)*time.Second/30, readFrame(t, fast).Timestamp)
			}
		})
		require.Zero(t, readFrame(t, slow).Timestamp)
		time.Sleep(time.Second + time.Millisecond)
		require.Equal(t, time.Second, readFrame(t, slow).Timestamp, "the newest, at once")
		require.Equal(t, time.Second+thirtieth, readFrame(t, slow).Timestamp)
		wg.Wait()
		require.NoError(t, fan.Close())
	})
}

func TestVideoFanoutNeverGivesAPictureTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := media.NewVideoFanout(newCamera(thirtieth, 0, plain(media.I420, 16, 16)))
		defer fan.Close()
		a, b := fan.Reader(), fan.Reader()
		last := time.Duration(-1)
		for range 10 {
			first := readFrame(t, a).Timestamp
			second := readFrame(t, b).Timestamp
			require.Equal(t, first, second, "who comes later finds it")
			require.Greater(t, first, last)
			last = second
		}
	})
}

// While nobody waits nothing is captured, and what was captured before a pause
// is not given out after it.
func TestVideoFanoutRestsAndWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newCamera(thirtieth, 0, plain(media.I420, 16, 16))
		fan := media.NewVideoFanout(cam)
		defer fan.Close()
		a, b := fan.Reader(), fan.Reader()
		readFrame(t, a)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, cam.n, "nobody waits")
		before := time.Now()
		readFrame(t, b)
		require.LessOrEqual(t, time.Since(before), thirtieth)
		require.Greater(t, cam.n, 1700, "the picture is of now")
	})
}

func TestVideoFanoutReadersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newCamera(thirtieth, 0, plain(media.NV12, 16, 16))
		fan := media.NewVideoFanout(cam)
		stays := fan.Reader()
		for range 5 {
			r := fan.Reader()
			require.Equal(t, readFrame(t, stays).Timestamp, readFrame(t, r).Timestamp)
			waiting := make(chan error)
			go func() {
				var f media.VideoFrame
				waiting <- r.ReadFrame(t.Context(), &f)
			}()
			synctest.Wait()
			require.NoError(t, r.Close())
			require.NoError(t, r.Close())
			require.ErrorIs(t, <-waiting, media.ErrClosed)
		}
		require.Zero(t, cam.closes.Load())
		require.NoError(t, stays.Close())
		require.EqualValues(t, 1, cam.closes.Load(), "the last one closes the capture")
		require.NoError(t, fan.Close())
		require.EqualValues(t, 1, cam.closes.Load())

		var f media.VideoFrame
		require.ErrorIs(t, fan.Reader().ReadFrame(t.Context(), &f), media.ErrClosed)
	})
}

func TestVideoFanoutCloseFreesAllReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newCamera(time.Hour, 0, plain(media.NV12, 16, 16))
		fan := media.NewVideoFanout(cam)
		readFrame(t, fan.Reader())
		var wg sync.WaitGroup
		for range 3 {
			r := fan.Reader()
			wg.Go(func() {
				var f media.VideoFrame
				assert.ErrorIs(t, r.ReadFrame(t.Context(), &f), media.ErrClosed)
			})
		}
		synctest.Wait()
		require.NoError(t, fan.Close())
		wg.Wait()
		require.EqualValues(t, 1, cam.closes.Load())
	})

	// One that nobody ever read from.
	cam := newCamera(0, 0, plain(media.NV12, 16, 16))
	require.NoError(t, media.NewVideoFanout(cam).Close())
	require.EqualValues(t, 1, cam.closes.Load())
}

func TestVideoFanoutTellsAllHowItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unplugged := errors.New("unplugged")
		cam := newCamera(thirtieth, 0, func(f *media.VideoFrame, n int) error {
			if n == 2 {
				return unplugged
			}
			return plain(media.I420, 16, 16)(f, n)
		})
		fan := media.NewVideoFanout(cam)
		defer fan.Close()
		a, b := fan.Reader(), fan.Reader()
		readFrame(t, a)
		readFrame(t, a)
		var f media.VideoFrame
		for range 2 {
			require.ErrorIs(t, a.ReadFrame(t.Context(), &f), unplugged)
		}
		require.Equal(t, thirtieth, readFrame(t, b).Timestamp, "what is left comes first")
		require.ErrorIs(t, b.ReadFrame(t.Context(), &f), unplugged)
		require.ErrorIs(t, fan.Reader().ReadFrame(t.Context(), &f), unplugged)
	})
}

func TestVideoFanoutLeavesBrokenPicturesOut(t *testing.T) {
	cam := newCamera(0, 0, func(f *media.VideoFrame, n int) error {
		err := plain(media.I420, 16, 16)(f, n)
		if n == 1 || n >= 4 {
			f.Planes[1] = nil
		}
		return err
	})
	fan := media.NewVideoFanout(cam)
	defer fan.Close()
	r := fan.Reader()
	for _, want := range []int{0, 2, 3} {
		require.Equal(t, time.Duration(want)*time.Second/30, readFrame(t, r).Timestamp)
	}
	var f media.VideoFrame
	require.ErrorIs(t, r.ReadFrame(t.Context(), &f), media.ErrPlane)
}

func TestVideoFanoutReadEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cam := newCamera(time.Second, 0, plain(media.I420, 16, 16))
		fan := media.NewVideoFanout(cam)
		defer fan.Close()
		r := fan.Reader()
		readFrame(t, r)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var f media.VideoFrame
		for range 2 {
			require.ErrorIs(t, r.ReadFrame(ctx, &f), context.DeadlineExceeded)
		}
		require.Equal(t, thirtieth, readFrame(t, r).Timestamp)
	})
}

func TestVideoFanoutMakesNoGarbage(t *testing.T) {
	for _, format := range rawFormats {
		fan := media.NewVideoFanout(newCamera(0, 0, plain(format, 64, 48)))
		a, b := fan.Reader(), fan.Reader()
		var f, g media.VideoFrame
		ctx := t.Context()
		read := func() {
			if a.ReadFrame(ctx, &f) != nil || b.ReadFrame(ctx, &g) != nil {
				panic("read")
			}
		}
		for range 5 {
			read()
		}
		require.Zero(t, testing.AllocsPerRun(50, read), format)
		require.NoError(t, fan.Close())
	}
}

// Readers that read, close and are made at once, for the race detector.
func TestVideoFanoutUnderStress(t *testing.T) {
	cam := newCamera(0, 0, plain(media.YUYV, 16, 16))
	fan := media.NewVideoFanout(cam)
	keeps := fan.Reader()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				r := fan.Reader()
				for range 5 {
					f := readFrame(t, r)
					want := f.Planes[0][0]
					for _, p := range f.Planes[0] {
						assert.Equal(t, want, p, "torn")
					}
				}
				assert.NoError(t, r.Close())
			}
		})
	}
	wg.Wait()
	require.Zero(t, cam.closes.Load())
	require.NoError(t, keeps.Close())
	require.EqualValues(t, 1, cam.closes.Load())
}
