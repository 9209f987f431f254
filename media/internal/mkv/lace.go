package mkv

import "fmt"

// The ways to put several frames into a block (RFC 9559, section 10.3).
const (
	laceNone  = 0
	laceXiph  = 1
	laceFixed = 2
	laceEBML  = 3
)

// unlace appends the frames of a block to dst.
func unlace(b []byte, lacing byte, dst [][]byte) ([][]byte, error) {
	if lacing == laceNone {
		return append(dst, b), nil
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: empty lace", ErrMalformed)
	}
	count := int(b[0]) + 1
	b = b[1:]
	if lacing == laceFixed {
		if len(b)%count != 0 {
			return nil, fmt.Errorf("%w: lace of %d frames in %d bytes", ErrMalformed, count, len(b))
		}
		for n := len(b) / count; count > 0; count-- {
			dst = append(dst, b[:n:n])
			b = b[n:]
		}
		return dst, nil
	}
	sizes := make([]int, 0, 256)
	for i := range count - 1 {
		size, n := xiphSize(b)
		if lacing == laceEBML {
			size, n = ebmlSize(b, sizes)
		}
		if n == 0 || size < 0 || size > maxFrame {
			return nil, fmt.Errorf("%w: size of frame %d in a lace", ErrMalformed, i)
		}
		sizes = append(sizes, size)
		b = b[n:]
	}
	for _, n := range sizes {
		if n > len(b) {
			return nil, fmt.Errorf("%w: lace with a frame of %d bytes", ErrMalformed, n)
		}
		dst = append(dst, b[:n:n])
		b = b[n:]
	}
	return append(dst, b), nil
}

func xiphSize(b []byte) (size, n int) {
	for _, x := range b {
		size += int(x)
		n++
		if x != 255 {
			return size, n
		}
	}
	return 0, 0
}

// ebmlSize reads the first size, or how the next differs from the one before.
func ebmlSize(b []byte, before []int) (size, n int) {
	v, n := vint(b)
	if n == 0 {
		return 0, 0
	}
	if len(before) == 0 {
		return int(min(v, maxFrame+1)), n
	}
	diff := int64(v) - (1<<(7*n-1) - 1)
	if diff > maxFrame || diff < -maxFrame {
		return 0, 0
	}
	return before[len(before)-1] + int(diff), n
}
