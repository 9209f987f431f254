package pure_test

import (
	"encoding/binary"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/opus/internal/pure"
)

// A clip is made with libopus; clips_test.go makes them again.
type clip struct {
	rate, channels int
	frame          time.Duration
	bitrate        int
	configuration  byte // that its packets have (RFC 6716, table 2)
}

var clips = map[string]clip{
	"silk":   {16000, 1, 20 * time.Millisecond, 20000, 9},
	"hybrid": {48000, 1, 20 * time.Millisecond, 32000, 13},
	"celt":   {48000, 2, 20 * time.Millisecond, 96000, 31},
}

// load returns the packets of a clip and what libopus makes of them.
func load(t testing.TB, name string) (packets []media.Sample, pcm []int16) {
	data, err := os.ReadFile("testdata/" + name + ".packets")
	require.NoError(t, err)
	for at := time.Duration(0); len(data) > 0; at += clips[name].frame {
		n := 2 + int(binary.BigEndian.Uint16(data))
		packets = append(packets, media.Sample{Codec: media.Opus, Data: data[2:n], Timestamp: at})
		data = data[n:]
	}
	data, err = os.ReadFile("testdata/" + name + ".pcm")
	require.NoError(t, err)
	for ; len(data) > 0; data = data[2:] {
		pcm = append(pcm, int16(binary.LittleEndian.Uint16(data)))
	}
	return packets, pcm
}

func TestClipsSoundAsWithLibopus(t *testing.T) {
	for name, c := range clips {
		t.Run(name, func(t *testing.T) {
			packets, want := load(t, name)
			dec, err := pure.NewDecoder(c.rate, c.channels)
			require.NoError(t, err)
			var f media.AudioFrame
			var got []int16
			for _, p := range packets {
				require.NoError(t, dec.Decode(p, &f))
				require.Equal(t, []any{c.rate, c.channels, p.Timestamp, c.frame}, []any{f.Rate, f.Channels, f.Timestamp, f.Duration()})
				got = append(got, f.Samples...)
			}
			require.Equal(t, c.configuration, packets[len(packets)-1].Data[0]>>3)
			require.Len(t, got, len(want))
			snr := codectest.SNR(want, got)
			t.Logf("%.1f dB", snr)
			require.Greater(t, snr, 45.0)
		})
	}
}

func TestGapIsMadeUp(t *testing.T) {
	packets, want := load(t, "hybrid")
	dec, err := pure.NewDecoder(48000, 1)
	require.NoError(t, err)
	var f media.AudioFrame
	for _, p := range packets[:8] {
		require.NoError(t, dec.Decode(p, &f))
	}
	require.NoError(t, dec.Conceal(packets[9], 20*time.Millisecond, &f))
	require.Equal(t, packets[8].Timestamp, f.Timestamp)
	snr := codectest.SNR(want[8*960:9*960], f.Samples)
	t.Logf("%.1f dB", snr)
	require.Greater(t, snr, 3.0) // silence has 0
	require.NoError(t, dec.Decode(packets[9], &f))
	require.ErrorIs(t, dec.Conceal(media.Sample{}, time.Minute, &f), codec.ErrFrame)
}

func TestBrokenPacketsAreRefused(t *testing.T) {
	packets, _ := load(t, "celt")
	dec, err := pure.NewDecoder(48000, 2)
	require.NoError(t, err)
	var f media.AudioFrame
	for _, data := range [][]byte{nil, {0xff}, {0xff, 0x3f}, {0x03, 0x00}, make([]byte, 5000)} {
		require.ErrorIs(t, dec.Decode(media.Sample{Data: data}, &f), codec.ErrBitstream)
		require.NoError(t, dec.Decode(packets[0], &f))
	}
}

func FuzzDecode(f *testing.F) {
	var seeds [][]byte
	for name := range clips {
		packets, _ := load(f, name)
		seeds = append(seeds, packets[5].Data)
	}
	codectest.FuzzAudio(f, pure.NewDecoder, seeds...)
}
