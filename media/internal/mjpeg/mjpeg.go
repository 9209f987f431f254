// Package mjpeg decodes the JPEG pictures of cameras: baseline, with Huffman
// coding, and also without the Huffman tables, which cameras like to leave out.
// It makes no garbage and is half as fast again as image/jpeg, which it leaves
// all other pictures to.
package mjpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// What can be wrong with a picture.
var (
	ErrBroken      = errors.New("broken JPEG")
	ErrUnsupported = errors.New("not a baseline JPEG")
)

// Plane is one component of a picture. There may be more pixels than it says,
// to the right and below.
type Plane struct {
	Pixels        []byte
	Stride        int
	Width, Height int
	// Across and Down are how many pixels of the picture one of these covers.
	Across, Down int
}

// Decoder decodes one picture after the other, in the memory of those before.
// The zero value is ready.
type Decoder struct {
	// Width and Height are the size of the picture, known after Header.
	Width, Height int
	// Planes are Y, Cb and Cr, or Y alone, known after Decode. They are in the
	// limited range of video, not the full one of JPEG.
	Planes []Plane

	data       []byte // from the first scan on
	components []component
	maxH, maxV int
	restart    int // MCUs from one restart marker to the next, zero for none

	quant [4][64]int32 // in the order of the coefficients' transmission
	have  [4]bool
	// Those of the picture, or of the standard where it has none.
	dc, ac       [4]*table
	ownDC, ownAC [4]table

	shared *constants
	bits   reader
	planes [3]Plane
	block  [64]int32
}

type component struct {
	id, h, v, quant int
	dc, ac          *table
	previous        int32 // DC of the block before
}

// Header reads data up to where the pixels begin. The decoder keeps data until
// Decode.
func (d *Decoder) Header(data []byte) error {
	d.Width, d.Height, d.Planes = 0, 0, nil
	d.components, d.data, d.restart = d.components[:0], nil, 0
	d.have = [4]bool{}
	d.shared = shared()
	t := &d.shared.tables
	d.dc, d.ac = [4]*table{&t[0], &t[1]}, [4]*table{&t[2], &t[3]}
	if len(data) < 2 || data[0] != 0xff || data[1] != 0xd8 {
		return fmt.Errorf("%w: it does not begin like one", ErrBroken)
	}
	for rest := data[2:]; ; {
		marker, segment, next, ok := cutSegment(rest)
		if !ok {
			return fmt.Errorf("%w: it ends in the header", ErrBroken)
		}
		var err error
		switch {
		case marker == 0xdb:
			err = d.readQuant(segment)
		case marker == 0xc4:
			err = d.readHuffman(segment)
		case marker == 0xc0 || marker == 0xc1:
			err = d.readFrame(segment)
		case marker == 0xdd && len(segment) >= 2:
			d.restart = int(binary.BigEndian.Uint16(segment))
		case marker == 0xda:
			d.data = next
			return d.readScan(segment)
		case marker == 0xee && len(segment) >= 12 && string(segment[:5]) == "Adobe" && segment[11] == 0,
			marker >= 0xc2 && marker <= 0xcf: // other colors; progressive, arithmetic and so on
			err = ErrUnsupported
		}
		if err != nil {
			return err
		}
		rest = next
	}
}

// cutSegment returns the first marker and what belongs to it.
func cutSegment(b []byte) (marker byte, segment, rest []byte, ok bool) {
	for len(b) >= 2 && b[0] == 0xff && b[1] == 0xff { // fill bytes
		b = b[1:]
	}
	if len(b) < 4 || b[0] != 0xff || b[1] == 0xd9 {
		return 0, nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 2 || len(b) < 2+n {
		return 0, nil, nil, false
	}
	return b[1], b[4 : 2+n], b[2+n:], true
}

func (d *Decoder) readQuant(s []byte) error {
	for len(s) > 0 {
		wide, id := int(s[0]>>4), s[0]&15
		if wide > 1 || id > 3 || len(s) < 1+64*(1+wide) {
			return fmt.Errorf("%w: quantization table", ErrBroken)
		}
		for i := range d.quant[id] {
			if wide == 1 {
				d.quant[id][i] = int32(binary.BigEndian.Uint16(s[1+2*i:]))
			} else {
				d.quant[id][i] = int32(s[1+i])
			}
		}
		d.have[id] = true
		s = s[1+64*(1+wide):]
	}
	return nil
}

func (d *Decoder) readHuffman(s []byte) error {
	for len(s) > 0 {
		if len(s) < 17 || s[0]>>4 > 1 || s[0]&15 > 3 {
			return fmt.Errorf("%w: Huffman table", ErrBroken)
		}
		n := 0
		for _, c := range s[1:17] {
			n += int(c)
		}
		if n > 256 || len(s) < 17+n {
			return fmt.Errorf("%w: Huffman table", ErrBroken)
		}
		id := s[0] & 15
		tables, own := &d.dc, &d.ownDC
		if s[0]>>4 == 1 {
			tables, own = &d.ac, &d.ownAC
		}
		if !own[id].build(s[1:17], s[17:17+n]) {
			return fmt.Errorf("%w: Huffman table", ErrBroken)
		}
		tables[id] = &own[id]
		s = s[17+n:]
	}
	return nil
}

func (d *Decoder) readFrame(s []byte) error {
	if len(s) < 6 || len(d.components) > 0 {
		return fmt.Errorf("%w: frame header", ErrBroken)
	}
	n := int(s[5])
	if s[0] != 8 || n != 1 && n != 3 {
		return ErrUnsupported
	}
	d.Height, d.Width = int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:]))
	if len(s) < 6+3*n || d.Width == 0 || d.Height == 0 {
		return fmt.Errorf("%w: frame header", ErrBroken)
	}
	d.maxH, d.maxV = 1, 1
	for i := range n {
		c := component{id: int(s[6+3*i]), h: int(s[7+3*i] >> 4), v: int(s[7+3*i] & 15), quant: int(s[8+3*i])}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quant > 3 {
			return fmt.Errorf("%w: component %d", ErrBroken, i)
		}
		if n == 1 {
			c.h, c.v = 1, 1 // one component is not interleaved
		}
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
		d.components = append(d.components, c)
	}
	for i, c := range d.components {
		if d.maxH%c.h != 0 || d.maxV%c.v != 0 || i == 0 && (c.h != d.maxH || c.v != d.maxV) {
			return ErrUnsupported
		}
	}
	if n == 3 && d.components[0].id == 'R' && d.components[1].id == 'G' && d.components[2].id == 'B' {
		return ErrUnsupported
	}
	return nil
}

func (d *Decoder) readScan(s []byte) error {
	n := len(d.components)
	if n == 0 || len(s) < 1 || len(s) < 4+2*int(s[0]) {
		return fmt.Errorf("%w: scan header", ErrBroken)
	}
	if int(s[0]) != n {
		return ErrUnsupported // one scan for each component
	}
	for i := range n {
		c := &d.components[i]
		dc, ac := s[2+2*i]>>4, s[2+2*i]&15
		if c.id != int(s[1+2*i]) {
			return ErrUnsupported
		}
		if dc > 3 || ac > 3 || d.dc[dc] == nil || d.ac[ac] == nil || !d.have[c.quant] {
			return fmt.Errorf("%w: component %d", ErrBroken, i)
		}
		c.dc, c.ac = d.dc[dc], d.ac[ac]
	}
	if s = s[1+2*n:]; s[0] != 0 || s[1] != 63 || s[2] != 0 {
		return fmt.Errorf("%w: scan header", ErrBroken)
	}
	return nil
}

// Decode decodes the pixels of the picture whose header was read.
func (d *Decoder) Decode() error {
	columns := (d.Width + 8*d.maxH - 1) / (8 * d.maxH)
	rows := (d.Height + 8*d.maxV - 1) / (8 * d.maxV)
	blocks := 0
	for _, c := range d.components {
		blocks += c.h * c.v
	}
	// A block takes two bits at least: no memory for what cannot be there.
	if blocks == 0 || int64(blocks)*int64(columns)*int64(rows) > 4*int64(len(d.data)) {
		return fmt.Errorf("%w: too short for %dx%d", ErrBroken, d.Width, d.Height)
	}
	for i, c := range d.components {
		p := &d.planes[i]
		p.Width, p.Height = (d.Width*c.h+d.maxH-1)/d.maxH, (d.Height*c.v+d.maxV-1)/d.maxV
		p.Across, p.Down = d.maxH/c.h, d.maxV/c.v
		p.Stride = 8 * c.h * columns
		n := p.Stride * 8 * c.v * rows
		p.Pixels = slices.Grow(p.Pixels[:0], n)[:n]
		d.components[i].previous = 0
	}
	d.Planes = d.planes[:len(d.components)]
	d.bits = reader{data: d.data}
	left := d.restart
	for y := range rows {
		for x := range columns {
			if d.restart > 0 {
				if left == 0 {
					if err := d.resync(); err != nil {
						return err
					}
					left = d.restart
				}
				left--
			}
			if !d.unit(x, y) {
				return fmt.Errorf("%w: at %d,%d", ErrBroken, x*8*d.maxH, y*8*d.maxV)
			}
		}
	}
	return nil
}

// resync goes on behind the next restart marker.
func (d *Decoder) resync() error {
	if !d.bits.restart() {
		return fmt.Errorf("%w: no restart marker", ErrBroken)
	}
	for i := range d.components {
		d.components[i].previous = 0
	}
	return nil
}

// unit decodes the blocks of all components that lie together.
func (d *Decoder) unit(x, y int) bool {
	for i := range d.components {
		c, p := &d.components[i], &d.planes[i]
		clamp := &d.shared.ranges.luma
		if i > 0 {
			clamp = &d.shared.ranges.chroma
		}
		quant := &d.quant[c.quant]
		for v := range c.v {
			for h := range c.h {
				last, ok := d.bits.block(c, quant, &d.block)
				if !ok {
					return false
				}
				at := (y*c.v+v)*8*p.Stride + (x*c.h+h)*8
				transform(p.Pixels[at:], p.Stride, &d.block, last, clamp)
			}
		}
	}
	return true
}
