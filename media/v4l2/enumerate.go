package v4l2

import (
	"cmp"
	"slices"
	"unsafe"
)

// Bounds of what a driver may list, so that one that repeats itself ends.
const (
	maxFormats = 128
	maxSizes   = 128
	maxRates   = 64
	maxAsked   = 1 << 15
)

// enumerator asks a device what it can do.
type enumerator struct {
	n     node
	asked int
}

func (e *enumerator) ask(req uint32, arg unsafe.Pointer) bool {
	e.asked++
	return e.asked <= maxAsked && e.n.ioctl(req, arg) == nil
}

func enumerate(n node, typ uint32) []FormatInfo {
	e := enumerator{n: n}
	var out []FormatInfo
	for i := range uint32(maxFormats) {
		d := fmtDesc{index: i, typ: typ}
		if !e.ask(vidiocEnumFmt, unsafe.Pointer(&d)) {
			break
		}
		f := FormatInfo{Format: formatOf(d.pixelFormat), Description: text(d.description[:]), code: d.pixelFormat}
		if slices.ContainsFunc(out, func(o FormatInfo) bool { return o.code == f.code }) {
			continue
		}
		f.Sizes = e.sizes(f.code)
		out = append(out, f)
	}
	return out
}

func (e *enumerator) sizes(code uint32) []SizeRange {
	var out []SizeRange
	for i := range uint32(maxSizes) {
		q := sizeEnum{index: i, pixelFormat: code}
		if !e.ask(vidiocEnumFrameSizes, unsafe.Pointer(&q)) {
			break
		}
		if s, ok := sizeRange(&q); ok {
			s.Rates = e.rates(code, s.Max)
			out = append(out, s)
		}
		if q.typ != sizeDiscrete {
			break // a range is the only entry
		}
	}
	return out
}

func sizeRange(q *sizeEnum) (SizeRange, bool) {
	for _, v := range q.values[:2] {
		if v > maxSide {
			return SizeRange{}, false
		}
	}
	if q.typ == sizeDiscrete {
		s := Size{int(q.values[0]), int(q.values[1])}
		return SizeRange{Min: s, Max: s}, s.Width > 0 && s.Height > 0
	}
	side := func(v uint32) int { return int(min(v, maxSide)) }
	s := SizeRange{
		Min:  Size{side(q.values[0]), side(q.values[3])},
		Max:  Size{side(q.values[1]), side(q.values[4])},
		Step: Size{side(max(q.values[2], 1)), side(max(q.values[5], 1))},
	}
	ok := s.Min.Width <= s.Max.Width && s.Min.Height <= s.Max.Height && s.Max.Width > 0 && s.Max.Height > 0
	s.Min.Width, s.Min.Height = max(s.Min.Width, 1), max(s.Min.Height, 1)
	return s, ok
}

func (e *enumerator) rates(code uint32, at Size) []RateRange {
	var out []RateRange
	for i := range uint32(maxRates) {
		q := intervalEnum{index: i, pixelFormat: code, width: uint32(at.Width), height: uint32(at.Height)}
		if !e.ask(vidiocEnumFrameIntervals, unsafe.Pointer(&q)) {
			break
		}
		if r, ok := rateRange(&q); ok {
			out = append(out, r)
		}
		if q.typ != sizeDiscrete {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b RateRange) int { return cmp.Compare(b.Max, a.Max) })
	return out
}

func rateRange(q *intervalEnum) (RateRange, bool) {
	if q.typ == sizeDiscrete {
		rate := rateOf(q.values[0])
		return RateRange{Min: rate, Max: rate, interval: q.values[0]}, rate > 0
	}
	// The shortest interval is the highest rate. Some drivers begin at 0.
	low, high := rateOf(q.values[1]), rateOf(q.values[0])
	if high == 0 {
		high = 1000
	}
	return RateRange{Min: low, Max: high, interval: intervalOf(high)}, low > 0 && low <= high
}
