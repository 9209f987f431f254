package packet

import "encoding/binary"

// VP8Order is what the descriptor of a VP8 payload (RFC 7741, section 4.2) says
// of the picture's place in its stream.
type VP8Order struct {
	Picture      uint16 // PictureID, of 7 or 15 bits
	TL0          uint8  // TL0PICIDX
	HasID, HasTL bool

	long    bool
	id, tl0 int // offsets
}

// ReadVP8Order reads the descriptor of a payload. It is empty for one that is
// malformed.
func ReadVP8Order(payload []byte) (o VP8Order) {
	if len(payload) < 2 || payload[0]&vp8Extended == 0 {
		return VP8Order{}
	}
	ext := payload[1]
	at := 2
	if ext&0x80 != 0 {
		if len(payload) < 4 {
			return VP8Order{}
		}
		o.HasID, o.id = true, at
		if o.long = payload[2]&0x80 != 0; o.long {
			o.Picture = binary.BigEndian.Uint16(payload[2:]) & 0x7fff
			at++
		} else {
			o.Picture = uint16(payload[2])
		}
		at++
	}
	if ext&0x40 != 0 {
		if len(payload) <= at {
			return VP8Order{}
		}
		o.HasTL, o.tl0, o.TL0 = true, at, payload[at]
	}
	return o
}

// ShiftVP8 moves a payload to another place in its stream: it adds to the
// numbers that its descriptor has, in place.
func ShiftVP8(payload []byte, picture uint16, tl0 uint8) {
	o := ReadVP8Order(payload)
	switch {
	case o.HasID && o.long:
		binary.BigEndian.PutUint16(payload[o.id:], 0x8000|(o.Picture+picture)&0x7fff)
	case o.HasID:
		payload[o.id] = byte(o.Picture+picture) & 0x7f
	}
	if o.HasTL {
		payload[o.tl0] += tl0
	}
}
