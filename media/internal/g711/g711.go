// Package g711 turns linear samples into the two codes of ITU-T G.711.
package g711

import (
	"encoding/binary"
	"math/bits"
)

// MuLaw encodes little-endian 16 bit samples, one byte each.
func MuLaw(pcm []byte) []byte {
	out := make([]byte, len(pcm)/2)
	for i := range out {
		out[i] = EncodeMuLaw(int16(binary.LittleEndian.Uint16(pcm[2*i:])))
	}
	return out
}

// EncodeMuLaw encodes one sample.
func EncodeMuLaw(v int16) byte {
	const bias, clip = 33, 8158
	x, sign := magnitude(v)
	x = min(x>>2, clip) + bias
	seg := bits.Len(uint(x)) - 6
	return ^(sign | byte(seg<<4) | byte(x>>(seg+1)&15))
}

// EncodeALaw encodes one sample.
func EncodeALaw(v int16) byte {
	sign := byte(0x80)
	x := int(v)
	if x < 0 {
		x = ^x
		sign = 0
	}
	x >>= 3
	seg := max(bits.Len(uint(x))-5, 0)
	return (sign | byte(seg<<4) | byte(x>>max(seg, 1)&15)) ^ 0x55
}

func magnitude(v int16) (int, byte) {
	if v < 0 {
		return -int(v), 0x80
	}
	return int(v), 0
}
