package bitstream_test

import (
	"slices"
	"testing"

	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/stretchr/testify/require"
)

func TestAnnexB(t *testing.T) {
	nals := [][]byte{{0x67, 1, 2}, {0x68}, {0x65, 9, 9, 9, 9}}
	for size := 1; size <= 4; size++ {
		var unit []byte
		for _, nal := range nals {
			unit = append(unit, make([]byte, size-1)...)
			unit = append(append(unit, byte(len(nal))), nal...)
		}
		out, err := bitstream.AnnexB([]byte("x"), unit, size)
		require.NoError(t, err)
		require.Equal(t, byte('x'), out[0])
		require.Equal(t, nals, slices.Collect(bitstream.NALs(out[1:])))
		for cut := 1; cut < len(unit); cut++ {
			if _, err := bitstream.AnnexB(nil, unit[:cut], size); err != nil {
				require.ErrorIs(t, err, bitstream.ErrTruncated)
			}
		}
	}
	_, err := bitstream.AnnexB(nil, []byte{0xff, 0xff, 0xff, 0xff, 1}, 4)
	require.ErrorIs(t, err, bitstream.ErrTruncated)
	for _, size := range []int{-1, 0, 5} {
		_, err = bitstream.AnnexB(nil, []byte{1, 1}, size)
		require.ErrorIs(t, err, bitstream.ErrInvalid)
	}
}
