package bitstream

import (
	"bytes"
	"iter"
)

var startCode = []byte{0, 0, 1}

// NALs yields the NAL units of an Annex B byte stream, as H.264 and H.265 use,
// without start codes. Start codes of three and of four bytes may be mixed.
// Empty units are left out, and so are zero bytes behind a unit, which belong
// to the byte stream. Data without any start code yields nothing. The slices
// point into data and have no spare capacity.
func NALs(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		at := bytes.Index(data, startCode)
		if at < 0 {
			return
		}
		rest := data[at+len(startCode):]
		for {
			end := bytes.Index(rest, startCode)
			nal := rest
			if end >= 0 {
				nal = rest[:end]
			}
			if nal = trimZeros(nal); len(nal) > 0 && !yield(nal[:len(nal):len(nal)]) {
				return
			}
			if end < 0 {
				return
			}
			rest = rest[end+len(startCode):]
		}
	}
}

func trimZeros(nal []byte) []byte {
	for len(nal) > 0 && nal[len(nal)-1] == 0 {
		nal = nal[:len(nal)-1]
	}
	return nal
}
