package pipe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/parley-rtc/parley/media"
)

// ivf reads the IVF container: a header, then frames with size and time. Each
// is complete by itself, so none waits for the next.
type ivf struct {
	in       *input
	shape    *shaper
	num, den uint64 // a tick lasts num/den seconds
	head     [12]byte
	buf      []byte
}

func openIVF(in *input) (demuxer, error) {
	var h [32]byte
	if _, err := io.ReadFull(in, h[:]); err != nil {
		return nil, cut(err)
	}
	size := int(binary.LittleEndian.Uint16(h[6:]))
	if string(h[:4]) != "DKIF" || size < len(h) {
		return nil, fmt.Errorf("%w: IVF header of %d bytes", ErrMalformed, size)
	}
	if _, err := in.Discard(size - len(h)); err != nil {
		return nil, cut(err)
	}
	codec, ok := map[string]media.Codec{"VP80": media.VP8, "VP90": media.VP9, "AV01": media.AV1}[string(h[8:12])]
	if !ok {
		return nil, fmt.Errorf("%w: IVF with FourCC %q; tracks carry VP80, VP90 and AV01", ErrUnsupported, h[8:12])
	}
	d := &ivf{
		in: in, shape: &shaper{codec: codec},
		den: uint64(binary.LittleEndian.Uint32(h[16:])), num: uint64(binary.LittleEndian.Uint32(h[20:])),
	}
	if d.num == 0 || d.den == 0 {
		return nil, fmt.Errorf("%w: IVF time base %d/%d", ErrMalformed, d.num, d.den)
	}
	return d, nil
}

func (d *ivf) tracks() []*shaper { return []*shaper{d.shape} }
func (d *ivf) close()            {}

func (d *ivf) next() (unit, error) {
	for {
		h := d.head[:]
		if _, err := io.ReadFull(d.in, h); err != nil {
			return unit{}, err // io.EOF only between frames
		}
		arrival := d.in.at
		size := binary.LittleEndian.Uint32(h)
		if size > maxFrame {
			return unit{}, fmt.Errorf("%w: IVF frame of %d bytes", ErrMalformed, size)
		}
		var err error
		if d.buf, err = readAll(d.in, d.buf[:0], int(size)); err != nil {
			return unit{}, err
		}
		if size == 0 {
			continue // stands for one that was left out
		}
		at, ok := ticks(binary.LittleEndian.Uint64(h[4:]), d.num, d.den)
		if !ok {
			return unit{}, fmt.Errorf("%w: IVF time %d", ErrMalformed, binary.LittleEndian.Uint64(h[4:]))
		}
		return unit{data: d.buf, at: at, arrival: arrival}, nil
	}
}

// maxTime bounds the times of streams: a hundred years.
const maxTime = 100 * 365 * 24 * time.Hour

// ticks converts a time in units of num/den seconds.
func ticks(n, num, den uint64) (time.Duration, bool) {
	hi, lo := bits.Mul64(num, uint64(time.Second))
	if hi != 0 {
		return 0, false
	}
	if hi, lo = bits.Mul64(n, lo); hi >= den {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, den)
	return time.Duration(q), q < uint64(maxTime)
}

// readAll appends n bytes to buf, whose memory grows with what comes and not
// with what n claims.
func readAll(r io.Reader, buf []byte, n int) ([]byte, error) {
	const step = 256 << 10
	for len(buf) < n {
		at := len(buf)
		end := min(n, max(at+step, cap(buf)))
		if end > cap(buf) {
			buf = append(make([]byte, 0, min(n, max(end, 2*cap(buf)))), buf...)
		}
		buf = buf[:end]
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			return buf[:at], cut(err)
		}
	}
	return buf, nil
}

// cut makes an end in the middle of something an error.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
