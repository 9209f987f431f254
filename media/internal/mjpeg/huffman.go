package mjpeg

import "encoding/binary"

// fastBits is how long the codes are that are found by one look.
const fastBits = 10

// table decodes one Huffman code.
type table struct {
	// first tells what begins with so many bits: the code's length in the low
	// byte and its symbol above, or zero for codes that are longer.
	first [1 << fastBits]uint16
	// whole tells coefficients that lie in so many bits with their code: the
	// value in the upper 16 bits, the zeros before it in the next 8, and how
	// many bits in all in the lowest. Zero for all others.
	whole [1 << fastBits]int32

	symbols [256]byte
	most    [18]int32 // the greatest code of each length, -1 for none
	offset  [17]int32 // from a code to its symbol's index
}

// build makes the table of how many codes of each length there are, and their
// symbols. It reports false when no code can be like that.
func (t *table) build(counts, symbols []byte) bool {
	clear(t.first[:])
	clear(t.whole[:])
	copy(t.symbols[:], symbols)
	code, index := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		n := int32(counts[length-1])
		t.offset[length] = index - code
		if code+n > 1<<length {
			return false
		}
		if length <= fastBits {
			for i := range n {
				t.fill(code+i, length, symbols[index+i])
			}
		}
		code, index = code+n, index+n
		t.most[length] = code - 1
		if n == 0 {
			t.most[length] = -1
		}
		code <<= 1
	}
	return true
}

func (t *table) fill(code int32, length int, symbol byte) {
	free := fastBits - length
	size := int(symbol & 15)
	for i := range 1 << free {
		at := int(code)<<free | i
		t.first[at] = uint16(symbol)<<8 | uint16(length)
		if size > 0 && size <= free {
			value := extend(int32(i>>(free-size)), size)
			t.whole[at] = value<<16 | int32(symbol>>4)<<8 | int32(length+size)
		}
	}
}

// extend gives the bits of a coefficient their sign.
func extend(v int32, size int) int32 {
	if v < 1<<(size-1) {
		v -= 1<<size - 1
	}
	return v
}

// reader reads the bits of a scan.
type reader struct {
	data []byte
	at   int
	acc  uint64 // the next bits, in its lowest n
	n    uint
	made uint // of those, how many there never were
}

// fill makes at least 32 bits ready. At the end of the data it makes some up.
func (r *reader) fill() {
	if r.at+4 <= len(r.data) {
		w := binary.BigEndian.Uint32(r.data[r.at:])
		if (^w-0x01010101)&w&0x80808080 == 0 { // no byte is 0xff
			r.acc, r.n, r.at = r.acc<<32|uint64(w), r.n+32, r.at+4
			return
		}
	}
	for r.n <= 48 {
		b := byte(0)
		switch {
		case r.at >= len(r.data) || r.data[r.at] == 0xff && (r.at+1 >= len(r.data) || r.data[r.at+1] != 0):
			r.made += 8
		case r.data[r.at] == 0xff:
			b, r.at = 0xff, r.at+2
		default:
			b, r.at = r.data[r.at], r.at+1
		}
		r.acc, r.n = r.acc<<8|uint64(b), r.n+8
	}
}

// restart goes on behind the next restart marker, if there is one.
func (r *reader) restart() bool {
	for at := r.at; at+1 < len(r.data); at++ {
		if r.data[at] != 0xff {
			continue
		}
		switch m := r.data[at+1]; {
		case m >= 0xd0 && m <= 0xd7:
			*r = reader{data: r.data, at: at + 2}
			return true
		case m != 0 && m != 0xff:
			return false
		}
	}
	return false
}

// symbol decodes one. 32 bits are ready.
func (r *reader) symbol(t *table) (s byte, ok bool) {
	if e := t.first[r.acc>>(r.n-fastBits)&(1<<fastBits-1)]; e != 0 {
		r.n -= uint(e & 0xff)
		return byte(e >> 8), true
	}
	for length := uint(1); length <= 16; length++ {
		code := int32(r.acc >> (r.n - length) & (1<<length - 1))
		if code <= t.most[length] && code+t.offset[length] >= 0 {
			r.n -= length
			return t.symbols[(code+t.offset[length])&255], true
		}
	}
	return 0, false
}

// value reads the bits of a coefficient. They are ready.
func (r *reader) value(size byte) int32 {
	if size == 0 {
		return 0
	}
	r.n -= uint(size)
	return extend(int32(r.acc>>r.n&(1<<size-1)), int(size))
}

// block decodes the coefficients of one. last is the place of the last one that
// is not zero, in the order of transmission.
func (r *reader) block(c *component, quant *[64]int32, b *[64]int32) (last int, ok bool) {
	clear(b[:])
	if r.n < 32 {
		r.fill()
	}
	size, ok := r.symbol(c.dc)
	if !ok || size > 15 {
		return 0, false
	}
	c.previous += r.value(size)
	b[0] = c.previous * quant[0]
	for k := 1; k < 64; k++ {
		if r.n < 32 {
			r.fill()
		}
		if e := c.ac.whole[r.acc>>(r.n-fastBits)&(1<<fastBits-1)]; e != 0 {
			r.n -= uint(e & 0xff)
			if k += int(e >> 8 & 0xff); k > 63 {
				return 0, false
			}
			b[zigzag[k]] = e >> 16 * quant[k]
			last = k
			continue
		}
		s, ok := r.symbol(c.ac)
		if !ok {
			return 0, false
		}
		run, size := int(s>>4), s&15
		if size == 0 {
			if run < 15 {
				break
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return 0, false
		}
		b[zigzag[k]] = r.value(size) * quant[k]
		last = k
	}
	return last, r.made <= r.n
}

var zigzag = [64]byte{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}
