package v4l2

import "fmt"

// Bounds of what a driver is believed.
const (
	maxSide    = 1 << 14
	maxStride  = 1 << 20
	maxImage   = 1 << 28
	maxBuffers = 32
)

// part is where a plane of a picture lies: rows of a stride, beginning at an
// offset in one of the buffer's memory planes.
type part struct {
	memory int
	offset int
	stride int
	length int
}

// layout is where the planes of a picture lie, in the order of its
// [media.PixelFormat]. It has no parts for compressed pictures, which take
// what the driver says they do.
type layout struct {
	parts []part
	need  [maxPlanes]int // bytes of each memory plane that the parts take
}

// layoutFunc tells the planes of a picture in the order of its memory.
type layoutFunc func(size Size) []rows

type rows struct {
	order  int // the plane's place in the [media.VideoFrame]
	bytes  int // of a row, without padding
	count  int
	halves int // of the first plane's stride
}

// layoutPacked is one plane whose pixels come in groups of bytes.
func layoutPacked(bytes, pixels int) layoutFunc {
	return func(s Size) []rows {
		return []rows{{0, (s.Width + pixels - 1) / pixels * bytes, s.Height, 2}}
	}
}

// layoutPlanar is 4:2:0 in three planes.
func layoutPlanar(swapped bool) layoutFunc {
	return func(s Size) []rows {
		w, h := (s.Width+1)/2, (s.Height+1)/2
		u, v := 1, 2
		if swapped {
			u, v = 2, 1
		}
		return []rows{{0, s.Width, s.Height, 2}, {u, w, h, 1}, {v, w, h, 1}}
	}
}

// layoutSemiPlanar is 4:2:0 in two planes.
func layoutSemiPlanar(s Size) []rows {
	return []rows{{0, s.Width, s.Height, 2}, {1, (s.Width + 1) / 2 * 2, (s.Height + 1) / 2, 2}}
}

// granted is what the driver says of the memory of a picture.
type granted struct {
	size    Size
	strides []int // of each memory plane, zero where it does not tell
	images  []int // bytes of each memory plane
}

// plan works out where the planes lie, or says what is impossible about it.
func plan(f Format, g granted) (layout, error) {
	if g.size.Width <= 0 || g.size.Height <= 0 || g.size.Width > maxSide || g.size.Height > maxSide {
		return layout{}, fmt.Errorf("size %v", g.size)
	}
	if len(g.strides) == 0 || len(g.strides) > maxPlanes || len(g.images) != len(g.strides) {
		return layout{}, fmt.Errorf("%d memory planes", len(g.strides))
	}
	for i := range g.strides {
		if g.strides[i] < 0 || g.strides[i] > maxStride || g.images[i] <= 0 || g.images[i] > maxImage {
			return layout{}, fmt.Errorf("stride %d, %d bytes", g.strides[i], g.images[i])
		}
	}
	if planes := f.known().planes; planes != nil {
		return planRows(planes(g.size), g)
	}
	if len(g.strides) != 1 {
		return layout{}, fmt.Errorf("%d memory planes of compressed pictures", len(g.strides))
	}
	return layout{}, nil
}

func planRows(planes []rows, g granted) (layout, error) {
	if n := len(g.strides); n != 1 && n != len(planes) {
		return layout{}, fmt.Errorf("%d memory planes for %d planes", n, len(planes))
	}
	l := layout{parts: make([]part, len(planes))}
	first := g.strides[0]
	if first == 0 {
		first = planes[0].bytes
	}
	end := 0 // of what is placed in the only memory plane
	for i, r := range planes {
		p := part{stride: (first*r.halves + 1) / 2}
		if len(g.strides) > 1 {
			p.memory = i
			if g.strides[i] != 0 {
				p.stride = g.strides[i]
			}
		} else {
			p.offset = end
		}
		if p.stride < r.bytes {
			return layout{}, fmt.Errorf("stride %d for rows of %d bytes", p.stride, r.bytes)
		}
		p.length = p.stride * r.count
		end = p.offset + p.length
		// The last row may come without its padding.
		l.need[p.memory] = end - p.stride + r.bytes
		if l.need[p.memory] > g.images[p.memory] {
			return layout{}, fmt.Errorf("%d bytes for a picture of at least %d", g.images[p.memory], l.need[p.memory])
		}
		l.parts[r.order] = p
	}
	return l, nil
}
