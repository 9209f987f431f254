package pipe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/internal/params"
)

const (
	// maxUnits bounds the NAL units of a picture.
	maxUnits = 4096
	// lookSize is how much of a NAL unit tells whether a picture begins.
	lookSize = 24
	// sniffSize is how far into a stream the first parameter set must be.
	sniffSize = 1 << 20
)

var startCode = []byte{0, 0, 1}

// annexB cuts a stream of NAL units into access units. It decides with the
// first bytes of a unit, so that a picture waits for the beginning of the next
// and not for its end.
type annexB struct {
	in    *input
	shape *shaper
	log   func(msg string, args ...any)
	flush time.Duration
	err   error

	buf     []byte
	used    int // how much of the front of buf was returned last
	begin   int // of the access unit at hand, -1: none
	scan    int // there are no start codes before, but those known
	nal     int // the newest NAL unit without start code, -1: none
	code    int // its start code
	looked  bool
	picture bool // the access unit at hand has a slice
	units   int
	skip    bool // what comes belongs to a unit that was cut
	cuts    int
	arrival time.Time

	pictures params.H264Pictures
	times    func(unit []byte, arrival time.Time) time.Duration
}

func openAnnexB(in *input, o *Options) (demuxer, error) {
	d := &annexB{in: in, flush: o.FlushAfter, begin: -1, nal: -1, log: o.Logger.Warn}
	codec := o.Codec
	if codec.Kind() == media.Audio {
		return nil, fmt.Errorf("%w: %s was asked for, the stream is H.264 or H.265", ErrCodec, codec)
	}
	for found := media.Codec(""); found == ""; {
		if found = sniffNALs(d.buf); found != "" {
			if codec != "" && codec != found {
				return nil, fmt.Errorf("%w: %s was asked for, the stream is %s", ErrCodec, codec, found)
			}
			codec = found
			break
		}
		if d.err != nil && !errors.Is(d.err, io.EOF) {
			return nil, d.err
		}
		if d.err != nil || len(d.buf) > sniffSize {
			return nil, fmt.Errorf("%w: start codes, but no parameter set of H.264 or H.265 in %d bytes", ErrUnknownFormat, len(d.buf))
		}
		d.fill(0)
	}
	d.shape = &shaper{codec: codec}
	smooth := newSmoother(o.FrameRate)
	d.times = func(_ []byte, arrival time.Time) time.Duration { return smooth.next(arrival) }
	if o.Paced {
		d.times = counted(codec, o.FrameRate)
	}
	return d, nil
}

// counted makes times by counting pictures at a frame rate: the one given, or
// that of the first picture's parameter sets, or else 30.
func counted(codec media.Codec, rate float64) func(unit []byte, _ time.Time) time.Duration {
	n := 0
	return func(unit []byte, _ time.Time) time.Duration {
		if rate == 0 {
			if rate = frameRate(codec, unit); rate == 0 {
				rate = 30
			}
		}
		n++
		return time.Duration(float64(n-1) / rate * float64(time.Second))
	}
}

func frameRate(codec media.Codec, unit []byte) float64 {
	for nal := range bitstream.NALs(unit) {
		if codec == media.H264 {
			if sps, err := params.ParseH264SPS(nal); err == nil {
				return sps.FrameRate
			}
		} else if sps, err := params.ParseH265SPS(nal); err == nil {
			return sps.FrameRate
		}
	}
	return 0
}

// sniffNALs tells the codec by the first parameter set. What is one to one
// codec is a reserved unit to the other.
func sniffNALs(head []byte) media.Codec {
	for nal := range bitstream.NALs(head) {
		if len(nal) < 4 {
			continue
		}
		switch {
		case nal[0]&0x60 != 0 && nal[0]&0x80 == 0 && bitstream.H264Type(nal) == bitstream.H264SPS:
			return media.H264
		case nal[1] == 1 && (nal[0] == bitstream.H265VPS<<1 || nal[0] == bitstream.H265SPS<<1):
			return media.H265
		}
	}
	return ""
}

func (d *annexB) tracks() []*shaper { return []*shaper{d.shape} }
func (d *annexB) close()            {}

func (d *annexB) next() (unit, error) {
	d.forget()
	for {
		end, err := d.boundary()
		if err != nil {
			return unit{}, err
		}
		if end >= 0 {
			return d.take(end), nil
		}
		if len(d.buf)-max(d.begin, 0) > maxFrame {
			return unit{}, fmt.Errorf("%w: picture above %d bytes", ErrMalformed, maxFrame)
		}
		if d.err != nil {
			if u, ok, err := d.rest(); ok || err != nil {
				return u, err
			}
			return unit{}, d.err
		}
		pause := time.Duration(0)
		if d.picture && d.nal < len(d.buf) {
			pause = d.flush
		}
		if d.fill(pause); errors.Is(d.err, errPause) {
			d.err = nil
			if u, ok, err := d.rest(); ok || err != nil {
				d.skip = d.begin < 0
				return u, err
			}
		}
	}
}

// rest returns what has come, as if no more did, when that holds a picture.
func (d *annexB) rest() (u unit, ok bool, err error) {
	if d.nal < 0 || d.err != nil && !errors.Is(d.err, io.EOF) {
		return u, false, nil
	}
	nal := bytes.TrimRight(d.buf[d.nal:], "\x00")
	if !d.looked {
		end, err := d.look(nal)
		if err != nil {
			return u, false, err
		}
		if end >= 0 {
			return d.take(end), true, nil
		}
	}
	if !d.picture {
		return u, false, nil
	}
	d.noteSets(nal)
	u = d.take(len(d.buf))
	d.begin, d.nal = -1, -1
	return u, true, nil
}

// take returns the access unit up to end, where the next begins.
func (d *annexB) take(end int) unit {
	data := d.buf[d.begin:end]
	u := unit{data: data, at: d.times(data, d.arrival), arrival: d.arrival}
	d.used, d.begin, d.units, d.picture = end, end, 1, false
	d.arrival = d.in.at
	return u
}

// forget drops from memory what was returned.
func (d *annexB) forget() {
	if d.used == 0 {
		return
	}
	d.buf = d.buf[:copy(d.buf, d.buf[d.used:])]
	d.scan = max(0, d.scan-d.used)
	for _, at := range []*int{&d.begin, &d.nal, &d.code} {
		*at = max(-1, *at-d.used)
	}
	d.used = 0
	if d.nal >= 0 && d.looked {
		d.picture = d.coded()
	}
}

// coded reports whether the newest unit, which begins an access unit, is a
// slice.
func (d *annexB) coded() bool {
	nal := d.buf[d.nal:]
	if d.shape.codec == media.H265 {
		return bitstream.H265Type(nal) < 32
	}
	t := bitstream.H264Type(nal)
	return t == 1 || t == 2 || t == bitstream.H264IDR
}

// boundary looks at what has come, and returns where the next access unit
// begins, or -1 when that has not come yet.
func (d *annexB) boundary() (int, error) {
	for {
		at := bytes.Index(d.buf[d.scan:], startCode)
		if at < 0 {
			d.scan = max(d.scan, len(d.buf)-len(startCode)+1)
			if d.nal >= 0 && !d.looked && len(d.buf)-d.nal >= lookSize {
				return d.look(d.buf[d.nal:])
			}
			return -1, nil
		}
		at += d.scan
		if d.nal >= 0 && !d.looked {
			end, err := d.look(bytes.TrimRight(d.buf[d.nal:at], "\x00"))
			if end >= 0 || err != nil {
				return end, err
			}
		}
		if d.nal >= 0 {
			d.noteSets(bytes.TrimRight(d.buf[d.nal:at], "\x00"))
		}
		if d.skip && len(bytes.Trim(d.buf[:at], "\x00")) > 0 {
			if d.cuts++; d.cuts == 1 {
				d.log("a picture was cut: FlushAfter is too short", "flushafter", d.flush)
			}
		}
		d.skip = false
		d.code = at
		if at > 0 && d.buf[at-1] == 0 {
			d.code = at - 1
		}
		if d.begin < 0 {
			d.begin, d.units, d.picture, d.arrival = d.code, 0, false, d.in.at
		}
		d.nal, d.looked = at+len(startCode), false
		d.scan = d.nal
	}
}

// look decides whether the newest unit begins an access unit, and returns its
// place if so. nal is its beginning.
func (d *annexB) look(nal []byte) (int, error) {
	d.looked = true
	if len(nal) == 0 {
		return -1, nil
	}
	if nal[0]&0x80 != 0 || d.shape.codec == media.H265 && len(nal) < 3 {
		return -1, fmt.Errorf("%w: no NAL unit behind a start code", ErrMalformed)
	}
	if d.units++; d.units > maxUnits {
		return -1, fmt.Errorf("%w: picture of more than %d units", ErrMalformed, maxUnits)
	}
	first, coded := d.first264(nal), d.coded()
	if d.shape.codec == media.H265 {
		first, coded = first265(nal)
	}
	if first && d.picture {
		return d.code, nil
	}
	d.picture = d.picture || coded
	return -1, nil
}

// first264 reports whether no unit of a picture before can follow (H.264
// 7.4.1.2.3).
func (d *annexB) first264(nal []byte) bool {
	if d.shape.codec != media.H264 {
		return false
	}
	switch bitstream.H264Type(nal) {
	case 1, 2, 5:
		return d.pictures.First(nal)
	case 6, 7, 8, 9, 14, 15, 16, 17, 18:
		return true
	}
	return false
}

// first265 is the same for H.265 (7.4.2.4.4).
func first265(nal []byte) (first, coded bool) {
	const prefixSEI = 39
	layered := nal[0]&1 != 0 || nal[1]&0xf8 != 0
	switch t := bitstream.H265Type(nal); {
	case layered:
		return false, t < 32
	case t < 32:
		return nal[2]&0x80 != 0, true
	default:
		return t <= 35 || t == prefixSEI || t >= 41 && t <= 44 || t >= 48 && t <= 55, false
	}
}

// noteSets keeps what telling pictures apart takes.
func (d *annexB) noteSets(nal []byte) {
	if len(nal) > 0 && d.shape.codec == media.H264 {
		d.pictures.Parameters(nal)
	}
}

// fill waits for more. The error stays.
func (d *annexB) fill(pause time.Duration) {
	const room = readSize
	if cap(d.buf)-len(d.buf) < room {
		d.buf = append(make([]byte, 0, 2*cap(d.buf)+room), d.buf...)
	}
	d.in.flush = pause
	n, err := d.in.Read(d.buf[len(d.buf) : len(d.buf)+room])
	d.in.flush = 0
	d.buf, d.err = d.buf[:len(d.buf)+n], err
}
