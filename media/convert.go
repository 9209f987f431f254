package media

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Convert makes dst the picture of src in [I420], which is what encoders take,
// in the memory that dst has. Timestamp and Captured come along.
//
// The colors are those of BT.601 in limited range, as video codecs and browsers
// have them: YUV formats are taken to be that already, [BGRA], [RGBA], [Gray]
// and [MJPEG] are full range and converted. Transparency is ignored.
//
// A src that does not hold what it says gives a [*FrameError], and dst is then
// undefined. dst and src must not share memory. Only [MJPEG] makes garbage.
func Convert(dst, src *VideoFrame) error {
	if dst == src {
		return src.failed(errShared)
	}
	if err := src.Validate(); err != nil {
		return err
	}
	if src.Format == MJPEG {
		return decodeJPEG(dst, src)
	}
	if src.Format == I420 {
		return dst.CopyFrom(src)
	}
	if err := dst.Reset(I420, src.Width, src.Height); err != nil {
		return err
	}
	dst.Timestamp, dst.Captured = src.Timestamp, src.Captured
	switch src.Format {
	case NV12:
		convertSemiPlanar(dst, src, dst.Planes[1], dst.Planes[2])
	case NV21:
		convertSemiPlanar(dst, src, dst.Planes[2], dst.Planes[1])
	case YUYV:
		convertPacked(dst, src, 0)
	case UYVY:
		convertPacked(dst, src, 1)
	case BGRA:
		convertRGB(dst, src, 0)
	case RGBA:
		convertRGB(dst, src, 16)
	case Gray:
		convertGray(dst, src)
	default:
		return src.failed(fmt.Errorf("%w: nothing converts it", ErrFormat))
	}
	return nil
}

var errShared = errors.New("converted into itself")

// The lanes of a word: every second byte, and the lowest byte of each half.
const (
	lanes16 = 0x00ff00ff00ff00ff
	lanes32 = 0x000000ff000000ff
)

// evenBytes packs bytes 0, 2, 4 and 6 of a word.
func evenBytes(x uint64) uint64 {
	x &= lanes16
	x |= x >> 8
	x &= 0x0000ffff0000ffff
	return (x | x>>16) & 0xffffffff
}

func convertSemiPlanar(dst, src *VideoFrame, first, second []byte) {
	copyRows(dst.Planes[0], dst.Width, src.Planes[0], src.Strides[0], src.Width, src.Height)
	w := (src.Width + 1) / 2
	for y := range (src.Height + 1) / 2 {
		splitPairs(first[y*w:][:w], second[y*w:][:w], src.Planes[1][y*src.Strides[1]:])
	}
}

// splitPairs gives the first byte of each pair to a and the second to b.
func splitPairs(a, b, pairs []byte) {
	n := len(a)
	b, pairs = b[:n], pairs[:2*n]
	i := 0
	for ; i+8 <= n; i += 8 {
		in := pairs[2*i:][:16]
		lo, hi := binary.LittleEndian.Uint64(in), binary.LittleEndian.Uint64(in[8:])
		binary.LittleEndian.PutUint64(a[i:], evenBytes(lo)|evenBytes(hi)<<32)
		binary.LittleEndian.PutUint64(b[i:], evenBytes(lo>>8)|evenBytes(hi>>8)<<32)
	}
	for ; i < n; i++ {
		a[i], b[i] = pairs[2*i], pairs[2*i+1]
	}
}

// convertGray brings 0…255 to 16…235, and has no color.
func convertGray(dst, src *VideoFrame) {
	for y := range src.Height {
		grayRow(dst.Planes[0][y*dst.Width:][:dst.Width], src.Planes[0][y*src.Strides[0]:])
	}
	for _, p := range dst.Planes[1:] {
		fill(p, 128)
	}
}

func grayRow(dst, src []byte) {
	const round = 0x1080108010801080 // 16 to add, and a half, in each lane
	n := len(dst)
	src = src[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		x := binary.LittleEndian.Uint64(src[i:])
		even := (x&lanes16*220 + round) >> 8 & lanes16
		odd := (x>>8&lanes16*220 + round) &^ lanes16
		binary.LittleEndian.PutUint64(dst[i:], even|odd)
	}
	for ; i < n; i++ {
		dst[i] = limited(src[i])
	}
}

// limited brings a full range luminance to limited range.
func limited(y byte) byte { return byte((int(y)*220 + 0x1080) >> 8) }

func fill(p []byte, value byte) {
	if len(p) == 0 {
		return
	}
	p[0] = value
	for n := 1; n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
}
