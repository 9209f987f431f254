package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/internal/params"
)

const (
	// maxUnits bounds the NAL units of a picture.
	maxUnits = 4096
	// maxSets bounds the parameter sets kept for key frames without any.
	maxSets = 64
)

var startCode = []byte{0, 0, 0, 1}

// isAnnexB reports whether head begins with a start code.
func isAnnexB(head []byte) bool {
	zeros := len(head) - len(bytes.TrimLeft(head, "\x00"))
	return zeros == len(head) || zeros >= 2 && head[zeros] == 1
}

// annexB cuts a stream of NAL units into pictures with everything that belongs
// to them: access units. Key frames that come without parameter sets get the
// newest ones, so that a decoder can start with each of them.
//
// The stream has no times: pictures come one after the other at the frame
// rate, in the order of the file. Encode without B-frames.
type annexB struct {
	c     *cursor
	codec media.Codec
	fps   float64
	units int64 // access units returned

	begun   bool
	pending []byte // the unit that begins the next picture
	err     error  // after pending

	pictures params.H264Pictures
	sets     [][]byte
}

func openAnnexB(c *cursor, fps float64) (media.Codec, demuxer, error) {
	for size := 1 << 10; ; size *= 2 {
		head, err := c.br.Peek(min(size, peekSize))
		if codec := sniff(head); codec != "" {
			return codec, &annexB{c: c, codec: codec, fps: fps}, nil
		}
		if err != nil && err != io.EOF {
			return "", nil, err
		}
		if err == io.EOF || size >= peekSize {
			break
		}
	}
	return "", nil, &Error{
		Err:  fmt.Errorf("%w: start codes, but no parameter set of H.264 or H.265 near the start", ErrUnknownFormat),
		Hint: "write the stream again with: ffmpeg -i FILE -c copy -bsf:v dump_extra OUT.h264",
	}
}

// sniff tells the codec by the first parameter set. Their headers look
// different enough: what is one to one codec is a reserved unit to the other.
func sniff(head []byte) media.Codec {
	for nal := range bitstream.NALs(head) {
		if len(nal) < 4 {
			continue
		}
		switch {
		case nal[0]&0xe0 != 0 && nal[0]&0x80 == 0 && nal[0]&0x1f == bitstream.H264SPS:
			return media.H264
		case nal[1] == 1 && (nal[0] == bitstream.H265VPS<<1 || nal[0] == bitstream.H265SPS<<1):
			return media.H265
		}
	}
	return ""
}

func (d *annexB) next() (media.Sample, error) {
	if !d.begun {
		d.begun = true
		if _, d.err = d.unit(); d.err == nil { // zeros before the first start code
			d.pending, d.err = d.unit()
		}
	}
	var nals [][]byte
	size, picture := 0, false
	for len(d.pending) > 0 || d.err == nil {
		if nal := d.pending; len(nal) > 0 {
			first, coded, err := d.look(nal)
			if err != nil {
				return media.Sample{}, err
			}
			if first && picture {
				return d.sample(nals, size)
			}
			picture = picture || coded
			nals = append(nals, nal)
			if size += len(nal) + len(startCode); size > maxFrame || len(nals) > maxUnits {
				return media.Sample{}, fmt.Errorf("%w: picture of %d bytes in %d units", ErrMalformed, size, len(nals))
			}
		}
		d.pending = nil
		if d.err == nil {
			d.pending, d.err = d.unit()
		}
	}
	if errors.Is(d.err, io.EOF) && picture {
		return d.sample(nals, size)
	}
	return media.Sample{}, d.err
}

// look tells whether a unit is the first of a picture, if one came before, and
// whether it is a coded slice (H.264 7.4.1.2.3, H.265 7.4.2.4.4).
func (d *annexB) look(nal []byte) (first, coded bool, err error) {
	if nal[0]&0x80 != 0 || d.codec == media.H265 && len(nal) < 3 {
		return false, false, &Error{Offset: d.c.off, Err: fmt.Errorf("%w: no NAL unit", ErrMalformed)}
	}
	if d.codec == media.H265 {
		return lookH265(nal)
	}
	switch t := bitstream.H264Type(nal); t {
	case 1, 2, 5:
		return d.pictures.First(nal), true, nil
	case 6, 7, 8, 9, 14, 15, 16, 17, 18:
		d.pictures.Parameters(nal)
		return true, false, nil
	default:
		return false, false, nil
	}
}

func lookH265(nal []byte) (first, coded bool, err error) {
	const prefixSEI = 39
	layered := nal[0]&1 != 0 || nal[1]&0xf8 != 0
	switch t := bitstream.H265Type(nal); {
	case layered:
		return false, t < 32, nil
	case t < 32:
		return nal[2]&0x80 != 0, true, nil
	case t <= 35, t == prefixSEI, t >= 41 && t <= 44, t >= 48 && t <= 55:
		return true, false, nil
	default:
		return false, false, nil
	}
}

// unit returns what lies before the next start code and passes over that. The
// last one comes with io.EOF.
func (d *annexB) unit() ([]byte, error) {
	code := startCode[1:]
	var nal []byte
	for len(nal) <= maxFrame {
		_, err := d.c.br.Peek(len(code))
		if err != nil && err != io.EOF {
			return nil, err
		}
		chunk, _ := d.c.br.Peek(d.c.br.Buffered())
		at := bytes.Index(chunk, code)
		take, skip := at, len(code)
		switch {
		case at >= 0:
		case err == io.EOF:
			take, skip = len(chunk), 0
		default:
			take, skip = len(chunk)-len(code)+1, 0
		}
		nal = append(nal, chunk[:take]...)
		n, _ := d.c.br.Discard(take + skip)
		d.c.off += int64(n)
		switch {
		case at >= 0:
			return bytes.TrimRight(nal, "\x00"), nil
		case err == io.EOF:
			return bytes.TrimRight(nal, "\x00"), io.EOF
		}
	}
	return nil, fmt.Errorf("%w: NAL unit above %d bytes", ErrMalformed, maxFrame)
}

func (d *annexB) sample(nals [][]byte, size int) (media.Sample, error) {
	s := media.Sample{Codec: d.codec}
	nals = d.complete(nals, &s)
	s.Data = make([]byte, 0, size)
	for _, nal := range nals {
		s.Data = append(append(s.Data, startCode...), nal...)
	}
	if s.Keyframe {
		s.Width, s.Height, _ = media.Dimensions(d.codec, s.Data)
	}
	if d.fps == 0 {
		d.fps = 30
	}
	s.Timestamp = d.time(d.units)
	d.units++
	s.Duration = d.time(d.units) - s.Timestamp
	return s, nil
}

func (d *annexB) time(n int64) time.Duration {
	return time.Duration(float64(n) / d.fps * float64(time.Second))
}

// complete finds out what the picture is, keeps its parameter sets, and adds
// the kept ones to a key frame that has none.
func (d *annexB) complete(nals [][]byte, s *media.Sample) [][]byte {
	var own bool
	for _, nal := range nals {
		sequence, set, key := d.kind(nal)
		s.Keyframe = s.Keyframe || key
		if !set {
			continue
		}
		if sequence && !own {
			own = true
			d.sets = nil
		}
		if len(d.sets) < maxSets {
			d.sets = append(d.sets, nal)
		}
	}
	if !s.Keyframe || own {
		return nals
	}
	at := 0
	if d.delimiter(nals[0]) {
		at = 1
	}
	return slices.Insert(nals, at, d.sets...)
}

// kind tells whether a unit opens a group of parameter sets, is one, or starts
// decoding. The first sequence parameter set brings the frame rate.
func (d *annexB) kind(nal []byte) (sequence, set, key bool) {
	if d.codec == media.H264 {
		switch bitstream.H264Type(nal) {
		case bitstream.H264SPS:
			if sps, err := params.ParseH264SPS(nal); err == nil && d.fps == 0 {
				d.fps = sps.FrameRate
			}
			return true, true, false
		case bitstream.H264PPS:
			return false, true, false
		case bitstream.H264IDR:
			return false, false, true
		}
		return false, false, false
	}
	switch bitstream.H265Type(nal) {
	case bitstream.H265SPS:
		if sps, err := params.ParseH265SPS(nal); err == nil && d.fps == 0 {
			d.fps = sps.FrameRate
		}
		return false, true, false
	case bitstream.H265VPS:
		return true, true, false
	case bitstream.H265PPS:
		return false, true, false
	}
	return false, false, bitstream.H265IRAP(nal)
}

func (d *annexB) delimiter(nal []byte) bool {
	if d.codec == media.H264 {
		return bitstream.H264Type(nal) == bitstream.H264AUD
	}
	return bitstream.H265Type(nal) == bitstream.H265AUD
}
