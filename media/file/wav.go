package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/internal/g711"
)

const (
	wavPCM        = 1
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe
)

const (
	g711Rate   = 8000
	g711Packet = 160 // 20 ms
)

const wavConvert = "convert it with: ffmpeg -i FILE -ar 8000 -ac 1 -c:a pcm_mulaw OUT.wav, or to Opus with: ffmpeg -i FILE -c:a libopus OUT.ogg"

// wav reads G.711 from WAV, 20 ms at a time. 16 bit PCM at 8 kHz becomes PCMU.
type wav struct {
	c     *cursor
	codec media.Codec
	width int   // bytes per audio sample
	left  int64 // of the data chunk; negative: up to the end
	n     int64 // audio samples returned
}

func openWAV(c *cursor) (media.Codec, demuxer, error) {
	h, err := c.rest(12)
	if err != nil {
		return "", nil, err
	}
	if string(h[8:]) != "WAVE" {
		return "", nil, fail(fmt.Errorf("%w: RIFF with %q", ErrUnsupported, h[8:]), wavConvert)
	}
	d := &wav{c: c}
	for range 64 {
		h, err := c.rest(8)
		if err != nil {
			return "", nil, err
		}
		size := int64(binary.LittleEndian.Uint32(h[4:]))
		switch string(h[:4]) {
		case "fmt ":
			if size > 4096 {
				return "", nil, fmt.Errorf("%w: WAV format of %d bytes", ErrMalformed, size)
			}
			b, err := c.rest(int(size + size&1))
			if err == nil {
				err = d.format(b)
			}
			if err != nil {
				return "", nil, err
			}
		case "data":
			if d.codec == "" {
				return "", nil, fmt.Errorf("%w: WAV data before its format", ErrMalformed)
			}
			d.left = size
			if size == 0 || size == 0xffffffff { // written by a pipe
				d.left = -1
			}
			return d.codec, d, nil
		default:
			if err := c.discard(size + size&1); err != nil {
				return "", nil, err
			}
		}
	}
	return "", nil, fmt.Errorf("%w: WAV without data", ErrMalformed)
}

func (d *wav) format(b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("%w: WAV format of %d bytes", ErrMalformed, len(b))
	}
	tag := binary.LittleEndian.Uint16(b)
	if tag == wavExtensible && len(b) >= 26 {
		tag = binary.LittleEndian.Uint16(b[24:])
	}
	channels := binary.LittleEndian.Uint16(b[2:])
	rate := binary.LittleEndian.Uint32(b[4:])
	depth := binary.LittleEndian.Uint16(b[14:])
	switch {
	case tag == wavMuLaw && depth == 8:
		d.codec = media.PCMU
	case tag == wavALaw && depth == 8:
		d.codec = media.PCMA
	case tag == wavPCM && depth == 16:
		d.codec = media.PCMU
	default:
		return fail(fmt.Errorf("%w: WAV format %d with %d bits", ErrUnsupported, tag, depth), wavConvert)
	}
	if channels != 1 || rate != g711Rate {
		return fail(fmt.Errorf("%w: WAV with %d channels at %d Hz", ErrUnsupported, channels, rate), wavConvert)
	}
	d.width = int(depth / 8)
	return nil
}

func (d *wav) next() (media.Sample, error) {
	want := int64(g711Packet * d.width)
	if d.left >= 0 {
		want = min(want, d.left-d.left%int64(d.width))
	}
	if want == 0 {
		return media.Sample{}, io.EOF
	}
	b, err := d.c.full(int(want))
	switch {
	case errors.Is(err, io.EOF) && d.left >= 0:
		return media.Sample{}, d.c.cut(0, int(d.left))
	case err != nil:
		return media.Sample{}, err
	}
	if d.left >= 0 {
		d.left -= want
	}
	if d.width == 2 {
		b = g711.MuLaw(b)
	}
	s := media.Sample{
		Codec:     d.codec,
		Data:      b,
		Timestamp: time.Duration(d.n) * time.Second / g711Rate,
		Duration:  time.Duration(len(b)) * time.Second / g711Rate,
		Keyframe:  true,
	}
	d.n += int64(len(b))
	return s, nil
}
