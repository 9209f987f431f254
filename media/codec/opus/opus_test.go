//go:build cgo && codecs

package opus_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/opus"
	"github.com/parley-rtc/parley/media/codec/opus/internal/pure"
)

const ms = time.Millisecond

func newEncoder(t testing.TB, o codec.AudioOptions) media.AudioEncoder {
	enc, err := opus.NewEncoder(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, enc.Close()) })
	return enc
}

func newDecoder(t testing.TB, rate, channels int) media.AudioDecoder {
	dec, err := opus.NewDecoder(rate, channels)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dec.Close()) })
	return dec
}

// encode returns the packets of a voice of the length.
func encode(t testing.TB, o codec.AudioOptions, length time.Duration) (packets []media.Sample, sound []int16) {
	o, err := o.WithDefaults()
	require.NoError(t, err)
	enc := newEncoder(t, o)
	var f media.AudioFrame
	for at := time.Duration(0); at < length; at += o.Frame {
		codectest.Voice(&f, o.Rate, o.Channels, at, o.Frame)
		s, err := enc.Encode(&f)
		require.NoError(t, err)
		s.Data = append([]byte(nil), s.Data...)
		packets = append(packets, s)
		sound = append(sound, f.Samples...)
	}
	return packets, sound
}

func TestVoiceSurvives(t *testing.T) {
	captured := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, rate := range []int{8000, 12000, 16000, 24000, 48000} {
		for _, channels := range []int{1, 2} {
			for _, frame := range []time.Duration{10 * ms, 20 * ms, 40 * ms, 60 * ms} {
				t.Run(fmt.Sprintf("%d Hz %d channels %v", rate, channels, frame), func(t *testing.T) {
					enc := newEncoder(t, codec.AudioOptions{Rate: rate, Channels: channels, Frame: frame, Bitrate: 64000})
					dec := newDecoder(t, rate, channels)
					var in, out media.AudioFrame
					var want, got []int16
					for at := time.Duration(0); at < 600*ms; at += frame {
						codectest.Voice(&in, rate, channels, at, frame)
						in.Captured = captured.Add(at)
						s, err := enc.Encode(&in)
						require.NoError(t, err)
						require.Equal(t, frame, s.Duration)
						require.True(t, s.Keyframe)
						length, err := bitstream.OpusDuration(s.Data)
						require.NoError(t, err)
						require.Equal(t, frame, length)
						require.NoError(t, dec.Decode(s, &out))
						require.Equal(t, []any{rate, channels, at, in.Captured}, []any{out.Rate, out.Channels, out.Timestamp, out.Captured})
						require.Equal(t, frame, out.Duration())
						want, got = append(want, in.Samples...), append(got, out.Samples...)
					}
					snr, delay := codectest.DelayedSNR(want, got, channels, rate/100)
					t.Logf("%.1f dB after %d samples", snr, delay)
					require.Greater(t, snr, 10.0)
				})
			}
		}
	}
}

func TestBitrateIsHeldAndChanges(t *testing.T) {
	enc := newEncoder(t, codec.AudioOptions{Bitrate: 40_000})
	var f media.AudioFrame
	at := time.Duration(0)
	for _, aim := range []int{40_000, 16_000, 96_000, 0} {
		enc.SetBitrate(aim)
		want := cmp.Or(aim, 40_000) // what it was made with
		size := 0
		for range 100 {
			codectest.Voice(&f, 48000, 1, at, 20*ms)
			s, err := enc.Encode(&f)
			require.NoError(t, err)
			size += len(s.Data)
			at += 20 * ms
		}
		require.InEpsilon(t, want, size*8/2, 0.15)
	}
}

// Who feeds the encoder need not be told what it takes.
func TestEncoderTellsWhatItTakes(t *testing.T) {
	enc := newEncoder(t, codec.AudioOptions{Rate: 24000, Channels: 2, Frame: 40 * ms})
	rate, channels, frame := enc.(media.AudioFormatter).AudioFormat()
	require.Equal(t, []any{24000, 2, 40 * ms}, []any{rate, channels, frame})
}

// A lost packet comes back out of the next one, better than by guessing.
func TestFECRecoversALostPacket(t *testing.T) {
	for _, channels := range []int{1, 2} {
		packets, _ := encode(t, codec.AudioOptions{Channels: channels, FEC: true, Loss: 0.2, Bitrate: 32_000 * channels}, 2*time.Second)
		whole, fec, guess := newDecoder(t, 48000, channels), newDecoder(t, 48000, channels), newDecoder(t, 48000, channels)
		var want, restored, guessed media.AudioFrame
		var all, byFEC, byGuess []int16
		for i, p := range packets {
			require.NoError(t, whole.Decode(p, &want))
			if i%5 == 3 && i+1 < len(packets) {
				require.NoError(t, fec.Conceal(packets[i+1], 20*ms, &restored))
				require.NoError(t, guess.Conceal(media.Sample{}, 20*ms, &guessed))
				require.Equal(t, p.Timestamp, restored.Timestamp)
				require.Equal(t, p.Timestamp, guessed.Timestamp)
				require.Len(t, restored.Samples, len(want.Samples))
				all, byFEC, byGuess = append(all, want.Samples...), append(byFEC, restored.Samples...), append(byGuess, guessed.Samples...)
				continue
			}
			require.NoError(t, fec.Decode(p, &restored))
			require.NoError(t, guess.Decode(p, &guessed))
		}
		with, without := codectest.SNR(all, byFEC), codectest.SNR(all, byGuess)
		t.Logf("%d channels: %.1f dB restored, %.1f dB guessed", channels, with, without)
		require.Greater(t, with, without+3)
	}
}

func TestFECCostsAndNeedsTheOption(t *testing.T) {
	size := func(fec bool) (n int, last []media.Sample) {
		packets, _ := encode(t, codec.AudioOptions{FEC: fec, Bitrate: 32000}, time.Second)
		return len(packets), packets
	}
	_, without := size(false)
	_, with := size(true)
	var fromNext, guessed media.AudioFrame
	// Without the option the next packet has nothing, and both are guesses.
	a, b := newDecoder(t, 48000, 1), newDecoder(t, 48000, 1)
	for _, p := range without[:20] {
		require.NoError(t, a.Decode(p, &fromNext))
		require.NoError(t, b.Decode(p, &guessed))
	}
	require.NoError(t, a.Conceal(without[21], 20*ms, &fromNext))
	require.NoError(t, b.Conceal(media.Sample{}, 20*ms, &guessed))
	require.Equal(t, guessed.Samples, fromNext.Samples)
	a, b = newDecoder(t, 48000, 1), newDecoder(t, 48000, 1)
	for _, p := range with[:20] {
		require.NoError(t, a.Decode(p, &fromNext))
		require.NoError(t, b.Decode(p, &guessed))
	}
	require.NoError(t, a.Conceal(with[21], 20*ms, &fromNext))
	require.NoError(t, b.Conceal(media.Sample{}, 20*ms, &guessed))
	require.NotEqual(t, guessed.Samples, fromNext.Samples)
}

func TestDTXMakesSilenceCheap(t *testing.T) {
	short := 0
	silence := func(dtx bool) (sent, size int) {
		enc := newEncoder(t, codec.AudioOptions{DTX: dtx})
		var f media.AudioFrame
		hiss := rand.New(rand.NewPCG(1, 2))
		for i := range 250 {
			codectest.Voice(&f, 48000, 1, time.Duration(i)*20*ms, 20*ms)
			if i >= 100 { // two seconds of voice, then the hiss of a microphone
				for j := range f.Samples {
					f.Samples[j] = int16(hiss.IntN(9) - 4)
				}
			}
			s, err := enc.Encode(&f)
			require.NoError(t, err)
			if i < 100 {
				require.NotEmpty(t, s.Data, "piece %d is no silence", i)
			}
			if s.Data != nil && len(s.Data) <= 2 {
				short++
			}
			if i >= 150 && len(s.Data) > 0 {
				sent++
				size += len(s.Data)
			}
		}
		return sent, size
	}
	packets, bytes := silence(true)
	all, full := silence(false)
	t.Logf("two seconds of silence: %d packets, %d bytes; without DTX %d, %d", packets, bytes, all, full)
	require.Equal(t, 100, all)
	require.LessOrEqual(t, packets, 12) // one every 400 ms, and the first of silence after each
	require.NotZero(t, short)
	require.NotZero(t, packets)
	require.Less(t, bytes*10, full)
}

func TestGapsOfAnyLength(t *testing.T) {
	packets, _ := encode(t, codec.AudioOptions{FEC: true}, 400*ms)
	for _, length := range []time.Duration{0, 1 * ms, 2500 * time.Microsecond, 20 * ms, 33 * ms, 119 * ms, 120 * ms, 121 * ms, time.Second, 9 * time.Second} {
		for _, next := range []media.Sample{{}, packets[12]} {
			dec := newDecoder(t, 16000, 2)
			var f media.AudioFrame
			for _, p := range packets[:10] {
				require.NoError(t, dec.Decode(p, &f))
			}
			require.NoError(t, dec.Conceal(next, length, &f))
			require.InDelta(t, length, f.Duration(), float64(1250*time.Microsecond))
			require.Equal(t, []int{16000, 2}, []int{f.Rate, f.Channels})
			require.NoError(t, dec.Decode(packets[12], &f))
		}
	}
	dec := newDecoder(t, 48000, 1)
	var f media.AudioFrame
	require.ErrorIs(t, dec.Conceal(media.Sample{}, time.Hour, &f), codec.ErrFrame)
}

// What the decoder in Go makes of a stream is what libopus makes of it.
func TestDecoderInGoIsAsGood(t *testing.T) {
	for name, o := range map[string]codec.AudioOptions{
		"silk narrow":    {Rate: 8000, Bitrate: 12000},
		"silk wide":      {Rate: 16000, Bitrate: 20000},
		"silk stereo":    {Rate: 16000, Channels: 2, FEC: true, Bitrate: 32000},
		"silk 60 ms":     {Rate: 16000, Frame: 60 * ms, Bitrate: 16000},
		"hybrid":         {Bitrate: 32000},
		"hybrid stereo":  {Channels: 2, FEC: true, Bitrate: 48000},
		"celt":           {Bitrate: 96000},
		"celt 10 ms":     {Bitrate: 96000, Frame: 10 * ms},
		"celt stereo":    {Channels: 2, Bitrate: 128000},
		"switching, DTX": {DTX: true, Bitrate: 40000},
	} {
		packets, _ := encode(t, o, time.Second)
		for _, rate := range []int{8000, 16000, 48000} {
			for _, channels := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s to %d Hz %d channels", name, rate, channels), func(t *testing.T) {
					c := newDecoder(t, rate, channels)
					g, err := pure.NewDecoder(rate, channels)
					require.NoError(t, err)
					var want, got []int16
					var f media.AudioFrame
					for _, p := range packets {
						if len(p.Data) == 0 {
							continue
						}
						require.NoError(t, c.Decode(p, &f))
						want = append(want, f.Samples...)
						require.NoError(t, g.Decode(p, &f))
						got = append(got, f.Samples...)
					}
					require.Len(t, got, len(want))
					snr := codectest.SNR(want, got)
					t.Logf("%.1f dB, configuration %d", snr, packets[len(packets)/2].Data[0]>>3)
					require.Greater(t, snr, 40.0)
				})
			}
		}
	}
}

func TestWrongInput(t *testing.T) {
	var option *codec.OptionError
	_, err := opus.NewEncoder(codec.AudioOptions{Rate: 44100})
	require.ErrorAs(t, err, &option)
	require.EqualError(t, err, "opus: option Rate is 44100, want 8000, 12000, 16000, 24000 or 48000 Hz")
	enc, dec := newEncoder(t, codec.AudioOptions{}), newDecoder(t, 48000, 1)
	for _, f := range []*media.AudioFrame{
		nil,
		{Rate: 16000, Channels: 1, Samples: make([]int16, 320)},
		{Rate: 48000, Channels: 2, Samples: make([]int16, 1920)},
		{Rate: 48000, Channels: 1, Samples: make([]int16, 959)},
	} {
		_, err := enc.Encode(f)
		require.ErrorIs(t, err, codec.ErrFrame)
	}
	var f media.AudioFrame
	for _, data := range [][]byte{nil, {0xff}, {0x03, 0x00}, make([]byte, 5000)} {
		require.ErrorIs(t, dec.Decode(media.Sample{Data: data}, &f), codec.ErrBitstream)
	}
}

func TestClosed(t *testing.T) {
	enc, dec := newEncoder(t, codec.AudioOptions{}), newDecoder(t, 48000, 1)
	f := media.AudioFrame{Rate: 48000, Channels: 1, Samples: make([]int16, 960)}
	s, err := enc.Encode(&f)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { require.NoError(t, enc.Close()) })
		wg.Go(func() { enc.SetBitrate(64000) })
		wg.Go(func() { require.NoError(t, dec.Close()) })
	}
	wg.Wait()
	_, err = enc.Encode(&f)
	require.ErrorIs(t, err, media.ErrClosed)
	require.ErrorIs(t, dec.Decode(s, &f), media.ErrClosed)
	require.ErrorIs(t, dec.Conceal(s, 20*ms, &f), media.ErrClosed)
}

func TestCodingMakesNoGarbage(t *testing.T) {
	enc, dec := newEncoder(t, codec.AudioOptions{FEC: true}), newDecoder(t, 48000, 2)
	var in, out media.AudioFrame
	codectest.Voice(&in, 48000, 1, 0, 20*ms)
	pass := func() {
		s, err := enc.Encode(&in)
		if err != nil {
			panic(err)
		}
		if err := dec.Decode(s, &out); err != nil {
			panic(err)
		}
		if err := dec.Conceal(s, 20*ms, &out); err != nil {
			panic(err)
		}
	}
	pass()
	require.Zero(t, testing.AllocsPerRun(50, pass))
}

func BenchmarkEncode(b *testing.B) {
	enc := newEncoder(b, codec.AudioOptions{FEC: true})
	pieces := make([]media.AudioFrame, 100)
	for i := range pieces {
		codectest.Voice(&pieces[i], 48000, 1, time.Duration(i)*20*ms, 20*ms)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := enc.Encode(&pieces[n%len(pieces)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
