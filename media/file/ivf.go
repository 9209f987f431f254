package file

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
)

const (
	ivfHeader      = 32
	ivfFrameHeader = 12
)

// ivf reads the IVF container: a header, then frames with size and time.
type ivf struct {
	c     *cursor
	codec media.Codec
	// A tick lasts num/den seconds.
	num, den uint64

	first    uint64
	ahead    *media.Sample // read to learn how long the one before lasts
	aheadErr error
	frameDur time.Duration
	started  bool
}

func openIVF(c *cursor) (media.Codec, demuxer, error) {
	h, err := c.rest(ivfHeader)
	if err != nil {
		return "", nil, err
	}
	size := int(binary.LittleEndian.Uint16(h[6:]))
	if size < ivfHeader {
		return "", nil, fmt.Errorf("%w: IVF header of %d bytes", ErrMalformed, size)
	}
	if _, err := c.rest(size - ivfHeader); err != nil {
		return "", nil, err
	}
	d := &ivf{
		c:   c,
		den: uint64(binary.LittleEndian.Uint32(h[16:])),
		num: uint64(binary.LittleEndian.Uint32(h[20:])),
	}
	if d.num == 0 || d.den == 0 {
		return "", nil, &Error{
			Err:  fmt.Errorf("%w: IVF time base %d/%d", ErrMalformed, d.num, d.den),
			Hint: "remux it with: ffmpeg -r 30 -i FILE -c copy OUT.ivf",
		}
	}
	switch string(h[8:12]) {
	case "VP80":
		d.codec = media.VP8
	case "VP90":
		d.codec = media.VP9
	case "AV01":
		d.codec = media.AV1
	default:
		return "", nil, &Error{
			Err:  fmt.Errorf("%w: IVF with FourCC %q", ErrUnsupported, h[8:12]),
			Hint: "tracks carry VP80, VP90 and AV01; encode it with: ffmpeg -i FILE -c:v libvpx OUT.ivf",
		}
	}
	d.frameDur = d.ticks(1)
	if d.frameDur < 4*time.Millisecond || d.frameDur > time.Second {
		d.frameDur = time.Second / 30
	}
	return d.codec, d, nil
}

func (d *ivf) next() (media.Sample, error) {
	if !d.started {
		d.started = true
		d.ahead, d.aheadErr = d.read()
	}
	if d.ahead == nil {
		return media.Sample{}, d.aheadErr
	}
	s := *d.ahead
	d.ahead, d.aheadErr = d.read()
	if d.ahead != nil {
		if gap := d.ahead.Timestamp - s.Timestamp; gap > 0 && gap < maxGap {
			d.frameDur = gap
		}
	}
	s.Duration = d.frameDur
	return s, nil
}

// read reads one frame; empty ones, which stand for dropped frames, are skipped.
func (d *ivf) read() (*media.Sample, error) {
	for {
		at := d.c.off
		h, err := d.c.full(ivfFrameHeader)
		if err != nil {
			return nil, err
		}
		size := binary.LittleEndian.Uint32(h)
		if size > maxFrame {
			return nil, &Error{Offset: at, Err: fmt.Errorf("%w: frame of %d bytes", ErrMalformed, size)}
		}
		data, err := d.c.rest(int(size))
		if err != nil {
			return nil, err
		}
		s := &media.Sample{Codec: d.codec, Data: data}
		if err := describe(s); err != nil {
			return nil, &Error{Offset: at, Err: err}
		}
		if len(s.Data) == 0 {
			continue
		}
		pts := binary.LittleEndian.Uint64(h[4:])
		if d.first == 0 {
			d.first = pts + 1
		}
		if pts >= d.first-1 {
			s.Timestamp = d.ticks(pts - (d.first - 1))
		}
		return s, nil
	}
}

// ticks converts a time in the file's unit, saturating.
func (d *ivf) ticks(n uint64) time.Duration {
	const most = 1 << 62
	hi, lo := bits.Mul64(d.num, uint64(time.Second))
	if hi != 0 {
		return most
	}
	hi, lo = bits.Mul64(n, lo)
	if hi >= d.den {
		return most
	}
	q, _ := bits.Div64(hi, lo, d.den)
	return time.Duration(min(q, most))
}

// describe fills in what the frame itself says, and brings AV1 into the form
// that [media.Sample] promises.
func describe(s *media.Sample) (err error) {
	if len(s.Data) == 0 {
		return nil
	}
	var p bitstream.Picture
	switch s.Codec {
	case media.VP8:
		p, err = bitstream.ParseVP8(s.Data)
	case media.VP9:
		p, err = bitstream.ParseVP9(s.Data)
	case media.AV1:
		if s.Data, err = sizedOBUs(s.Data); err == nil {
			p, err = bitstream.ParseAV1(s.Data)
		}
	}
	if p.Keyframe {
		s.Keyframe, s.Width, s.Height = true, p.Width, p.Height
	}
	return err
}

// sizedOBUs gives each OBU a size field and leaves temporal delimiters out.
func sizedOBUs(unit []byte) ([]byte, error) {
	out := make([]byte, 0, len(unit)+8)
	for o, err := range bitstream.OBUs(unit) {
		if err != nil {
			return nil, err
		}
		if o.Type == bitstream.OBUTemporalDelimiter {
			continue
		}
		const hasSize = 2
		out = append(append(out, o.Header[0]|hasSize), o.Header[1:]...)
		out = append(bitstream.AppendLEB128(out, uint64(len(o.Payload))), o.Payload...)
	}
	return out, nil
}
