package window

import (
	"encoding/binary"
	"image"

	"github.com/parley-rtc/parley/media"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// canvas is a picture as X takes it: four bytes a pixel, blue first.
type canvas struct {
	pix           []byte
	width, height int
}

func (c *canvas) row(x, y, n int) []byte {
	at := 4 * (y*c.width + x)
	return c.pix[at : at+4*n]
}

// black fills a part of the canvas.
func (c *canvas) black(r image.Rectangle) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		clear(c.row(r.Min.X, y, r.Dx()))
	}
}

// painter draws pictures onto a canvas. Its memory is used again.
type painter struct {
	at    []column // for each pixel of a row
	from  int      // width that they are for
	line  []byte   // a row of luma between two
	tints []tint   // a row of chroma
}

// tint is what chroma adds to the colors of a pixel, times 256.
type tint struct{ r, g, b int32 }

// column is where the value of a pixel comes from.
type column struct {
	luma   int32
	chroma int32
	frac   int32 // of 256, how much is of the next one
}

// fit returns the largest rectangle of the shape within another, in its middle.
func fit(w, h int, in image.Rectangle) image.Rectangle {
	dw, dh := in.Dx(), in.Dx()*h/w
	if dh > in.Dy() {
		dw, dh = in.Dy()*w/h, in.Dy()
	}
	dw, dh = max(1, dw), max(1, dh)
	x, y := in.Min.X+(in.Dx()-dw)/2, in.Min.Y+(in.Dy()-dh)/2
	return image.Rect(x, y, x+dw, y+dh)
}

// draw draws a picture into a rectangle, black where it leaves some.
func (p *painter) draw(c *canvas, f *media.VideoFrame, in image.Rectangle) {
	to := fit(f.Width, f.Height, in).Intersect(in)
	c.black(image.Rect(in.Min.X, in.Min.Y, in.Max.X, to.Min.Y))
	c.black(image.Rect(in.Min.X, to.Max.Y, in.Max.X, in.Max.Y))
	c.black(image.Rect(in.Min.X, to.Min.Y, to.Min.X, to.Max.Y))
	c.black(image.Rect(to.Max.X, to.Min.Y, in.Max.X, to.Max.Y))
	w, h := to.Dx(), to.Dy()
	p.columns(w, f.Width)
	last := -1
	for y := range h {
		line, sy := p.luma(f, y, h)
		if sy /= 2; sy != last {
			p.chroma(f.Planes[1][sy*f.Strides[1]:], f.Planes[2][sy*f.Strides[2]:], (f.Width+1)/2)
			last = sy
		}
		dst := c.row(to.Min.X, to.Min.Y+y, w)
		if w == f.Width {
			p.same(dst, line)
		} else {
			p.scaled(dst, line)
		}
	}
}

// columns works out where the pixels of a row come from.
func (p *painter) columns(w, from int) {
	if len(p.at) == w && p.from == from {
		return
	}
	p.from = from
	p.at = append(p.at[:0], make([]column, w)...)
	for x := range p.at {
		at, frac := between(x, w, from)
		p.at[x] = column{int32(at), int32((at + frac>>7) / 2), int32(frac)}
	}
}

// between returns where value i of n lies among others.
func between(i, n, among int) (at, frac int) {
	if n == among {
		return i, 0
	}
	pos := ((2*i+1)*among*128)/n - 128 // 256 to a value
	pos = max(0, min(pos, (among-1)*256))
	return pos >> 8, pos & 255
}

// luma returns row y of h of the picture, and which of its own it is nearest.
func (p *painter) luma(f *media.VideoFrame, y, h int) (line []byte, nearest int) {
	sy, frac := between(y, h, f.Height)
	line = f.Planes[0][sy*f.Strides[0]:][:f.Width]
	if frac == 0 {
		return line, sy
	}
	next := f.Planes[0][(sy+1)*f.Strides[0]:][:f.Width]
	p.line = append(p.line[:0], line...)
	for i, a := range p.line {
		p.line[i] = byte((int32(a)*int32(256-frac) + int32(next[i])*int32(frac)) >> 8)
	}
	return p.line, sy + frac>>7
}

// chroma works out the tints of a row, by ITU-R BT.601 with the range that
// video has.
func (p *painter) chroma(u, v []byte, n int) {
	if cap(p.tints) < n {
		p.tints = make([]tint, n)
	}
	p.tints = p.tints[:n]
	u, v = u[:n], v[:n]
	for i := range p.tints {
		d, e := int32(u[i])-128, int32(v[i])-128
		p.tints[i] = tint{409 * e, -100*d - 208*e, 516 * d}
	}
}

// same makes pixels of a row that is as wide.
func (p *painter) same(dst, line []byte) {
	tints := p.tints
	for len(line) >= 2 && len(dst) >= 8 && len(tints) > 0 {
		binary.LittleEndian.PutUint32(dst, pixel(int32(line[0]), tints[0]))
		binary.LittleEndian.PutUint32(dst[4:], pixel(int32(line[1]), tints[0]))
		line, dst, tints = line[2:], dst[8:], tints[1:]
	}
	if len(line) > 0 {
		binary.LittleEndian.PutUint32(dst, pixel(int32(line[0]), tints[0]))
	}
}

// scaled makes pixels of a row of another width.
func (p *painter) scaled(dst, line []byte) {
	for i, c := range p.at {
		y := int32(line[c.luma])
		if c.frac != 0 {
			y += (int32(line[c.luma+1]) - y) * c.frac >> 8
		}
		binary.LittleEndian.PutUint32(dst[4*i:], pixel(y, p.tints[c.chroma]))
	}
}

func pixel(y int32, t tint) uint32 {
	y = (y-16)*298 + 128
	return limit(y+t.b) | limit(y+t.g)<<8 | limit(y+t.r)<<16 | 0xff<<24
}

// limit divides by 256 and keeps the result in a byte.
func limit(v int32) uint32 { return uint32(max(0, min(0xffff, v))) >> 8 }

// label is a name to be written onto pictures.
type label struct{ mask *image.Alpha }

// maxLetters bounds a label.
const maxLetters = 64

func newLabel(text string) label {
	face := basicfont.Face7x13
	letters := []rune(text)
	if len(letters) > maxLetters {
		letters = append(letters[:maxLetters-1], '…')
	}
	for i, r := range letters {
		if r < ' ' || r > '~' { // the font has no others
			letters[i] = '?'
		}
	}
	mask := image.NewAlpha(image.Rect(0, 0, face.Advance*len(letters), face.Height))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: face, Dot: fixed.P(0, face.Ascent)}
	d.DrawString(string(letters))
	return label{mask}
}

// draw writes the label into the upper left corner, on a darkened ground.
func (l label) draw(c *canvas, in image.Rectangle) {
	const edge = 3
	size := l.mask.Rect.Size()
	box := image.Rect(in.Min.X, in.Min.Y, in.Min.X+size.X+2*edge, in.Min.Y+size.Y+2*edge).Intersect(in)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		pix := c.row(box.Min.X, y, box.Dx())
		for x := range box.Dx() {
			value := uint32(0xffffffff)
			at := image.Pt(x-edge, y-in.Min.Y-edge)
			if !at.In(l.mask.Rect) || l.mask.Pix[l.mask.PixOffset(at.X, at.Y)] == 0 {
				value = binary.LittleEndian.Uint32(pix[4*x:])>>2&0x3f3f3f | 0xff<<24
			}
			binary.LittleEndian.PutUint32(pix[4*x:], value)
		}
	}
}

// tile returns the rectangle of picture i of n.
func tile(i, n, width, height int) image.Rectangle {
	cols := 1
	for cols*cols < n {
		cols++
	}
	rows := (n + cols - 1) / cols
	x, y := i%cols, i/cols
	return image.Rect(x*width/cols, y*height/rows, (x+1)*width/cols, (y+1)*height/rows)
}
