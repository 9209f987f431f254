package bitstream_test

import (
	"encoding/hex"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
)

// bitWriter builds headers that no encoder at hand writes.
type bitWriter struct {
	data []byte
	n    int // bits in the last byte
}

func (w *bitWriter) u(n int, v uint32) *bitWriter {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[len(w.data)-1] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
	return w
}

func (w *bitWriter) ue(values ...uint32) *bitWriter {
	for _, v := range values {
		n := bits.Len32(v + 1)
		w.u(n-1, 0).u(n, v+1)
	}
	return w
}

func (w *bitWriter) se(values ...int32) *bitWriter {
	for _, v := range values {
		if v > 0 {
			w.ue(uint32(2*v - 1))
		} else {
			w.ue(uint32(-2 * v))
		}
	}
	return w
}

// nal ends the unit: trailing bit, emulation prevention.
func (w *bitWriter) nal(header ...byte) []byte {
	w.u(1, 1)
	out, zeros := header, 0
	for _, b := range w.data {
		if zeros >= 2 && b <= 3 {
			out, zeros = append(out, 3), 0
		}
		out = append(out, b)
		if zeros++; b != 0 {
			zeros = 0
		}
	}
	return out
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	data, err := hex.DecodeString(s)
	require.NoError(tb, err)
	return data
}
