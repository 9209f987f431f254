package mjpeg

// ranges bring the output of the transform, shifted up by 512, to limited
// range. Hostile coefficients wrap around.
type ranges struct {
	luma, chroma [1024]byte
}

func (r *ranges) build() {
	for i := range r.luma {
		v := min(max(i-512+128, 0), 255)
		r.luma[i] = byte((v*220 + 0x1080) >> 8)
		r.chroma[i] = byte(((v-128)*224 + 255*128 + 127) / 255)
	}
}

// The transform is that of Loeffler, Ligtenberg and Moschytz (1989) with 13
// bits behind the point: these are sums and differences of the square root of
// two times cosines of multiples of pi/16.
const (
	pointBits = 13

	c0298 = 2446
	c0390 = 3196
	c0541 = 4433
	c0765 = 6270
	c0899 = 7373
	c1175 = 9633
	c1501 = 12299
	c1847 = 15137
	c1961 = 16069
	c2053 = 16819
	c2562 = 20995
	c3072 = 25172
)

// transform writes the 8x8 pixels of a block.
func transform(dst []byte, stride int, b *[64]int32, last int, clamp *[1024]byte) {
	if last == 0 {
		value := clamp[((b[0]+4)>>3+512)&1023]
		for range 8 {
			row := dst[:8]
			for i := range row {
				row[i] = value
			}
			if len(dst) < stride {
				return
			}
			dst = dst[stride:]
		}
		return
	}
	const down, halfDown = pointBits - 2, 1 << (pointBits - 3)
	if last < 10 { // no more than four rows and four columns
		for x := range 4 {
			for i, v := range shortLine(b[x], b[8+x], b[16+x], b[24+x]) {
				b[8*i+x] = (v + halfDown) >> down
			}
		}
		for y := range 8 {
			row := (*[8]int32)(b[8*y:])
			store((*[8]byte)(dst[y*stride:]), shortLine(row[0], row[1], row[2], row[3]), clamp)
		}
		return
	}
	for x := range 8 {
		if b[8+x]|b[16+x]|b[24+x]|b[32+x]|b[40+x]|b[48+x]|b[56+x] == 0 {
			v := b[x] << 2
			for y := 0; y < 64; y += 8 {
				b[y+x] = v
			}
			continue
		}
		for i, v := range line(b[x], b[8+x], b[16+x], b[24+x], b[32+x], b[40+x], b[48+x], b[56+x]) {
			b[8*i+x] = (v + halfDown) >> down
		}
	}
	for y := range 8 {
		row := (*[8]int32)(b[8*y:])
		store((*[8]byte)(dst[y*stride:]), line(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]), clamp)
	}
}

// store writes the pixels of a row.
func store(dst *[8]byte, row [8]int32, clamp *[1024]byte) {
	const shift, half = pointBits + 5, 1<<(pointBits+4) + 512<<(pointBits+5)
	for i, v := range row {
		dst[i] = clamp[(v+half)>>shift&1023]
	}
}

// line transforms eight coefficients.
func line(a0, a1, a2, a3, a4, a5, a6, a7 int32) [8]int32 {
	z := (a2 + a6) * c0541
	e2, e3 := z-a6*c1847, z+a2*c0765
	e0, e1 := (a0+a4)<<pointBits, (a0-a4)<<pointBits
	e0, e1, e2, e3 = e0+e3, e1+e2, e1-e2, e0-e3

	z1, z2, z3, z4 := a7+a1, a5+a3, a7+a3, a5+a1
	z5 := (z3 + z4) * c1175
	z1, z2 = z1*-c0899, z2*-c2562
	z3, z4 = z5-z3*c1961, z5-z4*c0390
	o0, o1 := a7*c0298+z1+z3, a5*c2053+z2+z4
	o2, o3 := a3*c3072+z2+z3, a1*c1501+z1+z4
	return [8]int32{e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3}
}

// shortLine transforms eight coefficients, the last four of which are zero.
func shortLine(a0, a1, a2, a3 int32) [8]int32 {
	e0, e2, e3 := a0<<pointBits, a2*c0541, a2*(c0541+c0765)
	e0, e1, e2, e3 := e0+e3, e0+e2, e0-e2, e0-e3

	z1, z2, z5 := a1*-c0899, a3*-c2562, (a3+a1)*c1175
	z3, z4 := z5-a3*c1961, z5-a1*c0390
	o0, o1 := z1+z3, z2+z4
	o2, o3 := a3*c3072+z2+z3, a1*c1501+z1+z4
	return [8]int32{e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3}
}
