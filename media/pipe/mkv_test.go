package pipe_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
)

// mkvElement is an element of Matroska.
func mkvElement(id uint32, body ...byte) []byte {
	var out []byte
	for shift := 24; shift >= 0; shift -= 8 {
		if b := byte(id >> shift); b != 0 || len(out) > 0 {
			out = append(out, b)
		}
	}
	n := len(body)
	return append(append(out, 0x10|byte(n>>24), byte(n>>16), byte(n>>8), byte(n)), body...)
}

// mkvTrack is the inside of a track's entry.
func mkvTrack(number, kind byte, codec string, private []byte) []byte {
	out := append(mkvElement(0xd7, number), mkvElement(0x83, kind)...)
	out = append(out, mkvElement(0x86, []byte(codec)...)...)
	if private != nil {
		out = append(out, mkvElement(0x63a2, private...)...)
	}
	return out
}

// mkvFile is a live stream: of unknown size, with one cluster.
func mkvFile(track []byte, blocks ...[]byte) []byte {
	return mkvTracks(mkvElement(0xae, track...), blocks...)
}

func mkvTracks(entries []byte, blocks ...[]byte) []byte {
	out := mkvElement(0x1a45dfa3, mkvElement(0x4282, []byte("matroska")...)...)
	out = append(out, 0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	out = append(out, mkvElement(0x1654ae6b, entries...)...)
	out = append(out, 0x1f, 0x43, 0xb6, 0x75, 0xff)
	out = append(out, mkvElement(0xe7, 0)...)
	return append(out, bytes.Join(blocks, nil)...)
}

func mkvBlocks(n int, data []byte) (out [][]byte) {
	for i := range n {
		out = append(out, mkvElement(0xa3, append([]byte{0x81, 0, byte(i), 0x80}, data...)...))
	}
	return out
}

// clipOf is what package file makes of a stream.
func clipOf(t *testing.T, data []byte) (out []media.Sample) {
	t.Helper()
	for s, err := range file.Samples(bytes.NewReader(data), nil) {
		require.NoError(t, err)
		out = append(out, s)
	}
	return out
}
