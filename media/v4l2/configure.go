package v4l2

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"
)

// configure sets a choice and finds out what the driver made of it.
func (s *stream) configure(d *Device, c choice, o *Options) error {
	g, err := s.setFormat(d, c)
	if err != nil {
		if errors.Is(err, syscall.EINVAL) {
			return unsatisfiable(d, o, "the driver refuses")
		}
		return errorOf("set the format of", d.Path, err)
	}
	if g.code != c.info.code {
		return unsatisfiable(d, o, fmt.Sprintf("the driver grants %s", formatOf(g.code)))
	}
	if !o.sizeFits(g.size) {
		return unsatisfiable(d, o, fmt.Sprintf("the driver grants %v", g.size))
	}
	if s.layout, err = plan(c.info.Format, g.granted); err != nil {
		return broken("set the format of", d.Path, "the driver tells of %v", err)
	}
	s.memoryPlanes = len(g.strides)
	rate, err := s.setRate(c.interval)
	if err != nil {
		return errorOf("set the frame rate of", d.Path, err)
	}
	if !o.rateFits(rate) {
		return unsatisfiable(d, o, "the driver grants "+formatRate(rate)+" pictures a second")
	}
	s.config = Config{Format: c.info.Format, Width: g.size.Width, Height: g.size.Height, FrameRate: rate}
	if len(s.layout.parts) > 0 {
		s.config.Stride = s.layout.parts[0].stride
	}
	return nil
}

type grantedFormat struct {
	granted
	code uint32
}

func (s *stream) setFormat(d *Device, c choice) (grantedFormat, error) {
	f := format{typ: s.typ}
	width, height := uint32(c.size.Width), uint32(c.size.Height)
	if !d.mplane {
		p := f.pix()
		*p = pixFormat{width: width, height: height, pixelFormat: c.info.code, field: fieldNone}
		if err := s.n.ioctl(vidiocSFmt, unsafe.Pointer(&f)); err != nil {
			return grantedFormat{}, err
		}
		return grantedFormat{granted{
			size:    Size{bounded(p.width), bounded(p.height)},
			strides: []int{bounded(p.bytesPerLine)},
			images:  []int{bounded(p.sizeImage)},
		}, p.pixelFormat}, nil
	}
	p := f.pixMplane()
	*p = pixFormatMplane{width: width, height: height, pixelFormat: c.info.code, field: fieldNone}
	if err := s.n.ioctl(vidiocSFmt, unsafe.Pointer(&f)); err != nil {
		return grantedFormat{}, err
	}
	g := grantedFormat{granted{size: Size{bounded(p.width), bounded(p.height)}}, p.pixelFormat}
	for _, m := range p.planes[:min(p.numPlanes, maxPlanes)] {
		g.strides = append(g.strides, bounded(m.bytesPerLine))
		g.images = append(g.images, bounded(m.sizeImage))
	}
	return g, nil
}

// bounded makes a number of the driver's fit an int of 32 bits.
func bounded(n uint32) int { return int(min(n, 1<<30)) }

// setRate asks for an interval between pictures and returns the rate granted,
// zero when the driver does not tell.
func (s *stream) setRate(want fract) (float64, error) {
	p := streamParm{typ: s.typ}
	if err := s.n.ioctl(vidiocGParm, unsafe.Pointer(&p)); err != nil {
		if errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.EINVAL) {
			return 0, nil
		}
		return 0, err
	}
	if p.capability&capTimePerFrame == 0 || want.denominator == 0 {
		return rateOf(p.timePerFrame), nil
	}
	p = streamParm{typ: s.typ, timePerFrame: want}
	if err := s.n.ioctl(vidiocSParm, unsafe.Pointer(&p)); err != nil {
		return 0, err
	}
	return rateOf(p.timePerFrame), nil
}
