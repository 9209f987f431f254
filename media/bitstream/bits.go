package bitstream

// bitReader reads big-endian bit fields. Reading past the end yields zeros and
// is remembered, so parsers check once at the end.
type bitReader struct {
	data  []byte
	cur   byte
	left  int // bits of cur not read yet
	zeros int // zero bytes in a row just before data
	// escaped skips the emulation prevention bytes of H.264 and H.265
	// (00 00 03 stands for 00 00).
	escaped bool
	over    bool
}

func (r *bitReader) load() {
	if len(r.data) == 0 {
		r.over, r.cur, r.left = true, 0, 8
		return
	}
	if r.escaped && r.zeros >= 2 && r.data[0] == 3 {
		r.data, r.zeros = r.data[1:], 0
		if len(r.data) == 0 {
			r.over, r.cur, r.left = true, 0, 8
			return
		}
	}
	r.cur, r.left = r.data[0], 8
	r.data = r.data[1:]
	if r.cur == 0 {
		r.zeros++
	} else {
		r.zeros = 0
	}
}

// read returns the next n bits, n at most 32.
func (r *bitReader) read(n int) uint32 {
	var v uint32
	for n > 0 {
		if r.left == 0 {
			r.load()
		}
		take := min(n, r.left)
		r.left -= take
		v = v<<take | uint32(r.cur>>r.left)&(1<<take-1)
		n -= take
	}
	return v
}

func (r *bitReader) flag() bool { return r.read(1) == 1 }

// skip passes over n bits.
func (r *bitReader) skip(n int) {
	for n > 0 && !r.over {
		take := min(n, 32)
		r.read(take)
		n -= take
	}
}

// ue reads an unsigned Exp-Golomb code (H.264, 9.1). Codes past 32 bits end
// the reading as if the data had ended.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for !r.flag() {
		zeros++
		if zeros > 31 || r.over {
			r.over = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.read(zeros)
}

// se reads a signed Exp-Golomb code.
func (r *bitReader) se() int32 {
	k := r.ue()
	if k&1 == 1 {
		return int32(k/2 + 1)
	}
	return -int32(k / 2)
}

// uvlc reads AV1's variant of ue (AV1, 4.10.3).
func (r *bitReader) uvlc() uint32 {
	zeros := 0
	for !r.flag() {
		zeros++
		if r.over {
			return 0
		}
	}
	if zeros >= 32 {
		return 1<<32 - 1
	}
	return 1<<zeros - 1 + r.read(zeros)
}
