package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
)

// maxPacket bounds an Opus packet of one or two channels: 48 frames of 1275
// bytes, and some.
const maxPacket = 64 << 10

const (
	oggContinued = 1
	oggFirst     = 2
	oggLast      = 4
)

const opusConvert = "convert it with: ffmpeg -i FILE -c:a libopus -ac 2 OUT.ogg"

// ogg reads the first Opus stream of an Ogg file (RFC 3533, RFC 7845). Other
// streams in it are passed over, and so is what is chained behind it.
//
// The packets of the pre-skip are returned like all others: the decoder at
// the far end needs them to settle.
type ogg struct {
	c      *cursor
	serial uint32
	begun  bool

	packets [][]byte // complete ones of the page at hand
	part    []byte   // the beginning of one that continues on the next page
	open    bool     // part is in use
	last    bool     // the page at hand is the stream's last
	at      int64    // where the page at hand began

	ts time.Duration
}

func openOgg(c *cursor) (media.Codec, demuxer, error) {
	d := &ogg{c: c}
	head, err := d.packet()
	if err == nil {
		err = checkOpusHead(head)
	}
	if err == nil {
		head, err = d.packet()
	}
	switch {
	case errors.Is(err, io.EOF):
		return "", nil, c.cut(0, 1)
	case err != nil:
		return "", nil, err
	case !bytes.HasPrefix(head, []byte("OpusTags")):
		return "", nil, fmt.Errorf("%w: no OpusTags after OpusHead", ErrMalformed)
	}
	return media.Opus, d, nil
}

func checkOpusHead(b []byte) error {
	switch {
	case len(b) < 19 || b[8]&0xf0 != 0:
		return fmt.Errorf("%w: OpusHead of %d bytes", ErrMalformed, len(b))
	case b[18] != 0 || b[9] < 1 || b[9] > 2:
		return fail(fmt.Errorf("%w: Opus with %d channels", ErrUnsupported, b[9]), opusConvert)
	}
	return nil
}

func (d *ogg) next() (media.Sample, error) {
	b, err := d.packet()
	for err == nil && len(b) == 0 {
		b, err = d.packet()
	}
	if err != nil {
		return media.Sample{}, err
	}
	dur, err := bitstream.OpusDuration(b)
	if err != nil {
		return media.Sample{}, &Error{Offset: d.at, Err: err}
	}
	s := media.Sample{Codec: media.Opus, Data: b, Timestamp: d.ts, Duration: dur, Keyframe: true}
	d.ts += dur
	return s, nil
}

// packet returns the stream's next packet.
func (d *ogg) packet() ([]byte, error) {
	for len(d.packets) == 0 {
		if d.last {
			return nil, io.EOF
		}
		if err := d.page(); err != nil {
			if errors.Is(err, io.EOF) && d.open {
				err = d.c.cut(0, 1)
			}
			return nil, err
		}
	}
	p := d.packets[0]
	d.packets = d.packets[1:]
	return p, nil
}

// page reads one page and cuts it into packets.
func (d *ogg) page() error {
	d.at = d.c.off
	h, err := d.c.full(27)
	if err != nil {
		return err
	}
	if string(h[:4]) != "OggS" || h[4] != 0 {
		return &Error{Offset: d.at, Err: fmt.Errorf("%w: no Ogg page", ErrMalformed), Hint: "remux it with: ffmpeg -i FILE -c copy OUT.ogg"}
	}
	lacing, err := d.c.rest(int(h[26]))
	if err != nil {
		return err
	}
	size := 0
	for _, n := range lacing {
		size += int(n)
	}
	body, err := d.c.rest(size)
	if err != nil {
		return err
	}
	want := binary.LittleEndian.Uint32(h[22:])
	clear(h[22:26])
	if oggCRC(oggCRC(oggCRC(0, h), lacing), body) != want {
		return &Error{Offset: d.at, Err: fmt.Errorf("%w: Ogg page with wrong checksum", ErrMalformed), Hint: "the file is damaged; copy it again"}
	}
	serial := binary.LittleEndian.Uint32(h[14:])
	if !d.begun {
		if h[5]&oggFirst == 0 {
			return fail(fmt.Errorf("%w: Ogg without Opus", ErrUnsupported), opusConvert)
		}
		if !bytes.HasPrefix(body, []byte("OpusHead")) {
			return nil
		}
		d.begun, d.serial = true, serial
	}
	if serial != d.serial {
		return nil
	}
	d.last = h[5]&oggLast != 0
	return d.cut(lacing, body, h[5]&oggContinued != 0)
}

func (d *ogg) cut(lacing, body []byte, continued bool) error {
	if continued != d.open {
		return &Error{Offset: d.at, Err: fmt.Errorf("%w: part of an Ogg packet is missing", ErrMalformed), Hint: "the file is damaged; copy it again"}
	}
	for _, n := range lacing {
		d.part = append(d.part, body[:n]...)
		body = body[n:]
		d.open = n == 255
		if !d.open {
			d.packets = append(d.packets, d.part)
			d.part = nil
		}
		if len(d.part) > maxPacket {
			return &Error{Offset: d.at, Err: fmt.Errorf("%w: Opus packet above %d bytes", ErrMalformed, maxPacket)}
		}
	}
	return nil
}

// oggTable is the table of Ogg's checksum: polynomial 0x04c11db7, most
// significant bit first, which hash/crc32 does not offer.
var oggTable = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			c = c<<1 ^ (c >> 31 * 0x04c11db7)
		}
		t[i] = c
	}
	return t
}()

func oggCRC(c uint32, b []byte) uint32 {
	for _, x := range b {
		c = c<<8 ^ oggTable[byte(c>>24)^x]
	}
	return c
}
