package v4l2

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Options say how a camera is opened. What is zero is the camera's choice:
// the size closest to 640x480, the rate closest to 30, and the format that
// costs least to convert.
type Options struct {
	// Width and Height are the picture's size in pixels.
	Width, Height int
	// FrameRate is in pictures a second. Rates that differ by less than half
	// a percent are the same: 29.97 is 30.
	FrameRate float64
	// Format is a format that the camera lists, or the name of a pixel format
	// or codec. It is always kept to.
	Format Format
	// Nearest accepts the size and rate closest to those asked for. Without
	// it they are exact, or [ErrUnsatisfiable]. [Camera.Config] tells what
	// was granted.
	Nearest bool

	// Buffers is how many pictures the driver may hold: 4 to 32, 4 by
	// default, 8 for encoded video, of which none is to be lost.
	Buffers int
	// Bitrate is what a camera that encodes aims for, in bits a second, where
	// it can be told.
	Bitrate int

	// Reopen makes the camera wait when it is unplugged or fails, and go on
	// when it is back: the same camera by [Device.ID], with the same format.
	// Without it an error ends the reading.
	Reopen bool
	// StallTimeout is for how long a camera may give no picture. Then reading
	// fails with [ErrStalled], and can be tried again; with Reopen, the
	// camera is started anew instead. The default is 10 seconds with Reopen
	// and no limit without; negative is no limit.
	StallTimeout time.Duration
}

func (o *Options) check(device string) error {
	var wrong string
	switch {
	case o.Width < 0 || o.Height < 0 || o.Width > maxSide || o.Height > maxSide:
		wrong = fmt.Sprintf("size %dx%d", o.Width, o.Height)
	case !(o.FrameRate >= 0) || o.FrameRate > 1e6:
		wrong = fmt.Sprintf("frame rate %v", o.FrameRate)
	case o.Buffers < 0 || o.Buffers > maxBuffers:
		wrong = fmt.Sprintf("%d buffers", o.Buffers)
	case o.Bitrate < 0:
		wrong = fmt.Sprintf("bitrate %d", o.Bitrate)
	default:
		return nil
	}
	return &Error{Op: "open", Device: device, Err: ErrUnsatisfiable, Detail: wrong}
}

func (o *Options) stallTimeout() time.Duration {
	if o.StallTimeout == 0 && o.Reopen {
		return 10 * time.Second
	}
	return max(o.StallTimeout, 0)
}

func (o *Options) size() Size {
	s := Size{o.Width, o.Height}
	switch {
	case s.Width == 0 && s.Height == 0:
		return Size{640, 480}
	case s.Width == 0:
		s.Width = s.Height * 4 / 3
	case s.Height == 0:
		s.Height = s.Width * 3 / 4
	}
	return s
}

func (o *Options) sizeFits(s Size) bool {
	return o.Nearest || (o.Width == 0 || o.Width == s.Width) && (o.Height == 0 || o.Height == s.Height)
}

func (o *Options) rateFits(rate float64) bool {
	return o.Nearest || o.FrameRate == 0 || sameRate(rate, o.FrameRate)
}

// choice is what a camera is asked for.
type choice struct {
	info     FormatInfo
	size     Size
	interval fract // zero to leave it alone

	// How far it is from what is wanted, what weighs most first.
	offSize, offRate float64
	order            int
}

// choose finds what of the camera's formats fits the options best.
func choose(n node, d *Device, o *Options) (choice, error) {
	var fits []choice
	e := enumerator{n: n}
	for _, info := range d.Formats {
		order := slices.IndexFunc(formats, func(k known) bool { return k.format == info.Format })
		if order < 0 || !info.Format.matches(o.Format) {
			continue
		}
		for _, c := range e.choices(info, o) {
			c.order = order
			fits = append(fits, c)
		}
	}
	if len(fits) == 0 {
		return choice{}, unsatisfiable(d, o, "")
	}
	return slices.MinFunc(fits, func(a, b choice) int {
		return cmp.Or(cmp.Compare(a.offSize, b.offSize), cmp.Compare(a.offRate, b.offRate), cmp.Compare(a.order, b.order))
	}), nil
}

// choices returns what of a format fits.
func (e *enumerator) choices(info FormatInfo, o *Options) []choice {
	want := o.size()
	if len(info.Sizes) == 0 { // only trying will tell
		return []choice{{info: info, size: want, interval: intervalOf(o.FrameRate)}}
	}
	var out []choice
	for _, r := range info.Sizes {
		c := choice{info: info, size: r.nearest(want)}
		if !o.sizeFits(c.size) {
			continue
		}
		c.offSize = apart(float64(c.size.Width), float64(want.Width)) + apart(float64(c.size.Height), float64(want.Height))
		rates := r.Rates
		if c.size != r.Max {
			rates = e.rates(info.code, c.size)
		}
		if c.rate(rates, o) {
			out = append(out, c)
		}
	}
	return out
}

// rate sets the interval to the best of the rates. It reports whether any fits.
func (c *choice) rate(rates []RateRange, o *Options) bool {
	if len(rates) == 0 {
		c.interval = intervalOf(o.FrameRate)
		return true
	}
	want := o.FrameRate
	if want == 0 {
		want = 30
	}
	found := false
	for _, r := range rates {
		rate, interval := r.nearest(want)
		if !o.rateFits(rate) {
			continue
		}
		off := apart(rate, want)
		if sameRate(rate, want) || o.FrameRate == 0 && rate >= 24 && rate <= want {
			off = 0 // good enough not to take a worse format for
		}
		if !found || off < c.offRate || off == c.offRate && apart(rate, want) < apart(rateOf(c.interval), want) {
			c.offRate, c.interval, found = off, interval, true
		}
	}
	return found
}

// apart is by what factor two numbers differ, less one.
func apart(a, b float64) float64 {
	low, high := min(a, b), max(a, b)
	if low <= 0 {
		return high
	}
	return high/low - 1
}

func unsatisfiable(d *Device, o *Options, detail string) *Error {
	asked := ""
	if o.Format != "" {
		asked += " " + string(o.Format)
	}
	if o.Width != 0 || o.Height != 0 {
		asked += " " + Size{o.Width, o.Height}.String()
	}
	if o.FrameRate != 0 {
		asked += "@" + formatRate(o.FrameRate)
	}
	if asked != "" && detail != "" {
		detail = ", " + detail
	}
	if asked != "" {
		detail = "asked for" + asked + detail
	}
	e := &Error{Op: "open", Device: d.Path, Err: ErrUnsatisfiable, Detail: detail}
	for _, f := range d.Formats {
		if f.Format.known().format != "" {
			e.Formats = append(e.Formats, f)
		}
	}
	if len(e.Formats) == 0 {
		e.Formats = d.Formats
	}
	return e
}

// Config is what a camera granted.
type Config struct {
	Format        Format
	Width, Height int
	// FrameRate is zero when the driver does not tell.
	FrameRate float64
	// Stride is the bytes from one row of the first plane to the next, zero
	// where pictures are compressed.
	Stride int
	// Buffers is how many pictures the driver holds at most.
	Buffers int
}
