package packet

import (
	"fmt"

	"github.com/parley-rtc/parley/media/bitstream"
)

// The VP9 payload descriptor (RFC 9628, 4.2).
const (
	vp9PictureID  = 0x80 // I
	vp9Predicted  = 0x40 // P
	vp9Layers     = 0x20 // L
	vp9Flexible   = 0x10 // F
	vp9Begin      = 0x08 // B
	vp9End        = 0x04 // E
	vp9Structure  = 0x02 // V
	vp9NotForHigh = 0x01 // Z
)

// vp9 writes non-flexible mode with one layer: a picture id before every
// fragment, and on key frames the picture's size in a scalability structure.
func (p *Packetizer) vp9(dst []Payload, frame []byte) ([]Payload, error) {
	pic, err := bitstream.ParseVP9(frame)
	if err != nil {
		return dst, fmt.Errorf("%w: %w", ErrSample, err)
	}
	id := p.nextPictureID()
	flags := byte(vp9PictureID | vp9NotForHigh)
	if !pic.Keyframe {
		flags |= vp9Predicted
	}
	for first := true; len(frame) > 0; first = false {
		start := p.begin()
		p.buf = append(p.buf, flags, 0x80|byte(id>>8), byte(id))
		if first {
			p.buf[start] |= vp9Begin
			if pic.Keyframe {
				p.buf[start] |= vp9Structure
				// One spatial layer, sizes present, no picture group.
				p.buf = append(p.buf, 0x10,
					byte(pic.Width>>8), byte(pic.Width), byte(pic.Height>>8), byte(pic.Height))
			}
		}
		n := min(len(frame), p.mtu-(len(p.buf)-start))
		if n == len(frame) {
			p.buf[start] |= vp9End
		}
		p.buf = append(p.buf, frame[:n]...)
		dst = p.end(dst, start)
		frame = frame[n:]
	}
	return dst, nil
}

// vp9Packet is a payload taken apart.
type vp9Packet struct {
	begin, end    bool // of a layer's frame
	predicted     bool
	spatial       int
	width, height int // of the highest layer, where told
	data          []byte
}

func (v *vp9Packet) parse(payload []byte) bool {
	if len(payload) < 2 {
		return false
	}
	flags := payload[0]
	*v = vp9Packet{
		begin:     flags&vp9Begin != 0,
		end:       flags&vp9End != 0,
		predicted: flags&vp9Predicted != 0,
	}
	n := 1
	if flags&vp9PictureID != 0 {
		n += 1 + int(payload[n]>>7)
	}
	if flags&vp9Layers != 0 {
		if n >= len(payload) {
			return false
		}
		v.spatial = int(payload[n] >> 1 & 7)
		n++
		if flags&vp9Flexible == 0 {
			n++ // TL0PICIDX
		}
	}
	if flags&(vp9Flexible|vp9Predicted) == vp9Flexible|vp9Predicted {
		for range 3 { // P_DIFF, at most three
			if n >= len(payload) {
				return false
			}
			n++
			if payload[n-1]&1 == 0 {
				break
			}
		}
	}
	if flags&vp9Structure != 0 {
		var ok bool
		if n, ok = v.structure(payload, n); !ok {
			return false
		}
	}
	if n >= len(payload) {
		return false
	}
	v.data = payload[n:]
	return true
}

// structure reads the scalability structure at n and returns where it ends.
func (v *vp9Packet) structure(payload []byte, n int) (int, bool) {
	if n >= len(payload) {
		return 0, false
	}
	head := payload[n]
	n++
	if sizes := head&0x10 != 0; sizes {
		layers := int(head>>5) + 1
		if n+4*layers > len(payload) {
			return 0, false
		}
		n += 4 * layers
		last := payload[n-4:]
		v.width, v.height = int(last[0])<<8|int(last[1]), int(last[2])<<8|int(last[3])
	}
	if group := head&0x08 != 0; group {
		if n >= len(payload) {
			return 0, false
		}
		pictures := int(payload[n])
		n++
		for range pictures {
			if n >= len(payload) {
				return 0, false
			}
			n += 1 + int(payload[n]>>2&3) // R reference indices
		}
	}
	return n, true
}

// vp9Frame joins the layer frames of one picture.
type vp9Frame struct {
	frameBuffer
	pkt  vp9Packet
	open bool // a layer's frame has begun and not ended
	// The size of the highest layer, where a packet told.
	width, height int
}

func (f *vp9Frame) reset() {
	f.frameBuffer.reset()
	f.open, f.width, f.height = false, 0, 0
}

func (f *vp9Frame) startsFrame(payload []byte) bool {
	ok := f.pkt.parse(payload)
	return ok && f.pkt.begin && f.pkt.spatial == 0
}

func (f *vp9Frame) add(payload []byte) error {
	if !f.pkt.parse(payload) || f.pkt.begin == f.open {
		return errPayload
	}
	f.open = !f.pkt.end
	if f.pkt.width > 0 && f.pkt.height > 0 {
		f.width, f.height = f.pkt.width, f.pkt.height
	}
	return f.write(f.pkt.data)
}

func (f *vp9Frame) finish() error {
	if f.open {
		return errPayload
	}
	return f.complete()
}

// vp9Picture reads the first packet of a picture.
func vp9Picture(payload []byte) (bitstream.Picture, bool) {
	var v vp9Packet
	if !v.parse(payload) || !v.begin || v.spatial != 0 {
		return bitstream.Picture{}, false
	}
	pic, err := bitstream.ParseVP9(v.data)
	if err != nil {
		return bitstream.Picture{}, false
	}
	if v.width > 0 && v.height > 0 {
		pic.Width, pic.Height = v.width, v.height
	}
	return pic, true
}
