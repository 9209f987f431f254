package media

// packedBlocks converts blocks of 16 pixels of two rows; there is at least one.
//
//go:noescape
func packedBlocks(a, b, ya, yb, u, v *byte, blocks, luma int)

// blocks converts as much as the machine does at once, and returns how many
// pixels that was.
func (r packedRows) blocks(luma int) int {
	n := len(r.ya) / 16
	if n == 0 {
		return 0
	}
	// These panic where the memory is not there.
	_, _, _, _, _, _ = r.a[32*n-1], r.b[32*n-1], r.ya[16*n-1], r.yb[16*n-1], r.u[8*n-1], r.v[8*n-1]
	packedBlocks(&r.a[0], &r.b[0], &r.ya[0], &r.yb[0], &r.u[0], &r.v[0], n, luma)
	return 16 * n
}
