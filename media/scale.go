package media

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Scale fills dst, an [I420] picture whose Width and Height say the size
// wanted, with the [I420] picture src in that size. Timestamp and Captured come
// along. Making a picture smaller averages all its pixels, making it larger
// interpolates; the aspect is the caller's affair, see [VideoSource.SetSize].
//
// A malformed src or size gives a [*FrameError]. dst and src must not share
// memory. It makes no garbage.
func Scale(dst, src *VideoFrame) error {
	if src.Format != I420 {
		return src.failed(fmt.Errorf("%w: only I420 is scaled", ErrFormat))
	}
	if dst == src {
		return src.failed(errShared)
	}
	if err := src.Validate(); err != nil {
		return err
	}
	if err := dst.Reset(I420, dst.Width, dst.Height); err != nil {
		return err
	}
	dst.Timestamp, dst.Captured = src.Timestamp, src.Captured
	s := scalers.take()
	defer scalers.put(s)
	for i := range dst.Planes {
		from, to := plane{bytes: src.Planes[i], stride: src.Strides[i]}, plane{bytes: dst.Planes[i], stride: dst.Strides[i]}
		from.width, from.height = I420.plane(i, src.Width, src.Height)
		to.width, to.height = I420.plane(i, dst.Width, dst.Height)
		s.scale(to, from)
	}
	return nil
}

type plane struct {
	bytes                 []byte
	stride, width, height int
}

func (p plane) row(y int) []byte { return p.bytes[y*p.stride:][:p.width] }

var scalers = make(freeList[scaler], 8)

// scaler has the memory for scaling a plane, which is done row by row: those
// that one row of the result covers are mixed, then the mix is made narrower
// or wider.
type scaler struct {
	mix     []byte
	sums    []uint64 // twice four sums of 16 bits for eight pixels
	rows    taps
	columns taps
}

func (s *scaler) scale(dst, src plane) {
	switch {
	case dst.width == src.width && dst.height == src.height:
		copyRows(dst.bytes, dst.stride, src.bytes, src.stride, src.width, src.height)
		return
	case 2*dst.width == src.width && 2*dst.height == src.height:
		for y := range dst.height {
			halve(dst.row(y), src.row(2*y), src.row(2*y+1))
		}
		return
	}
	s.rows.plan(dst.height, src.height)
	s.columns.plan(dst.width, src.width)
	for y := range dst.height {
		s.columns.apply(dst.row(y), s.mixRows(src, y))
	}
}

// taps tell which pixels of a line make each pixel of a longer or shorter one.
type taps struct {
	n       int      // pixels for each
	first   []int32  // the first of them
	weights []uint16 // n for each, 256 in sum
	threes  []three  // the same where n is 3
}

type three struct {
	first      int32
	w0, w1, w2 uint32
}

// plan fills the taps for a line of so many pixels out of another.
func (t *taps) plan(dst, src int) {
	t.n = 3
	if dst < src {
		t.n = max(3, (src+dst-1)/dst+1) // of the first and last only a part
	}
	t.n = min(t.n, src)
	t.first = slices.Grow(t.first[:0], dst)[:dst]
	t.weights = slices.Grow(t.weights[:0], dst*t.n)[:dst*t.n]
	clear(t.weights)
	for i := range dst {
		if dst < src {
			t.average(i, dst, src)
		} else {
			t.interpolate(i, dst, src)
		}
	}
	t.threes = t.threes[:0]
	if t.n == 3 {
		for i, first := range t.first {
			w := t.weights[3*i:][:3]
			t.threes = append(t.threes, three{first, uint32(w[0]), uint32(w[1]), uint32(w[2])})
		}
	}
}

// average weighs each pixel by how much of it lies under pixel i of the result.
// Lengths are in units of 1/dst of a pixel.
func (t *taps) average(i, dst, src int) {
	start, end := i*src, (i+1)*src
	from := start / dst
	first := min(from, src-t.n)
	t.first[i] = int32(first)
	weights := t.weights[i*t.n:][:t.n]
	told := 0
	for p := from; p*dst < end; p++ {
		covered := (min((p+1)*dst, end) - start) * 256 / src
		weights[p-first] = uint16(covered - told)
		told = covered
	}
}

// interpolate weighs the two pixels that lie around the middle of pixel i of
// the result.
func (t *taps) interpolate(i, dst, src int) {
	middle := max(0, int((int64(2*i+1)*int64(src)-int64(dst))*128/int64(dst))) // in units of 1/256
	middle = min(middle, (src-1)*256)
	from := middle / 256
	first := min(from, src-t.n)
	t.first[i] = int32(first)
	weights := t.weights[i*t.n:][:t.n]
	weights[from-first] = uint16(256 - middle%256)
	if middle%256 > 0 {
		weights[from-first+1] = uint16(middle % 256)
	}
}

// apply makes dst out of the line src.
func (t *taps) apply(dst, src []byte) {
	if t.n == 3 {
		threes := t.threes[:len(dst)]
		for i := range dst {
			t := &threes[i]
			p := (*[3]byte)(src[t.first:])
			dst[i] = byte((uint32(p[0])*t.w0 + uint32(p[1])*t.w1 + uint32(p[2])*t.w2 + 128) >> 8)
		}
		return
	}
	first, weights := t.first[:len(dst)], t.weights
	for i := range dst {
		w := weights[t.n*i:][:t.n]
		p := src[first[i]:][:len(w)]
		sum := uint32(128)
		for j := range w {
			sum += uint32(p[j]) * uint32(w[j])
		}
		dst[i] = byte(sum >> 8)
	}
}

// mixRows returns the rows of src that make row y of the result, as one.
func (s *scaler) mixRows(src plane, y int) []byte {
	first, weights := int(s.rows.first[y]), s.rows.weights[y*s.rows.n:][:s.rows.n]
	for len(weights) > 1 && weights[0] == 0 {
		first, weights = first+1, weights[1:]
	}
	for len(weights) > 1 && weights[len(weights)-1] == 0 {
		weights = weights[:len(weights)-1]
	}
	if len(weights) == 1 {
		return src.row(first)
	}
	words := (src.width + 7) / 8
	s.mix = slices.Grow(s.mix[:0], 8*words)[:8*words]
	if len(weights) <= 3 {
		a, b := src.row(first), src.row(first+1)
		c, w := b, uint64(0)
		if len(weights) == 3 {
			c, w = src.row(first+2), uint64(weights[2])
		}
		mixThree(s.mix, a, b, c, uint64(weights[0]), uint64(weights[1]), w)
		return s.mix[:src.width]
	}
	s.sums = slices.Grow(s.sums[:0], 2*words)[:2*words]
	clear(s.sums)
	for i, w := range weights {
		s.add(src.row(first+i), uint64(w))
	}
	for i := range words {
		even, odd := s.sums[2*i]+half16, s.sums[2*i+1]+half16
		binary.LittleEndian.PutUint64(s.mix[8*i:], even>>8&lanes16|odd&^lanes16)
	}
	return s.mix[:src.width]
}

// half16 rounds in lanes of 16 bits.
const half16 = 0x0080008000800080

// mixThree mixes three rows by their weights.
func mixThree(dst, a, b, c []byte, wa, wb, wc uint64) {
	n := len(a)
	b, c, dst = b[:n], c[:n], dst[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		x, y, z := binary.LittleEndian.Uint64(a[i:]), binary.LittleEndian.Uint64(b[i:]), binary.LittleEndian.Uint64(c[i:])
		even := x&lanes16*wa + y&lanes16*wb + z&lanes16*wc + half16
		odd := x>>8&lanes16*wa + y>>8&lanes16*wb + z>>8&lanes16*wc + half16
		binary.LittleEndian.PutUint64(dst[i:], even>>8&lanes16|odd&^lanes16)
	}
	for ; i < n; i++ {
		dst[i] = byte((uint64(a[i])*wa + uint64(b[i])*wb + uint64(c[i])*wc + 128) >> 8)
	}
}

// add adds a row to the sums.
func (s *scaler) add(row []byte, weight uint64) {
	sums := s.sums
	for len(row) >= 8 && len(sums) >= 2 {
		x := binary.LittleEndian.Uint64(row)
		sums[0] += x & lanes16 * weight
		sums[1] += x >> 8 & lanes16 * weight
		row, sums = row[8:], sums[2:]
	}
	for i, p := range row { // fewer than eight
		sums[i%2] += uint64(p) * weight << (8 * uint(i) &^ 15)
	}
}

// halve makes a row of half the width out of two.
func halve(dst, a, b []byte) {
	n := len(dst)
	a, b = a[:2*n], b[:2*n]
	i := 0
	for ; i+4 <= n; i += 4 {
		x, y := binary.LittleEndian.Uint64(a[2*i:]), binary.LittleEndian.Uint64(b[2*i:])
		sum := x&lanes16 + x>>8&lanes16 + y&lanes16 + y>>8&lanes16
		binary.LittleEndian.PutUint32(dst[i:], uint32(evenBytes((sum+0x0002000200020002)>>2)))
	}
	for ; i < n; i++ {
		dst[i] = byte((int(a[2*i]) + int(a[2*i+1]) + int(b[2*i]) + int(b[2*i+1]) + 2) / 4)
	}
}
