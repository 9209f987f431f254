//go:build cgo && codecs

package all_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/internal/picture"
)

// A talk is an encoder and a decoder of what it makes.
type talk struct {
	t   *testing.T
	enc media.VideoEncoder
	dec media.VideoDecoder
	in  media.VideoFrame
	out media.VideoFrame
	n   int
}

func (m maker) talk(t *testing.T, o codec.VideoOptions) *talk {
	return &talk{t: t, enc: m.newEncoder(t, o), dec: m.newDecoder(t)}
}

// send passes a picture on and checks what comes out, which is close to it.
func (k *talk) send(scene *codectest.Scene, keyframe bool) media.Sample {
	scene.Draw(&k.in, k.n)
	k.in.Timestamp = codectest.Time(k.n, 30)
	k.n++
	s, err := k.enc.Encode(&k.in, keyframe)
	require.NoError(k.t, err)
	require.NotEmpty(k.t, s.Data)
	ok, err := k.dec.Decode(s, &k.out)
	require.NoError(k.t, err)
	require.True(k.t, ok)
	require.Greater(k.t, codectest.PSNR(&k.in, &k.out), 25.0, "picture %d", k.n-1)
	return s
}

func TestKeyframeOnDemandIsTheNextSample(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		k, scene := m.talk(t, codec.VideoOptions{}), codectest.NewScene(320, 240)
		for n := range 40 {
			wanted := n == 10 || n == 11 || n == 25
			s := k.send(scene, wanted)
			require.Equal(t, wanted || n == 0, s.Keyframe, "picture %d", n)
			require.Equal(t, s.Keyframe, s.Width == 320 && s.Height == 240)
			require.Equal(t, s.Keyframe, isKey(t, s), "picture %d", n)
		}
	})
}

// isKey looks into the sample itself.
func isKey(t *testing.T, s media.Sample) bool {
	parse := map[media.Codec]func([]byte) (bitstream.Picture, error){
		media.VP8: bitstream.ParseVP8, media.VP9: bitstream.ParseVP9, media.H264: bitstream.ParseH264,
	}
	p, err := parse[s.Codec](s.Data)
	require.NoError(t, err)
	if p.Keyframe {
		require.Equal(t, []int{s.Width, s.Height}, []int{p.Width, p.Height})
	}
	return p.Keyframe
}

func TestKeyframeInterval(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		k, scene := m.talk(t, codec.VideoOptions{KeyframeInterval: time.Second}), codectest.NewScene(320, 240)
		for n := range 95 {
			// The one asked for counts.
			require.Equal(t, n == 0 || n == 30 || n == 45 || n == 75, k.send(scene, n == 45).Keyframe, "picture %d", n)
		}
	})
}

func TestSizeChanges(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		k := m.talk(t, codec.VideoOptions{Width: 320, Height: 240, Bitrate: 2_000_000})
		for _, size := range [][2]int{{320, 240}, {640, 360}, {160, 90}, {1280, 720}, {64, 64}, {240, 320}} {
			scene := codectest.NewScene(size[0], size[1])
			for n := range 4 {
				s := k.send(scene, false)
				require.Equal(t, n == 0, s.Keyframe)
				require.Equal(t, size, [2]int{k.out.Width, k.out.Height})
				if n == 0 {
					require.Equal(t, size, [2]int{s.Width, s.Height})
				}
			}
		}
	})
}

func TestOddSizes(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		for _, size := range [][2]int{{321, 241}, {17, 33}, {639, 16}, {16, 479}, {401, 300}} {
			k, scene := m.talk(t, codec.VideoOptions{Bitrate: 2_000_000}), codectest.NewScene(size[0], size[1])
			want := size
			if m.codec == media.H264 {
				want = [2]int{size[0] &^ 1, size[1] &^ 1}
			}
			for range 3 {
				s := k.send(scene, false)
				require.Equal(t, want, [2]int{k.out.Width, k.out.Height})
				require.Equal(t, s.Keyframe, isKey(t, s))
			}
		}
	})
}

// Pictures with gaps between the rows come out as those without.
func TestStridesAreHonored(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		scene := codectest.NewScene(322, 242)
		var plain, padded media.VideoFrame
		scene.Draw(&plain, 0)
		padded = plain
		for i := range padded.Planes {
			w, h := picture.Plane(plain.Width, plain.Height, i)
			padded.Strides[i] = w + 37
			padded.Planes[i] = make([]byte, padded.Strides[i]*(h-1)+w)
			for j := range padded.Planes[i] {
				padded.Planes[i][j] = byte(j * 7)
			}
			picture.Copy(padded.Planes[i], padded.Strides[i], plain.Planes[i], plain.Strides[i], w, h)
		}
		a, err := m.newEncoder(t, codec.VideoOptions{}).Encode(&plain, false)
		require.NoError(t, err)
		b, err := m.newEncoder(t, codec.VideoOptions{}).Encode(&padded, false)
		require.NoError(t, err)
		require.Equal(t, a.Data, b.Data)
	})
}

func TestUnsuitablePicturesAreRefused(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		k, scene := m.talk(t, codec.VideoOptions{}), codectest.NewScene(320, 240)
		k.send(scene, false)
		wrong := k.in
		wrong.Format = media.NV12
		_, err := k.enc.Encode(&wrong, false)
		require.ErrorIs(t, err, codec.ErrFrame)
		wrong = k.in
		wrong.Planes[2] = wrong.Planes[2][:100]
		_, err = k.enc.Encode(&wrong, false)
		require.ErrorIs(t, err, codec.ErrFrame)
		require.False(t, k.send(scene, false).Keyframe, "it goes on as if nothing had been")
		_, err = m.encoder(codec.VideoOptions{Threads: 9})
		var option *codec.OptionError
		require.ErrorAs(t, err, &option)
		require.Equal(t, "Threads", option.Option)
	})
}

// After an hour without pictures, libvpx 1.15 was dead for good.
func TestPauseOfAnHour(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		enc, scene := m.newEncoder(t, codec.VideoOptions{Bitrate: 300_000}), codectest.NewScene(320, 180)
		var in media.VideoFrame
		size := 0
		for n := range 300 {
			scene.Draw(&in, n)
			in.Timestamp = codectest.Time(n, 30)
			if n >= 60 {
				in.Timestamp += time.Hour
			}
			if n >= 120 {
				in.Timestamp += 80 * time.Hour
			}
			s, err := enc.Encode(&in, false)
			require.NoError(t, err)
			require.NotEmpty(t, s.Data)
			require.Equal(t, in.Timestamp, s.Timestamp)
			require.Less(t, len(s.Data)*8, 150_000, "nobody saves up bits for picture %d", n)
			if n >= 180 {
				size += len(s.Data)
			}
		}
		require.InEpsilon(t, 300_000, size*8/4, 0.15)
	})
}

func TestTimestampsThatDoNotGrow(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		k, scene := m.talk(t, codec.VideoOptions{}), codectest.NewScene(320, 240)
		for range 10 {
			scene.Draw(&k.in, 1)
			k.in.Timestamp = time.Minute
			s, err := k.enc.Encode(&k.in, false)
			require.NoError(t, err)
			require.Equal(t, time.Minute, s.Timestamp)
		}
	})
}

func TestThreadsMakeTheSamePicture(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		for _, threads := range []int{1, 2, 4} {
			for _, size := range [][2]int{{640, 360}, {320, 16}} {
				k, scene := m.talk(t, codec.VideoOptions{Threads: threads, Bitrate: 4_000_000}), codectest.NewScene(size[0], size[1])
				for range 5 {
					k.send(scene, false)
				}
			}
		}
	})
}

func TestDropFrames(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		count := func(drop bool) (left, size int) {
			enc := m.newEncoder(t, codec.VideoOptions{Bitrate: 40_000, DropFrames: drop})
			scene := codectest.NewScene(640, 360)
			var in media.VideoFrame
			for n := range 90 {
				scene.Draw(&in, n)
				in.Timestamp = codectest.Time(n, 30)
				s, err := enc.Encode(&in, false)
				require.NoError(t, err)
				if len(s.Data) == 0 {
					require.Equal(t, media.Sample{Codec: m.codec, Timestamp: in.Timestamp}, s)
					left++
				}
				size += len(s.Data)
			}
			return left, size
		}
		left, size := count(false)
		require.Zero(t, left)
		dropped, smaller := count(true)
		t.Logf("%d kbit/s without, %d kbit/s with %d of 90 pictures left out", size*8/3000, smaller*8/3000, dropped)
		if name := t.Name(); name != "TestDropFrames/x264" {
			require.NotZero(t, dropped)
			require.Less(t, smaller, size)
		}
	})
}

func TestClosed(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		k := m.talk(t, codec.VideoOptions{})
		s := k.send(codectest.NewScene(320, 240), false)
		require.NoError(t, k.enc.Close())
		require.NoError(t, k.enc.Close())
		k.enc.SetBitrate(500_000)
		_, err := k.enc.Encode(&k.in, true)
		require.ErrorIs(t, err, media.ErrClosed)
		require.NotZero(t, len(s.Data)+int(s.Data[0])) // still ours
		require.NoError(t, k.dec.Close())
		require.NoError(t, k.dec.Close())
		_, err = k.dec.Decode(s, &k.out)
		require.ErrorIs(t, err, media.ErrClosed)
	})
}

// Close and SetBitrate come from anywhere while pictures are encoded.
func TestCloseInTheMiddle(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		scene := codectest.NewScene(320, 240)
		for round := range 5 {
			enc := m.newEncoder(t, codec.VideoOptions{Threads: 2})
			encoded := make(chan struct{}, 1)
			var wg sync.WaitGroup
			wg.Go(func() {
				var in media.VideoFrame
				for n := 0; ; n++ {
					scene.Draw(&in, n)
					in.Timestamp = codectest.Time(n, 30)
					if _, err := enc.Encode(&in, n%10 == 0); err != nil {
						require.ErrorIs(t, err, media.ErrClosed)
						return
					}
					select {
					case encoded <- struct{}{}:
					default:
					}
				}
			})
			for i := range 3 + round {
				<-encoded
				enc.SetBitrate(100_000 * (i + 1))
			}
			wg.Go(func() { require.NoError(t, enc.Close()) })
			require.NoError(t, enc.Close())
			wg.Wait()
		}
	})
}

func TestEncodingMakesNoGarbage(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		enc, dec := m.newEncoder(t, codec.VideoOptions{}), m.newDecoder(t)
		scene := codectest.NewScene(320, 240)
		frames := make([]media.VideoFrame, 20)
		for n := range frames {
			scene.Draw(&frames[n], n)
		}
		var out media.VideoFrame
		n := 0
		pass := func() {
			f := &frames[n%len(frames)]
			f.Timestamp = codectest.Time(n, 30)
			n++
			s, err := enc.Encode(f, n == 1)
			if err != nil {
				panic(err)
			}
			if ok, err := dec.Decode(s, &out); !ok || err != nil {
				panic(fmt.Sprint(ok, err))
			}
		}
		for range 2 * len(frames) {
			pass()
		}
		require.Zero(t, testing.AllocsPerRun(2*len(frames), pass))
	})
}

func TestEncodersAndDecodersGiveTheirMemoryBack(t *testing.T) {
	eachVideo(t, func(t *testing.T, m maker) {
		large, small := codectest.NewScene(320, 180), codectest.NewScene(160, 90)
		cycle := func() {
			enc, err := m.encoder(codec.VideoOptions{Width: 320, Height: 180})
			require.NoError(t, err)
			dec, err := m.decoder()
			require.NoError(t, err)
			var in, out media.VideoFrame
			for _, scene := range []*codectest.Scene{large, small} { // of the second size too
				scene.Draw(&in, 0)
				s, err := enc.Encode(&in, false)
				require.NoError(t, err)
				ok, err := dec.Decode(s, &out)
				require.NoError(t, err)
				require.True(t, ok)
			}
			require.NoError(t, enc.Close())
			require.NoError(t, dec.Close())
		}
		for range 40 {
			cycle()
		}
		runtime.GC()
		before := resident(t)
		for range 200 {
			cycle()
		}
		runtime.GC()
		after := resident(t)
		t.Logf("%d KiB, then %d KiB", before>>10, after>>10)
		// An encoder of this size holds about a megabyte.
		require.Less(t, after-before, int64(20<<20))
	})
}
