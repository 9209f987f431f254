//go:build unix

package screen

import (
	"context"
	"encoding/binary"
	"image"

	"github.com/parley-rtc/parley/media"
)

// useCursor finds out whether the server tells what the mouse pointer looks
// like (XFIXES, section 6).
func (x *session) useCursor(ctx context.Context) error {
	op, err := x.extension(ctx, "XFIXES")
	if err != nil || op == 0 {
		return err
	}
	x.begin(op, 0) // QueryVersion, which the server waits for
	x.u32(4, 0)
	_, more, err := x.ask(ctx)
	if err != nil {
		return err
	}
	x.fixes = op
	return x.skip(ctx, more)
}

// drawCursor draws the mouse pointer into the picture.
func (x *session) drawCursor(ctx context.Context, f *media.VideoFrame) error {
	x.begin(x.fixes, 4) // GetCursorImage
	h, more, err := x.ask(ctx)
	if isXError(err, badAccess) { // the pointer is on a screen that we may not see
		return nil
	}
	if err != nil {
		return err
	}
	i16 := func(i int) int { return int(int16(binary.LittleEndian.Uint16(h[i:]))) }
	u16 := func(i int) int { return int(binary.LittleEndian.Uint16(h[i:])) }
	w, ht := u16(12), u16(14)
	at := image.Pt(i16(8)-u16(16), i16(10)-u16(18)).Sub(x.bounds.Min)
	if more > 4<<20 || more < 4*w*ht {
		return x.skip(ctx, more)
	}
	if cap(x.cursor) < more {
		x.cursor = make([]byte, more)
	}
	x.cursor = x.cursor[:more]
	if err := x.readFull(ctx, x.cursor); err != nil {
		return err
	}
	blend(f, x.cursor, image.Rectangle{Min: at, Max: at.Add(image.Pt(w, ht))})
	return nil
}

// blend draws premultiplied BGRA pixels over the picture, cut at its edges.
func blend(f *media.VideoFrame, pixels []byte, at image.Rectangle) {
	shown := at.Intersect(image.Rect(0, 0, f.Width, f.Height))
	for y := shown.Min.Y; y < shown.Max.Y; y++ {
		src := pixels[4*((y-at.Min.Y)*at.Dx()+shown.Min.X-at.Min.X):]
		dst := f.Planes[0][y*f.Strides[0]+4*shown.Min.X:][:4*shown.Dx()]
		for i := 0; i < len(dst); i += 4 {
			rest := 255 - int(src[i+3])
			for j := i; j < i+3; j++ {
				dst[j] = byte(min(255, int(src[j])+(int(dst[j])*rest+127)/255))
			}
		}
	}
}
