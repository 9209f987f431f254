package media_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

// listen reads the source to its end.
func listen(t testing.TB, src media.Source) (samples []media.Sample) {
	t.Helper()
	for {
		s, err := src.Next(t.Context())
		if err != nil {
			require.Equal(t, io.EOF, err)
			return samples
		}
		s.Data = append([]byte(nil), s.Data...)
		samples = append(samples, s)
	}
}

func TestAudioSourceCutsPiecesOfAnyLength(t *testing.T) {
	for _, piece := range []int{1, 7, 441, 480, 960, 961, 1024, 4096, 48000} {
		pieces := 48000/piece + 1
		mic, enc := newMicrophone(tone(48000, 1, piece, pieces)...), &pcm{}
		samples := listen(t, media.NewAudioSource(mic, enc, nil))
		for i, s := range samples {
			at := time.Duration(i) * 20 * time.Millisecond
			require.Equal(t, media.Opus, s.Codec)
			require.True(t, s.Keyframe)
			require.Equal(t, 20*time.Millisecond, s.Duration)
			require.Equal(t, at, s.Timestamp)
			require.WithinDuration(t, epoch.Add(at), s.Captured, 30*time.Microsecond)
			require.Len(t, s.Data, 2*960)
		}
		got, want := enc.all(), sine(48000, 1, 0, piece*pieces)
		for want[len(want)-1] == 0 { // silence at the end may be missing
			want = want[:len(want)-1]
		}
		require.True(t, slices.Equal(want, got[:len(want)]))
		require.Less(t, len(got)-len(want), 960, "the last piece is filled up")
		for _, s := range got[len(want):] {
			require.Zero(t, s)
		}
	}
}

func TestAudioSourceResamplesAndMixes(t *testing.T) {
	for _, from := range []struct{ rate, channels int }{{44100, 1}, {44100, 2}, {48000, 2}, {16000, 1}, {8000, 1}, {96000, 2}, {48000, 4}, {11025, 3}} {
		for _, to := range []struct{ rate, channels int }{{48000, 1}, {48000, 2}, {16000, 1}, {8000, 1}} {
			t.Run(fmt.Sprint(from, " to ", to), func(t *testing.T) {
				mic, enc := newMicrophone(tone(from.rate, from.channels, from.rate/100, 100)...), &pcm{}
				src := media.NewAudioSource(mic, enc, &media.AudioSourceOptions{Rate: to.rate, Channels: to.channels, Frame: 10 * time.Millisecond})
				samples := listen(t, src)
				require.InDelta(t, 100, len(samples), 1)
				for i, f := range enc.frames {
					require.Equal(t, []int{to.rate, to.channels, to.rate / 100 * to.channels}, []int{f.Rate, f.Channels, len(f.Samples)})
					require.Equal(t, time.Duration(i)*10*time.Millisecond, f.Timestamp)
					require.WithinDuration(t, epoch.Add(f.Timestamp), f.Captured, 150*time.Microsecond)
				}
				got, want := enc.all(), sine(to.rate, to.channels, 0, to.rate)
				for i := len(want) / 10; i < len(want)*9/10; i++ {
					require.InDelta(t, want[i], got[i], 12, "sample %d", i)
				}
			})
		}
	}
}

func TestAudioSourceMixesChannels(t *testing.T) {
	for _, tc := range []struct {
		from, want []int16
	}{
		{[]int16{100, 300}, []int16{200}},
		{[]int16{-32768, -32768}, []int16{-32768}},
		{[]int16{1, 2, 3, 6}, []int16{3}},
		{[]int16{7}, []int16{7, 7}},
		{[]int16{1, 10, 3, 30}, []int16{2, 20}},
	} {
		mic, enc := newMicrophone(media.AudioFrame{Rate: 8000, Channels: len(tc.from), Samples: tc.from}), &pcm{}
		listen(t, media.NewAudioSource(mic, enc, &media.AudioSourceOptions{Rate: 8000, Channels: len(tc.want)}))
		require.Equal(t, tc.want, enc.all()[:len(tc.want)], tc.from)
	}
}

func TestAudioSourceDefaultsFollowTheCodec(t *testing.T) {
	for codec, want := range map[media.Codec]int{media.Opus: 960, media.PCMU: 160, media.PCMA: 160} {
		enc := &pcm{codec: codec}
		listen(t, media.NewAudioSource(newMicrophone(tone(48000, 1, 4800, 1)...), enc, nil))
		require.Len(t, enc.frames, 5)
		require.Len(t, enc.frames[0].Samples, want)
	}
}

// formatted is an encoder that tells what it takes.
type formatted struct{ pcm }

func (*formatted) AudioFormat() (rate, channels int, frame time.Duration) {
	return 16000, 2, 60 * time.Millisecond
}

func TestAudioSourceAsksTheEncoder(t *testing.T) {
	enc := &formatted{}
	listen(t, media.NewAudioSource(newMicrophone(tone(16000, 1, 1600, 3)...), enc, &media.AudioSourceOptions{Rate: 48000}))
	require.Len(t, enc.frames, 5)
	require.Len(t, enc.frames[0].Samples, 2*960)
}

// A device whose clock is 200 ppm off: ten minutes of its sound take 120 ms more
// or less than ten minutes.
func TestAudioSourceFollowsSamplesAndClock(t *testing.T) {
	for _, pace := range []float64{1 + 200e-6, 1 - 200e-6} {
		count := 0
		mic := readerFunc(func(f *media.AudioFrame) error {
			if count++; count > 6000 {
				return io.EOF
			}
			at := time.Duration(count-1) * 100 * time.Millisecond
			f.Rate, f.Channels, f.Timestamp = 8000, 1, at
			f.Captured = epoch.Add(time.Duration(float64(at) * pace))
			f.Samples = append(f.Samples[:0], make([]int16, 800)...)
			return nil
		})
		samples := listen(t, media.NewAudioSource(mic, &pcm{codec: media.PCMU}, nil))
		require.Len(t, samples, 30000)
		for i, s := range samples {
			at := time.Duration(i) * 20 * time.Millisecond
			require.Equal(t, at, s.Timestamp, "no gap, no overlap")
			require.WithinDuration(t, epoch.Add(time.Duration(float64(at)*pace)), s.Captured, 50*time.Microsecond)
		}
	}
}

type readerFunc func(*media.AudioFrame) error

func (r readerFunc) ReadAudio(_ context.Context, f *media.AudioFrame) error { return r(f) }
func (readerFunc) Close() error                                             { return nil }

// An overrun loses sound: the timestamps of what follows jump by as much.
func TestAudioSourceGapJumpsTheTimestamp(t *testing.T) {
	for _, rate := range []int{48000, 44100} {
		pieces := tone(rate, 1, rate/100*3, 10) // 30 ms each: the fifth ends within a frame
		for i := 5; i < len(pieces); i++ {
			pieces[i].Timestamp += time.Second
			pieces[i].Captured = pieces[i].Captured.Add(time.Second)
		}
		enc := &pcm{}
		samples := listen(t, media.NewAudioSource(newMicrophone(pieces...), enc, nil))
		require.Len(t, samples, 16)
		for i, s := range samples {
			want := time.Duration(i) * 20 * time.Millisecond
			if i >= 8 {
				want += time.Second - 10*time.Millisecond // begins anew where the sound does
			}
			require.Equal(t, want, s.Timestamp, i)
			require.WithinDuration(t, epoch.Add(want), s.Captured, time.Millisecond, i)
		}
		require.Zero(t, enc.frames[7].Samples[959], "filled up")
		require.Zero(t, enc.frames[7].Samples[500], "filled up")
		require.NotZero(t, enc.frames[7].Samples[470], "nothing of what was heard is lost")
		require.InDelta(t, sine(48000, 1, 7200, 960)[100], enc.frames[8].Samples[100], 40)
	}
}

func TestAudioSourceShortGapIsSilence(t *testing.T) {
	pieces := tone(48000, 1, 480, 8)
	for i := 4; i < len(pieces); i++ {
		pieces[i].Timestamp += 10 * time.Millisecond
		pieces[i].Captured = pieces[i].Captured.Add(10 * time.Millisecond)
	}
	enc := &pcm{}
	samples := listen(t, media.NewAudioSource(newMicrophone(pieces...), enc, nil))
	require.Len(t, samples, 5)
	for i, s := range samples {
		require.Equal(t, time.Duration(i)*20*time.Millisecond, s.Timestamp)
		require.Equal(t, epoch.Add(s.Timestamp), s.Captured)
	}
	require.Equal(t, make([]int16, 480), enc.all()[4*480:5*480])
	require.Equal(t, sine(48000, 1, 4*480, 480), enc.all()[5*480:6*480])
}

// Rounding and scheduling move timestamps a little; that is no gap.
func TestAudioSourceToleratesUnsteadyTimestamps(t *testing.T) {
	pieces := tone(48000, 1, 960, 50)
	for i := range pieces {
		pieces[i].Timestamp += time.Duration(i%3-1) * time.Millisecond
	}
	enc := &pcm{}
	samples := listen(t, media.NewAudioSource(newMicrophone(pieces...), enc, nil))
	require.Len(t, samples, 50)
	require.True(t, slices.Equal(sine(48000, 1, 0, 48000), enc.all()))
}

// A clock that starts again or was set, or none at all: the samples count on.
func TestAudioSourceTimestampsOnlyGrow(t *testing.T) {
	restarted := append(tone(48000, 1, 960, 5), tone(48000, 1, 960, 5)...)
	for i := 8; i < 10; i++ { // and a gap on the clock that started again
		restarted[i].Timestamp += time.Second
	}
	none := tone(48000, 1, 960, 10)
	for i := range none {
		none[i].Timestamp = 0
	}
	set := tone(48000, 1, 960, 10)
	for i := 5; i < 10; i++ {
		set[i].Timestamp += 48 * time.Hour
	}
	for name, pieces := range map[string][]media.AudioFrame{"restarted": restarted, "none": none, "set": set} {
		samples := listen(t, media.NewAudioSource(newMicrophone(pieces...), &pcm{}, nil))
		require.Len(t, samples, 10)
		for i, s := range samples {
			want := time.Duration(i) * 20 * time.Millisecond
			if name == "restarted" && i >= 8 {
				want += time.Second
			}
			require.Equal(t, want, s.Timestamp, "%s: %d", name, i)
		}
	}
}

func TestAudioSourceFormatMayChange(t *testing.T) {
	first, second := tone(48000, 2, 480, 11), tone(44100, 1, 441, 11)
	for i := range second {
		second[i].Timestamp += 110 * time.Millisecond
	}
	enc := &pcm{}
	samples := listen(t, media.NewAudioSource(newMicrophone(append(first, second...)...), enc, nil))
	require.Len(t, samples, 11)
	require.Equal(t, 200*time.Millisecond, samples[10].Timestamp)
	require.True(t, slices.Equal(sine(48000, 1, 0, 5280), enc.all()[:5280]))
	for i, want := range sine(48000, 1, 0, 5280)[100:5000] {
		require.InDelta(t, want, enc.all()[5280+100+i], 12)
	}
}

func TestAudioSourceRefusesImpossibleSound(t *testing.T) {
	for _, tc := range []struct {
		frame media.AudioFrame
		want  error
	}{
		{media.AudioFrame{Rate: 0, Channels: 1, Samples: make([]int16, 4)}, media.ErrFormat},
		{media.AudioFrame{Rate: math.MaxInt, Channels: 1, Samples: make([]int16, 4)}, media.ErrFormat},
		{media.AudioFrame{Rate: 48000, Channels: 0, Samples: make([]int16, 4)}, media.ErrFormat},
		{media.AudioFrame{Rate: 48000, Channels: -1, Samples: make([]int16, 4)}, media.ErrFormat},
		{media.AudioFrame{Rate: 48000, Channels: 65, Samples: make([]int16, 65)}, media.ErrFormat},
		{media.AudioFrame{Rate: 48000, Channels: 2, Samples: make([]int16, 3)}, media.ErrSize},
		{media.AudioFrame{Rate: 4000, Channels: 1, Samples: make([]int16, 4000*61)}, media.ErrSize},
		{media.AudioFrame{Rate: 4000, Channels: 1, Samples: make([]int16, 4), Timestamp: math.MinInt64}, media.ErrTimestamp},
	} {
		_, err := media.NewAudioSource(newMicrophone(tc.frame), &pcm{}, nil).Next(t.Context())
		var frameError *media.FrameError
		require.ErrorAs(t, err, &frameError)
		require.ErrorIs(t, err, tc.want)
	}
	require.EqualError(t, (&media.AudioFrame{Rate: 48000, Channels: 2, Samples: make([]int16, 3)}).Validate(),
		"media: sound of 48000 Hz and 2 channels, 3 samples: impossible size: not a whole number of samples")
}

func TestAudioSourceLeavesOutWhatTheEncoderDoes(t *testing.T) {
	pieces := tone(48000, 1, 960, 6)
	clear(pieces[2].Samples)
	clear(pieces[3].Samples)
	samples := listen(t, media.NewAudioSource(newMicrophone(pieces...), &pcm{silent: true}, nil))
	require.Len(t, samples, 4)
	require.Equal(t, 80*time.Millisecond, samples[2].Timestamp)
}

func TestAudioSourceReportsErrorsOfReaderAndEncoder(t *testing.T) {
	unplugged := errors.New("unplugged")
	mic := newMicrophone()
	mic.end = unplugged
	_, err := media.NewAudioSource(mic, &pcm{}, nil).Next(t.Context())
	require.ErrorIs(t, err, unplugged)

	_, err = media.NewAudioSource(newMicrophone(tone(48000, 1, 960, 1)...), &pcm{err: unplugged}, nil).Next(t.Context())
	require.ErrorIs(t, err, unplugged)
}

func TestAudioSourceBitrateReachesTheEncoder(t *testing.T) {
	enc := &pcm{}
	media.NewAudioSource(newMicrophone(), enc, nil).SetBitrate(24_000)
	require.EqualValues(t, 24_000, enc.bitrate.Load())
}

func TestAudioSourceCloseFreesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mic, enc := newMicrophone(tone(48000, 1, 960, 1)...), &pcm{}
		mic.wait = true
		src := media.NewAudioSource(mic, enc, nil)
		next(t, src)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := src.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := src.Next(t.Context())
			assert.Equal(t, io.EOF, err)
		}()
		synctest.Wait()
		for range 3 {
			require.NoError(t, src.Close())
		}
		<-done
		_, err = src.Next(t.Context())
		require.Equal(t, io.EOF, err)
		require.EqualValues(t, 1, mic.closes.Load())
		require.EqualValues(t, 1, enc.closes.Load())
	})
}

func TestAudioSourceMakesNoGarbage(t *testing.T) {
	piece := tone(44100, 2, 441, 1)[0]
	mic := readerFunc(func(f *media.AudioFrame) error {
		f.Rate, f.Channels, f.Samples = piece.Rate, piece.Channels, append(f.Samples[:0], piece.Samples...)
		return nil
	})
	src := media.NewAudioSource(mic, &quiet{data: []byte{1}}, nil)
	ctx := t.Context()
	next(t, src)
	require.Zero(t, testing.AllocsPerRun(50, func() { _, _ = src.Next(ctx) }))
}

// quiet encodes everything to the same.
type quiet struct {
	pcm
	data []byte
}

func (e *quiet) Encode(*media.AudioFrame) (media.Sample, error) {
	return media.Sample{Data: e.data}, nil
}

func TestC86SamplesTellHowLoudTheyAre(t *testing.T) {
	level := func(amplitude int16, wave func(i int) int16) int {
		f := &media.AudioFrame{Rate: 48000, Channels: 1}
		for i := range 4800 {
			f.Samples = append(f.Samples, wave(i)*amplitude)
		}
		return f.Level()
	}
	square := func(i int) int16 { return int16(i/24%2)*2 - 1 }
	require.Equal(t, -1, level(32767, square), "zero is for what is not known")
	require.Equal(t, -20, level(3277, square))
	require.Equal(t, -90, level(1, square))
	require.Equal(t, -127, level(0, square), "silence")
	require.Zero(t, (&media.AudioFrame{Rate: 48000, Channels: 1}).Level())
	sine := func(i int) int16 { return int16(math.Round(1000 * math.Sin(float64(i)*math.Pi/24))) }
	require.Equal(t, -13, level(10, sine), "of a sine wave with 10 000 of 32 767")

	loud, quiet := media.AudioFrame{Rate: 48000, Channels: 1}, media.AudioFrame{Rate: 48000, Channels: 1}
	for i := range 960 {
		loud.Samples = append(loud.Samples, 3277*square(i))
		quiet.Samples = append(quiet.Samples, 0)
	}
	samples := listen(t, media.NewAudioSource(newMicrophone(loud, quiet), &pcm{}, nil))
	require.Len(t, samples, 2)
	require.Equal(t, -20, samples[0].Level)
	require.Equal(t, -127, samples[1].Level)
}
