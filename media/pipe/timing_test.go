package pipe_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

// live writes a clip as a camera would, each sample when it is its time.
func live(w io.WriteCloser, samples []media.Sample, encode func(media.Sample) []byte) {
	start := time.Now()
	for _, s := range samples {
		time.Sleep(time.Until(start.Add(s.Timestamp)))
		if _, err := w.Write(encode(s)); err != nil {
			return
		}
	}
	w.Close()
}

// ivfFrame is a frame of an IVF file with ticks of a millisecond.
func ivfFrame(s media.Sample) []byte {
	at := uint64(s.Timestamp.Milliseconds())
	head := []byte{byte(len(s.Data)), byte(len(s.Data) >> 8), byte(len(s.Data) >> 16), 0, byte(at), byte(at >> 8), byte(at >> 16), 0, 0, 0, 0, 0}
	return append(head, s.Data...)
}

func TestSamplesAreDueWhenTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		clip := testclips.Samples(media.VP8)
		go func() {
			_, _ = w.Write(ivfOf("VP80"))
			live(w, clip, ivfFrame)
		}()
		start := time.Now()
		p, err := pipe.Reader(t.Context(), r, nil)
		require.NoError(t, err)
		for _, want := range clip {
			got := next(t, p.Video())
			require.Equal(t, want.Data, got.Data)
			require.Equal(t, want.Timestamp, time.Since(start), "not one frame late")
			require.Equal(t, want.Timestamp, got.Timestamp)
			require.Equal(t, time.Now(), got.Captured)
		}
		_, err = p.Video().Next(t.Context())
		require.Equal(t, io.EOF, err)
		<-p.Done()
	})
}

// A stream without times gets those of its arrival.
func TestAnnexBIsTimedByArrival(t *testing.T) {
	for _, fps := range []float64{0, 25} {
		synctest.Test(t, func(t *testing.T) {
			r, w := io.Pipe()
			clip := testclips.Samples(media.H264)
			go live(w, clip, func(s media.Sample) []byte { return s.Data })
			p, err := pipe.Reader(t.Context(), r, &pipe.Options{FrameRate: fps})
			require.NoError(t, err)
			got := collect(t, p.Video())
			requireSame(t, clip, got)
			for i := range got {
				require.InDelta(t, clip[i].Timestamp.Seconds(), got[i].Timestamp.Seconds(), 0.005, "sample %d", i)
				require.WithinDuration(t, got[0].Captured.Add(clip[i].Timestamp), got[i].Captured, 6*time.Millisecond)
			}
			<-p.Done()
		})
	}
}

func TestTooSlowAReaderGoesOnWithAKeyframe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		clip := testclips.Samples(media.VP8) // five seconds, a key frame each
		go func() {
			_, _ = w.Write(ivfOf("VP80"))
			live(w, clip, ivfFrame)
		}()
		p, err := pipe.Reader(t.Context(), r, nil)
		require.NoError(t, err)
		next(t, p.Video())
		time.Sleep(2500 * time.Millisecond)
		got := next(t, p.Video())
		require.True(t, got.Keyframe)
		require.Equal(t, 2*time.Second, got.Timestamp, "the first of the last second")
		require.Equal(t, 2040*time.Millisecond, next(t, p.Video()).Timestamp)
		require.Equal(t, int64(49), p.Stats().Sources[0].Dropped)
		_ = collect(t, p.Video())
		<-p.Done()
	})
}

// A source that nobody reads holds a bounded amount.
func TestUnreadSourcesAreBounded(t *testing.T) {
	key := append(bytes.Clone(testclips.Samples(media.VP8)[0].Data), make([]byte, 1<<20)...)
	var frames [][]byte
	for range 100 {
		frames = append(frames, key)
	}
	all, stats, err := pipe.Demux(bytes.NewReader(ivfOf("VP80", frames...)), nil)
	require.NoError(t, err)
	require.LessOrEqual(t, len(all[0]), 32)
	require.Positive(t, stats.Sources[0].Dropped)

	var small [][]byte
	for range 2000 {
		small = append(small, key[:10])
	}
	all, _, err = pipe.Demux(bytes.NewReader(ivfOf("VP80", small...)), nil)
	require.NoError(t, err)
	require.LessOrEqual(t, len(all[0]), 512)
}

// With Paced the program waits for the clock, and for somebody who reads.
func TestPacedStreamsWait(t *testing.T) {
	for _, codec := range []media.Codec{media.VP8, media.H264, media.Opus} {
		synctest.Test(t, func(t *testing.T) {
			_, data := testclips.File(codec)
			p, err := pipe.Reader(t.Context(), bytes.NewReader(data), &pipe.Options{Paced: true})
			require.NoError(t, err)
			time.Sleep(time.Hour) // not read yet
			start := time.Now()
			clip := testclips.Samples(codec)
			for _, want := range clip {
				got := next(t, p.Sources()[0])
				require.Equal(t, content(want), content(got))
				require.InDelta(t, want.Timestamp.Seconds(), time.Since(start).Seconds(), 0.001)
				require.InDelta(t, want.Timestamp.Seconds(), got.Timestamp.Seconds(), 0.001)
			}
			_, err = p.Sources()[0].Next(t.Context())
			require.Equal(t, io.EOF, err)
			<-p.Done()
		})
	}
}

func TestPacedStreamsEndWhenClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, data := testclips.File(media.VP8)
		for _, read := range []bool{false, true} {
			p, err := pipe.Reader(t.Context(), bytes.NewReader(data), &pipe.Options{Paced: true})
			require.NoError(t, err)
			if read {
				next(t, p.Video())
			}
			require.NoError(t, p.Close())
			<-p.Done()
			require.NoError(t, p.Err())
		}
	})
}

// FlushAfter gives pictures out without waiting for the next, and what is cut
// by mistake does no harm beyond the next key frame.
func TestFlushAfter(t *testing.T) {
	clip := testclips.Samples(media.H264)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	opened := make(chan *pipe.Pipe, 1)
	go func() {
		p, err := pipe.Reader(t.Context(), r, &pipe.Options{FlushAfter: 20 * time.Millisecond, MaxDelay: time.Hour})
		if err == nil {
			opened <- p
		}
	}()
	var p *pipe.Pipe
	for i, want := range clip[:20] {
		_, err := w.Write(want.Data)
		require.NoError(t, err)
		if i == 0 {
			p = <-opened
		}
		require.Equal(t, content(want), content(next(t, p.Video())), "before the next is written")
	}
	half := len(clip[20].Data) / 2
	_, err = w.Write(clip[20].Data[:half])
	require.NoError(t, err)
	require.Less(t, len(next(t, p.Video()).Data), len(clip[20].Data), "cut")
	for _, s := range append([]media.Sample{{Data: clip[20].Data[half:]}}, clip[21:50]...) {
		_, err = w.Write(s.Data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	got := collect(t, p.Video())
	requireSame(t, clip[21:50], got)
	<-p.Done()
}

func TestReaderEndsWithItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		_, data := testclips.File(media.VP8)
		go func() {
			_, _ = w.Write(data)
			w.CloseWithError(errors.New("the line is dead"))
		}()
		p, err := pipe.Reader(t.Context(), r, nil)
		require.NoError(t, err)
		got, err := drain(t, p.Video())
		requireSame(t, testclips.Samples(media.VP8), got)
		require.ErrorContains(t, err, "media/pipe: reader: the line is dead")
		<-p.Done()

		// Close ends who waits, and closes the stream.
		r, w = io.Pipe()
		go func() { _, _ = w.Write(data) }()
		p, err = pipe.Reader(t.Context(), r, nil)
		require.NoError(t, err)
		waiting := make(chan error, 1)
		go func() {
			_, err := drain(t, p.Video())
			waiting <- err
		}()
		synctest.Wait()
		require.NoError(t, p.Close())
		require.NoError(t, <-waiting)
		_, err = w.Write([]byte("more"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		<-p.Done()

		// A context that ends while nothing has come.
		r, _ = io.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = pipe.Reader(ctx, r, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		r, _ = io.Pipe()
		_, err = pipe.Reader(t.Context(), r, nil)
		require.ErrorIs(t, err, pipe.ErrStalled)
	})
}

// zeros never ends: a stream that is always ahead.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestCloseEndsAnEndlessReader(t *testing.T) {
	p, err := pipe.Reader(t.Context(), zeros{}, &pipe.Options{Format: pipe.MuLaw})
	require.NoError(t, err)
	require.NoError(t, p.Close())
	<-p.Done()
	require.NoError(t, p.Err())
}

func TestTimelineGoesOn(t *testing.T) {
	var line pipe.Timeline
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	place := func(ts, arrival, want time.Duration) {
		t.Helper()
		got, _ := line.Place(ts, at(arrival))
		require.Equal(t, want, got)
	}
	const s, ms = time.Second, time.Millisecond
	place(5*s, 0, 0)
	place(5*s+40*ms, 50*ms, 40*ms)
	place(5*s+20*ms, 55*ms, 20*ms) // another track, or B-frames: not the timeline's matter
	place(9*s, 4100*ms, 4*s)       // a pause
	line.Next()
	place(0, 10*s, 10*s) // another stream, after a break
	place(40*ms, 10*s+50*ms, 10*s+40*ms)
	line.Next()
	place(7*s, 10*s+30*ms, 10*s+41*ms) // at once
	place(3*s, 11*s, 11*s)             // a leap back
	place(500*s, 12*s, 12*s)           // and far ahead
}

// Samples are made at an even pace, whatever the delay of each, and a clock
// that runs off is followed.
func TestTimelineFindsWhenSamplesWereMade(t *testing.T) {
	var line pipe.Timeline
	start := time.Now()
	for i := range 20_000 { // 800 s at 200 ppm too fast, with delays up to 30 ms
		at := time.Duration(i) * 40 * time.Millisecond
		truth := start.Add(time.Duration(float64(at) * (1 - 200e-6)))
		delay := time.Duration(i*7919%31) * time.Millisecond
		_, made := line.Place(at, truth.Add(delay))
		if i > 100 {
			require.InDelta(t, 0, made.Sub(truth).Seconds(), 0.004, "sample %d", i)
		}
	}
}

func TestSmootherFollowsTheArrival(t *testing.T) {
	for name, c := range map[string]struct {
		fps    float64
		period time.Duration
	}{
		"told": {30, time.Second / 30}, "not told": {0, time.Second / 30}, "told wrongly": {25, time.Second / 30},
	} {
		next := pipe.Smooth(c.fps)
		start := time.Now()
		last := time.Duration(-1)
		for i := range 3000 {
			jitter := time.Duration(i*7919%11) * time.Millisecond
			at := time.Duration(i) * c.period
			if i > 2000 {
				at += 10 * time.Second // it stood still
			}
			got := next(start.Add(at + jitter))
			require.Greater(t, got, last)
			if i > 100 && i != 2001 && name != "told wrongly" {
				require.InDelta(t, (at + 5*time.Millisecond).Seconds(), got.Seconds(), 0.012, "%s, %d", name, i)
			}
			require.InDelta(t, at.Seconds(), got.Seconds(), 0.08, "%s, %d", name, i)
			last = got
		}
	}
}
