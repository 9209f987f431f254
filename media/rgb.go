package media

import "encoding/binary"

// convertRGB converts pictures of four bytes a pixel. The lowest of the colors
// is at bit blue for blue, 0 or 16, with red at the other and green between.
func convertRGB(dst, src *VideoFrame, blue uint) {
	w, half := src.Width, (src.Width+1)/2
	for y := 0; y < src.Height; y += 2 {
		next := min(y+1, src.Height-1)
		rgbRows{
			a: src.Planes[0][y*src.Strides[0]:], b: src.Planes[0][next*src.Strides[0]:],
			ya: dst.Planes[0][y*w:][:w], yb: dst.Planes[0][next*w:][:w],
			u: dst.Planes[1][y/2*half:][:half], v: dst.Planes[2][y/2*half:][:half],
		}.convert(blue)
	}
}

// rgbRows are two rows of pixels, a and b, and where they go.
type rgbRows struct {
	a, b, ya, yb, u, v []byte
}

func (r rgbRows) convert(blue uint) {
	w := len(r.ya)
	a, b := r.a[:4*w], r.b[:4*w]
	ya, yb := r.ya[:w], r.yb[:w]
	u, v := r.u[:len(r.u)], r.v[:len(r.u)]
	lowest, highest := uint64(25), uint64(66) // of luminance: blue, red
	if blue != 0 {
		lowest, highest = highest, lowest
	}
	x := r.blocks(blue)
	for ; x+2 <= w; x += 2 {
		top, bottom := binary.LittleEndian.Uint64(a[4*x:]), binary.LittleEndian.Uint64(b[4*x:])
		y := luminance(top, lowest, highest)
		binary.LittleEndian.PutUint16(ya[x:], uint16(y|y>>24))
		y = luminance(bottom, lowest, highest)
		binary.LittleEndian.PutUint16(yb[x:], uint16(y|y>>24))
		u[x/2], v[x/2] = chroma(top, bottom, blue)
	}
	if x < w { // the last column of an odd number is its own neighbor
		top := uint64(binary.LittleEndian.Uint32(a[4*x:]))
		bottom := uint64(binary.LittleEndian.Uint32(b[4*x:]))
		ya[x], yb[x] = byte(luminance(top, lowest, highest)), byte(luminance(bottom, lowest, highest))
		u[x/2], v[x/2] = chroma(top|top<<32, bottom|bottom<<32, blue)
	}
}

// luminance returns that of two pixels, in bytes 0 and 4.
func luminance(x, lowest, highest uint64) uint64 {
	const round = 0x0000108000001080 // 16 to add, and a half, in each lane
	return (x&lanes32*lowest + x>>8&lanes32*129 + x>>16&lanes32*highest + round) >> 8 & lanes32
}

// chroma returns that of the mean of four pixels.
func chroma(top, bottom uint64, blue uint) (u, v byte) {
	outer := top&lanes16 + bottom&lanes16
	inner := top>>8&lanes16 + bottom>>8&lanes16
	both := uint32(outer) + uint32(outer>>32)
	g := int32(uint16(uint32(inner) + uint32(inner>>32)))
	b, r := int32(both>>(blue&16)&0xffff), int32(both>>(16-blue&16)&0xffff)
	return byte((112*b - 74*g - 38*r + 128<<10 + 512) >> 10), byte((112*r - 94*g - 18*b + 128<<10 + 512) >> 10)
}
