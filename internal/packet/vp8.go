package packet

import "github.com/parley-rtc/parley/media/bitstream"

// The VP8 payload descriptor (RFC 7741, 4.2).
const (
	vp8Extended = 0x80 // X
	vp8Start    = 0x10 // S
)

// vp8 writes a descriptor with a picture id of 15 bits before every fragment.
func (p *Packetizer) vp8(dst []Payload, frame []byte) []Payload {
	const header = 4
	id := p.nextPictureID()
	first := byte(vp8Extended | vp8Start)
	for len(frame) > 0 {
		n := min(len(frame), p.mtu-header)
		start := p.begin()
		p.buf = append(p.buf, first, 0x80, 0x80|byte(id>>8), byte(id))
		p.buf = append(p.buf, frame[:n]...)
		dst = p.end(dst, start)
		frame = frame[n:]
		first = vp8Extended
	}
	return dst
}

func (p *Packetizer) nextPictureID() uint16 {
	id := p.pictureID
	p.pictureID = (id + 1) & 0x7fff
	return id
}

// splitVP8 parts a payload into descriptor and data. start is true for the
// first packet of a frame.
func splitVP8(payload []byte) (data []byte, start, ok bool) {
	if len(payload) < 2 {
		return nil, false, false
	}
	start = payload[0]&(vp8Start|0x07) == vp8Start
	n := 1
	if payload[0]&vp8Extended != 0 {
		ext := payload[1]
		n = 2
		if ext&0x80 != 0 { // I: picture id of one or two bytes
			if n >= len(payload) {
				return nil, false, false
			}
			n += 1 + int(payload[n]>>7)
		}
		if ext&0x40 != 0 { // L: TL0PICIDX
			n++
		}
		if ext&0x30 != 0 { // T or K: TID, Y, KEYIDX
			n++
		}
	}
	if n >= len(payload) {
		return nil, false, false
	}
	return payload[n:], start, true
}

// vp8Frame joins a VP8 frame.
type vp8Frame struct{ frameBuffer }

func (f *vp8Frame) startsFrame(payload []byte) bool {
	_, start, ok := splitVP8(payload)
	return ok && start
}

func (f *vp8Frame) add(payload []byte) error {
	data, start, ok := splitVP8(payload)
	if !ok || start != (len(f.buf) == 0) {
		return errPayload
	}
	return f.write(data)
}

func (f *vp8Frame) finish() error { return f.complete() }

func vp8Picture(payload []byte) (bitstream.Picture, bool) {
	data, start, ok := splitVP8(payload)
	if !ok || !start {
		return bitstream.Picture{}, false
	}
	pic, err := bitstream.ParseVP8(data)
	return pic, err == nil
}
