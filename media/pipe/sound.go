package pipe

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/internal/g711"
)

const (
	g711Rate   = 8000
	g711Packet = 160 // 20 ms
)

// filed reads what package file reads as fast.
type filed struct {
	in    *input
	shape *shaper
	pull  func() (media.Sample, error, bool)
	stop  func()
	first *media.Sample
}

func openFile(in *input) (demuxer, error) {
	d := &filed{in: in}
	d.pull, d.stop = iter.Pull2(file.Samples(in, nil))
	s, err := d.sample()
	if err != nil {
		d.stop()
		return nil, err
	}
	d.first, d.shape = &s, &shaper{codec: s.Codec}
	return d, nil
}

func (d *filed) tracks() []*shaper { return []*shaper{d.shape} }
func (d *filed) close()            { d.stop() }

func (d *filed) next() (unit, error) {
	var s media.Sample
	var err error
	if d.first != nil {
		s, d.first = *d.first, nil
	} else if s, err = d.sample(); err != nil {
		return unit{}, err
	}
	return unit{data: s.Data, at: s.Timestamp, arrival: d.in.at}, nil
}

func (d *filed) sample() (media.Sample, error) {
	s, err, ok := d.pull()
	if !ok {
		return s, io.EOF
	}
	// Its advice is for files.
	if e := (*file.Error)(nil); errors.As(err, &e) {
		err = e.Err
		if e.Offset > 0 {
			err = fmt.Errorf("at byte %d: %w", e.Offset, e.Err)
		}
	}
	return s, err
}

// raw reads sound without container: G.711, or samples that become it.
type raw struct {
	in    *input
	shape *shaper
	pcm   bool
	n     int64 // packets
	buf   []byte
}

func openRaw(in *input, format Format) demuxer {
	d := &raw{in: in, shape: &shaper{codec: media.PCMU}, pcm: format == PCM}
	if format == ALaw {
		d.shape.codec = media.PCMA
	}
	d.buf = make([]byte, g711Packet)
	if d.pcm {
		d.buf = make([]byte, 2*g711Packet)
	}
	return d
}

func (d *raw) tracks() []*shaper { return []*shaper{d.shape} }
func (d *raw) close()            {}

func (d *raw) next() (unit, error) {
	n, err := io.ReadFull(d.in, d.buf)
	if err != nil && (n == 0 || !errors.Is(err, io.ErrUnexpectedEOF)) {
		return unit{}, err
	}
	data := d.buf[:n] // the last may be shorter
	if d.pcm {
		data = g711.MuLaw(data)
	}
	if len(data) == 0 {
		return unit{}, io.EOF
	}
	u := unit{data: data, at: time.Duration(d.n) * g711Packet * time.Second / g711Rate, arrival: d.in.at}
	d.n++
	return u, nil
}
