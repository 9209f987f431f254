package packet

import (
	"fmt"

	"github.com/parley-rtc/parley/media/bitstream"
)

// The AV1 aggregation header (AV1 RTP specification, 4.4).
const (
	av1Continues   = 0x80 // Z: begins with the rest of an OBU
	av1Unfinished  = 0x40 // Y: ends with a part of an OBU
	av1CountShift  = 4    // W: number of elements, 0 when each has a length
	av1NewSequence = 0x08 // N: a coded video sequence begins

	obuHasSize = 0x02
)

// av1Writer packs OBUs into payloads.
type av1Writer struct {
	p     *Packetizer
	dst   []Payload
	start int // of the open payload in p.buf
	open  bool
	count int // elements in the open payload
	last  int // where the length of its last element begins, or -1
	layer int // of the elements with extension in it, or -1
}

// av1 removes temporal delimiters, tile lists and size fields, as the AV1 RTP
// specification asks in section 5, and fills payloads with what remains.
func (p *Packetizer) av1(dst []Payload, data []byte) ([]Payload, error) {
	w := av1Writer{p: p, dst: dst}
	for o, err := range bitstream.OBUs(data) {
		if err != nil {
			return dst, fmt.Errorf("%w: %w", ErrSample, err)
		}
		if o.Type == bitstream.OBUTemporalDelimiter || o.Type == bitstream.OBUTileList {
			continue
		}
		w.add(o)
	}
	if w.close(); len(w.dst) == len(dst) {
		return dst, fmt.Errorf("%w: no OBU to send", ErrSample)
	}
	return w.dst, nil
}

func (w *av1Writer) add(o bitstream.OBU) {
	layer := -1
	if o.Extended {
		layer = o.TemporalID<<2 | o.SpatialID
	}
	// A sequence header begins a packet, and a packet is of one layer.
	if o.Type == bitstream.OBUSequenceHeader || layer >= 0 && w.layer >= 0 && layer != w.layer {
		w.close()
	}
	header := &w.p.header
	rest := [2][]byte{header[:copy(header[:], o.Header)], o.Payload}
	header[0] &^= obuHasSize
	for begun := false; len(rest[0])+len(rest[1]) > 0; begun = true {
		if w.open && (w.last < 0 || w.space() < 2) {
			w.close()
		}
		if !w.open {
			w.begin(begun, o.Type == bitstream.OBUSequenceHeader && !begun)
		}
		if layer >= 0 {
			w.layer = layer
		}
		w.element(&rest)
		if len(rest[0])+len(rest[1]) > 0 {
			w.p.buf[w.start] |= av1Unfinished
			w.close()
		}
	}
}

func (w *av1Writer) space() int { return w.p.mtu - (len(w.p.buf) - w.start) }

func (w *av1Writer) begin(continues, sequence bool) {
	var header byte
	if continues {
		header |= av1Continues
	}
	if sequence {
		header |= av1NewSequence
	}
	w.open, w.count, w.last, w.layer = true, 0, 0, -1
	w.start = w.p.begin()
	w.p.buf = append(w.p.buf, header)
}

// element moves as much of rest as fits into the open payload, which has room
// for two bytes at least. One that fills it up is its last, and goes without
// length where the count of elements can be told.
func (w *av1Writer) element(rest *[2][]byte) {
	space, size := w.space(), len(rest[0])+len(rest[1])
	var length [8]byte
	prefix := bitstream.AppendLEB128(length[:0], uint64(size))
	switch {
	case size+len(prefix) <= space:
		w.last = len(w.p.buf)
		w.p.buf = append(w.p.buf, prefix...)
	case w.count < 3:
		w.last = -1
		size = min(size, space)
	default:
		w.last = len(w.p.buf)
		if size = min(size, space-1); size > 127 {
			size = space - 2
		}
		w.p.buf = bitstream.AppendLEB128(w.p.buf, uint64(size))
	}
	for i := range rest {
		n := min(size, len(rest[i]))
		w.p.buf = append(w.p.buf, rest[i][:n]...)
		rest[i] = rest[i][n:]
		size -= n
	}
	w.count++
}

// close ends the open payload. With up to three elements it tells their number
// and saves the length of the last.
func (w *av1Writer) close() {
	if !w.open {
		return
	}
	w.open = false
	if w.count <= 3 {
		w.p.buf[w.start] |= byte(w.count << av1CountShift)
	}
	if w.count <= 3 && w.last >= 0 {
		_, n := bitstream.ReadLEB128(w.p.buf[w.last:])
		w.p.buf = append(w.p.buf[:w.last], w.p.buf[w.last+n:]...)
	}
	w.dst = w.p.end(w.dst, w.start)
}

// av1Elements walks over the OBU elements of a payload. It stops and returns
// false when the payload is malformed or when visit returns false.
func av1Elements(payload []byte, visit func(element []byte, first, last bool) bool) bool {
	if len(payload) < 2 {
		return false
	}
	count := int(payload[0] >> av1CountShift & 3)
	body := payload[1:]
	for i := 1; len(body) > 0; i++ {
		element := body
		if i == count {
			body = nil
		} else {
			size, n := bitstream.ReadLEB128(body)
			if n == 0 || size > uint64(len(body)-n) {
				return false
			}
			element, body = body[n:n+int(size)], body[n+int(size):]
			if len(body) == 0 && count > 0 {
				return false // fewer elements than announced
			}
		}
		if !visit(element, i == 1, len(body) == 0) {
			return false
		}
	}
	return true
}

// av1Frame joins the OBUs of a temporal unit and gives them size fields.
type av1Frame struct {
	frameBuffer
	part []byte // of an OBU that goes on in the next packet
	open bool   // part is begun
}

func (f *av1Frame) reset() {
	f.frameBuffer.reset()
	f.part, f.open = f.part[:0], false
}

func (f *av1Frame) add(payload []byte) error {
	head := payload[0]
	if continues := head&av1Continues != 0; continues != f.open {
		return errPayload
	}
	var failed error
	ok := av1Elements(payload, func(element []byte, first, last bool) bool {
		unfinished := last && head&av1Unfinished != 0
		if !f.open && !unfinished {
			failed = f.obu(element)
			return failed == nil
		}
		if len(f.part)+len(element) > maxFrame {
			return false
		}
		f.part = append(f.part, element...)
		if f.open = unfinished; !f.open {
			failed = f.obu(f.part)
			f.part = f.part[:0]
		}
		return failed == nil
	})
	if !ok {
		return errPayload
	}
	return nil
}

// obu appends a whole OBU with a size field.
func (f *av1Frame) obu(data []byte) error {
	if len(data) == 0 {
		return nil // an element may be empty
	}
	o, n, err := bitstream.ParseOBU(data)
	if err != nil || n != len(data) {
		return errPayload
	}
	if o.Type == bitstream.OBUTemporalDelimiter || o.Type == bitstream.OBUTileList {
		return nil
	}
	f.buf = append(f.buf, o.Header[0]|obuHasSize)
	f.buf = append(f.buf, o.Header[1:]...)
	f.buf = bitstream.AppendLEB128(f.buf, uint64(len(o.Payload)))
	return f.write(o.Payload)
}

func (f *av1Frame) finish() error {
	if f.open {
		return errPayload
	}
	return f.complete()
}

func (f *av1Frame) startsFrame(payload []byte) bool {
	if payload[0]&av1Continues != 0 {
		return false
	}
	if payload[0]&av1NewSequence != 0 {
		return true
	}
	t := av1FirstType(payload)
	return t == bitstream.OBUSequenceHeader || t == bitstream.OBUTemporalDelimiter
}

// av1FirstType returns the type of the OBU that a payload begins with, or -1.
func av1FirstType(payload []byte) int {
	t := -1
	av1Elements(payload, func(element []byte, _, _ bool) bool {
		if len(element) > 0 {
			t = int(element[0] >> 3 & 15)
		}
		return false
	})
	return t
}

// av1Picture looks for a sequence header that begins in a payload.
func av1Picture(payload []byte) (pic bitstream.Picture, ok bool) {
	if len(payload) < 2 || payload[0]&av1Continues != 0 {
		return pic, false
	}
	pic.Keyframe = payload[0]&av1NewSequence != 0
	av1Elements(payload, func(element []byte, _, last bool) bool {
		if last && payload[0]&av1Unfinished != 0 || len(element) == 0 {
			return true
		}
		o, _, err := bitstream.ParseOBU(element)
		if err != nil || o.Type != bitstream.OBUSequenceHeader {
			return err == nil
		}
		if seq, err := bitstream.ParseAV1SequenceHeader(o.Payload); err == nil {
			pic = bitstream.Picture{Keyframe: true, Width: seq.Width, Height: seq.Height}
		}
		return false
	})
	return pic, pic.Keyframe
}
