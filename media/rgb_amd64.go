package media

// rgbWeights are what the bytes of two pixels are multiplied with, and what is
// added for the zero of each and for rounding.
type rgbWeights struct {
	y, u, v       [8]int16
	zeroY, zeroUV [4]int32
}

var (
	bgraWeights = rgbWeights{
		y:      [8]int16{25, 129, 66, 0, 25, 129, 66, 0},
		u:      [8]int16{112, -74, -38, 0, 112, -74, -38, 0},
		v:      [8]int16{-18, -94, 112, 0, -18, -94, 112, 0},
		zeroY:  [4]int32{16<<8 + 128, 16<<8 + 128, 16<<8 + 128, 16<<8 + 128},
		zeroUV: [4]int32{128<<8 + 128, 128<<8 + 128, 128<<8 + 128, 128<<8 + 128},
	}
	rgbaWeights = rgbWeights{
		y:      [8]int16{66, 129, 25, 0, 66, 129, 25, 0},
		u:      [8]int16{-38, -74, 112, 0, -38, -74, 112, 0},
		v:      [8]int16{112, -94, -18, 0, 112, -94, -18, 0},
		zeroY:  bgraWeights.zeroY,
		zeroUV: bgraWeights.zeroUV,
	}
)

// rgbBlocks converts blocks of 8 pixels of two rows; there is at least one.
//
//go:noescape
func rgbBlocks(a, b, ya, yb, u, v *byte, blocks int, w *rgbWeights)

// blocks converts as much as the machine does at once, and returns how many
// pixels that was.
func (r rgbRows) blocks(blue uint) int {
	n := len(r.ya) / 8
	if n == 0 {
		return 0
	}
	weights := &bgraWeights
	if blue != 0 {
		weights = &rgbaWeights
	}
	// These panic where the memory is not there.
	_, _, _, _, _, _ = r.a[32*n-1], r.b[32*n-1], r.ya[8*n-1], r.yb[8*n-1], r.u[4*n-1], r.v[4*n-1]
	rgbBlocks(&r.a[0], &r.b[0], &r.ya[0], &r.yb[0], &r.u[0], &r.v[0], n, weights)
	return 8 * n
}
