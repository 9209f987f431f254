package file_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func wavFile(tag uint16, depth byte, size uint32, chunk string, data []byte) []byte {
	b := append([]byte("RIFF\x00\x00\x00\x00WAVE"), chunk...)
	b = append(b, "fmt \x10\x00\x00\x00"...)
	b = binary.LittleEndian.AppendUint16(b, tag)
	b = append(b, 1, 0, 0x40, 0x1f, 0, 0, 0, 0, 0, 0, depth/8, 0, depth, 0)
	b = binary.LittleEndian.AppendUint32(append(b, "data"...), size)
	return append(b, data...)
}

func TestWAVOfLinearSamplesBecomesPCMU(t *testing.T) {
	pcm := make([]byte, 2*240)
	binary.LittleEndian.PutUint16(pcm[2:], 0x7fff)
	binary.LittleEndian.PutUint16(pcm[4:], 0x8000)
	samples := collect(t, wavFile(1, 16, uint32(len(pcm)), "odd \x03\x00\x00\x00abc\x00", pcm), nil)
	require.Len(t, samples, 2)
	require.Equal(t, media.PCMU, samples[0].Codec)
	require.Len(t, samples[0].Data, 160)
	require.Equal(t, []byte{0xff, 0x80, 0x00, 0xff}, samples[0].Data[:4])
	require.Len(t, samples[1].Data, 80)
	require.Equal(t, 20*time.Millisecond, samples[1].Timestamp)
	require.Equal(t, 10*time.Millisecond, samples[1].Duration)
}

func TestWAVFromAPipe(t *testing.T) {
	for _, size := range []uint32{0, 0xffffffff} {
		samples := collect(t, wavFile(7, 8, size, "", make([]byte, 320)), nil)
		require.Len(t, samples, 2)
	}
}
