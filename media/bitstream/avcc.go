package bitstream

import "fmt"

// AnnexB turns an access unit of H.264 or H.265 whose NAL units are preceded by
// their length, as in MP4, Matroska and RTMP, into Annex B with four-byte start
// codes, appended to dst. lengthSize is how many bytes each length takes, 1 to
// 4, as the stream's configuration record says. What is left over or runs past
// the end gives ErrTruncated, and dst unchanged.
func AnnexB(dst, unit []byte, lengthSize int) ([]byte, error) {
	if lengthSize < 1 || lengthSize > 4 {
		return dst, fmt.Errorf("%w: lengths of %d bytes", ErrInvalid, lengthSize)
	}
	out := dst
	for len(unit) > 0 {
		if len(unit) < lengthSize {
			return dst, fmt.Errorf("%w: length of a NAL unit", ErrTruncated)
		}
		n := uint64(0)
		for _, b := range unit[:lengthSize] {
			n = n<<8 | uint64(b)
		}
		unit = unit[lengthSize:]
		if n > uint64(len(unit)) {
			return dst, fmt.Errorf("%w: NAL unit of %d bytes in %d", ErrTruncated, n, len(unit))
		}
		if n > 0 {
			out = append(append(out, 0, 0, 0, 1), unit[:n]...)
		}
		unit = unit[n:]
	}
	return out, nil
}
