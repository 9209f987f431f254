package media

import "encoding/binary"

// convertPacked converts pictures of two pixels in four bytes. The luminance of
// the first is byte luma, 0 or 1; the chroma lies in the other two.
func convertPacked(dst, src *VideoFrame, luma int) {
	w, half := src.Width, (src.Width+1)/2
	for y := 0; y < src.Height; y += 2 {
		// The last row of an odd number is its own neighbor.
		next := min(y+1, src.Height-1)
		packedRows{
			a: src.Planes[0][y*src.Strides[0]:], b: src.Planes[0][next*src.Strides[0]:],
			ya: dst.Planes[0][y*w:][:w], yb: dst.Planes[0][next*w:][:w],
			u: dst.Planes[1][y/2*half:][:half], v: dst.Planes[2][y/2*half:][:half],
		}.convert(luma)
	}
}

// packedRows are two rows of pixels, a and b, and where they go. The chroma of
// both is averaged.
type packedRows struct {
	a, b, ya, yb, u, v []byte
}

func (r packedRows) convert(luma int) {
	w := len(r.ya)
	half := len(r.u)
	a, b := r.a[:4*half], r.b[:4*half]
	ya, yb := r.ya[:w], r.yb[:w]
	u, v := r.u[:half], r.v[:half]
	yShift, cShift := uint(8*luma)&8, uint(8-8*luma)&8
	x := r.blocks(luma)
	for ; x+8 <= w; x += 8 {
		in := a[2*x:][:16]
		a0, a1 := binary.LittleEndian.Uint64(in), binary.LittleEndian.Uint64(in[8:])
		in = b[2*x:][:16]
		b0, b1 := binary.LittleEndian.Uint64(in), binary.LittleEndian.Uint64(in[8:])
		binary.LittleEndian.PutUint64(ya[x:], evenBytes(a0>>yShift)|evenBytes(a1>>yShift)<<32)
		binary.LittleEndian.PutUint64(yb[x:], evenBytes(b0>>yShift)|evenBytes(b1>>yShift)<<32)
		c0 := averageLanes(a0>>cShift, b0>>cShift)
		c1 := averageLanes(a1>>cShift, b1>>cShift)
		binary.LittleEndian.PutUint32(u[x/2:], everyFourth(c0)|everyFourth(c1)<<16)
		binary.LittleEndian.PutUint32(v[x/2:], everyFourth(c0>>16)|everyFourth(c1>>16)<<16)
	}
	chroma := 1 - luma
	for ; x < w; x++ {
		ya[x], yb[x] = a[2*x+luma], b[2*x+luma]
		if x%2 == 0 {
			u[x/2] = byte((int(a[2*x+chroma]) + int(b[2*x+chroma]) + 1) / 2)
			v[x/2] = byte((int(a[2*x+chroma+2]) + int(b[2*x+chroma+2]) + 1) / 2)
		}
	}
}

// averageLanes averages the even bytes of two words, each in 16 bits.
func averageLanes(x, y uint64) uint64 {
	return (x&lanes16 + y&lanes16 + 0x0001000100010001) >> 1 & lanes16
}

// everyFourth packs bytes 0 and 4 of a word.
func everyFourth(x uint64) uint32 {
	x &= lanes32
	return uint32(uint16(x | x>>24))
}
