package g711_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/g711"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
)

const piece = 20 * time.Millisecond

func pair(t *testing.T, c media.Codec) (media.AudioEncoder, media.AudioDecoder) {
	enc, err := g711.NewEncoder(c, codec.AudioOptions{})
	require.NoError(t, err)
	dec, err := g711.NewDecoder(c, 0, 0)
	require.NoError(t, err)
	require.Equal(t, c, enc.Codec())
	require.Equal(t, c, dec.Codec())
	return enc, dec
}

func TestVoiceSurvives(t *testing.T) {
	captured := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []media.Codec{media.PCMU, media.PCMA} {
		enc, dec := pair(t, c)
		var in, out media.AudioFrame
		var want, got []int16
		for i := range 50 {
			codectest.Voice(&in, 8000, 1, time.Duration(i)*piece, piece)
			in.Captured = captured
			s, err := enc.Encode(&in)
			require.NoError(t, err)
			require.Len(t, s.Data, 160)
			require.Equal(t, media.Sample{
				Codec: c, Data: s.Data, Timestamp: in.Timestamp, Duration: piece, Keyframe: true, Captured: captured,
			}, s)
			require.NoError(t, dec.Decode(s, &out))
			require.Equal(t, []any{8000, 1, in.Timestamp, captured}, []any{out.Rate, out.Channels, out.Timestamp, out.Captured})
			want, got = append(want, in.Samples...), append(got, out.Samples...)
		}
		require.Greater(t, codectest.SNR(want, got), 35.0, c)
	}
}

// The decoded values are those of G.711's tables: the extremes, and silence.
func TestValuesOfTheTables(t *testing.T) {
	for c, values := range map[media.Codec]map[byte]int16{
		media.PCMU: {0x00: -32124, 0x80: 32124, 0xff: 0, 0x7f: 0, 0xfe: 8, 0xef: 132, 0x8f: 16764},
		media.PCMA: {0x2a: -32256, 0xaa: 32256, 0xd5: 8, 0x55: -8, 0xd4: 24, 0xc5: 264},
	} {
		_, dec := pair(t, c)
		for code, want := range values {
			var f media.AudioFrame
			require.NoError(t, dec.Decode(media.Sample{Data: []byte{code}}, &f))
			require.Equal(t, []int16{want}, f.Samples, "%s %#x", c, code)
		}
	}
}

func TestGapIsMadeUp(t *testing.T) {
	enc, dec := pair(t, media.PCMU)
	var in, out media.AudioFrame
	var want, got []int16
	for i := range 50 {
		codectest.Voice(&in, 8000, 1, time.Duration(i)*piece, piece)
		s, err := enc.Encode(&in)
		require.NoError(t, err)
		if i%10 == 9 {
			require.NoError(t, dec.Conceal(media.Sample{}, piece, &out))
			require.Equal(t, in.Timestamp, out.Timestamp)
			require.Len(t, out.Samples, 160)
			want, got = append(want, in.Samples...), append(got, out.Samples...)
			continue
		}
		require.NoError(t, dec.Decode(s, &out))
	}
	snr := codectest.SNR(want, got) // silence has 0 dB
	t.Logf("%.1f dB", snr)
	require.Greater(t, snr, 3.0)
}

func TestLongGapFadesOut(t *testing.T) {
	enc, dec := pair(t, media.PCMA)
	var f media.AudioFrame
	for i := range 5 {
		codectest.Voice(&f, 8000, 1, time.Duration(i)*piece, piece)
		s, err := enc.Encode(&f)
		require.NoError(t, err)
		require.NoError(t, dec.Decode(s, &f))
	}
	next := media.Sample{Data: []byte{0xd5}, Timestamp: time.Second, Captured: time.Unix(100, 0)}
	require.NoError(t, dec.Conceal(next, 200*time.Millisecond, &f))
	require.Equal(t, 800*time.Millisecond, f.Timestamp)
	require.Equal(t, time.Unix(99, 800_000_000), f.Captured)
	require.Len(t, f.Samples, 1600)
	require.NotZero(t, f.Samples[40])
	require.Equal(t, make([]int16, 1000), f.Samples[600:])
	require.ErrorIs(t, dec.Conceal(media.Sample{}, time.Minute, &f), codec.ErrFrame)
	require.NoError(t, dec.Conceal(media.Sample{}, -time.Second, &f))
	require.Empty(t, f.Samples)
}

func TestWrongInput(t *testing.T) {
	enc, dec := pair(t, media.PCMU)
	for _, f := range []*media.AudioFrame{
		nil,
		{Rate: 48000, Channels: 1, Samples: make([]int16, 160)},
		{Rate: 8000, Channels: 2, Samples: make([]int16, 320)},
		{Rate: 8000, Channels: 1, Samples: make([]int16, 159)},
	} {
		_, err := enc.Encode(f)
		require.ErrorIs(t, err, codec.ErrFrame)
	}
	var f media.AudioFrame
	require.ErrorIs(t, dec.Decode(media.Sample{}, &f), codec.ErrBitstream)
	require.ErrorIs(t, dec.Decode(media.Sample{Data: make([]byte, 1<<20)}, &f), codec.ErrBitstream)
	_, err := g711.NewEncoder(media.Opus, codec.AudioOptions{})
	require.ErrorIs(t, err, codec.ErrUnsupported)
	_, err = g711.NewEncoder(media.PCMU, codec.AudioOptions{Rate: 48000})
	require.EqualError(t, err, "g711: option Rate is 48000, want 8000 Hz")
	_, err = g711.NewDecoder(media.PCMU, 8000, 2)
	require.EqualError(t, err, "g711: option Channels is 2, want 1")

	require.NoError(t, enc.Close())
	require.NoError(t, enc.Close())
	_, err = enc.Encode(&media.AudioFrame{Rate: 8000, Channels: 1, Samples: make([]int16, 160)})
	require.ErrorIs(t, err, media.ErrClosed)
}
