package g711_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/internal/g711"
)

// decodeMuLaw and decodeALaw follow the tables of G.711: each code stands for
// one value, and encoding that value gives the code back.
func decodeMuLaw(c byte) int16 {
	c = ^c
	v := (int(c&15)<<1+33)<<(c>>4&7) - 33
	if c&0x80 != 0 {
		v = -v
	}
	return int16(v << 2)
}

func decodeALaw(c byte) int16 {
	c ^= 0x55
	v := int(c&15)<<1 + 1
	if seg := c >> 4 & 7; seg > 0 {
		v = (v + 32) << (seg - 1)
	}
	if c&0x80 == 0 {
		v = -v
	}
	return int16(v << 3)
}

func TestEveryCodeStandsForItsValue(t *testing.T) {
	for c := range 256 {
		if byte(c) != 0x7f { // negative zero
			require.Equal(t, byte(c), g711.EncodeMuLaw(decodeMuLaw(byte(c))), "mu-law %#x", c)
		}
		require.Equal(t, byte(c), g711.EncodeALaw(decodeALaw(byte(c))), "A-law %#x", c)
	}
}

func TestEncodingIsClose(t *testing.T) {
	for v := -32768; v <= 32767; v += 7 {
		off := max(20, max(v, -v)/16)
		if v > -32125 && v < 32125 {
			require.InDelta(t, v, decodeMuLaw(g711.EncodeMuLaw(int16(v))), float64(off), "mu-law")
		}
		require.InDelta(t, v, decodeALaw(g711.EncodeALaw(int16(v))), float64(off), "A-law")
	}
	require.Equal(t, byte(0x80), g711.EncodeMuLaw(32767))
	require.Equal(t, byte(0x00), g711.EncodeMuLaw(-32768))
	require.Equal(t, []byte{0xff, 0x80}, g711.MuLaw([]byte{0, 0, 0xff, 0x7f, 9}))
}
