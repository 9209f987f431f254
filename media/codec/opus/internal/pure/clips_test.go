//go:build cgo && codecs

package pure_test

import (
	"encoding/binary"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/opus"
)

var update = flag.Bool("update", false, "write the clips in testdata anew")

// The packets in testdata decode to the sound there, or do so after an update.
func TestClipsAreThoseOfLibopus(t *testing.T) {
	for name, c := range clips {
		if *update {
			write(t, name, c)
			continue
		}
		packets, want := load(t, name)
		dec, err := opus.NewDecoder(c.rate, c.channels)
		require.NoError(t, err)
		var f media.AudioFrame
		var got []int16
		for _, p := range packets {
			require.NoError(t, dec.Decode(p, &f))
			got = append(got, f.Samples...)
		}
		require.NoError(t, dec.Close())
		require.Greater(t, codectest.SNR(want, got), 45.0, name) // versions of libopus may differ in the last bit
	}
}

func write(t *testing.T, name string, c clip) {
	enc, err := opus.NewEncoder(codec.AudioOptions{Rate: c.rate, Channels: c.channels, Frame: c.frame, Bitrate: c.bitrate})
	require.NoError(t, err)
	dec, err := opus.NewDecoder(c.rate, c.channels)
	require.NoError(t, err)
	var packets, pcm []byte
	var in, out media.AudioFrame
	for at := time.Duration(0); at < 300*time.Millisecond; at += c.frame {
		codectest.Voice(&in, c.rate, c.channels, at, c.frame)
		s, err := enc.Encode(&in)
		require.NoError(t, err)
		packets = append(binary.BigEndian.AppendUint16(packets, uint16(len(s.Data))), s.Data...)
		require.NoError(t, dec.Decode(s, &out))
		for _, v := range out.Samples {
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
		}
	}
	require.NoError(t, enc.Close())
	require.NoError(t, dec.Close())
	require.NoError(t, os.WriteFile("testdata/"+name+".packets", packets, 0o644))
	require.NoError(t, os.WriteFile("testdata/"+name+".pcm", pcm, 0o644))
}
