package v4l2

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-rtc/parley/media"
)

// Format is a picture's format: four characters as V4L2 lists them, such as
// "YUYV", "MJPG" or "H264". In [Options], the name of a [media.PixelFormat] or
// [media.Codec] does as well and stands for all formats that give it: "I420"
// for YU12, YV12, YM12 and YM21.
type Format string

// known is a format that a camera can be read in.
type known struct {
	format Format
	pixels media.PixelFormat
	codec  media.Codec
	planes layoutFunc
}

// formats is in the order in which one is chosen where the program leaves the
// choice: what costs least to convert, then JPEG, then what lacks color, then
// what is encoded.
var formats = []known{
	{"YU12", media.I420, "", layoutPlanar(false)},
	{"YM12", media.I420, "", layoutPlanar(false)},
	{"YV12", media.I420, "", layoutPlanar(true)},
	{"YM21", media.I420, "", layoutPlanar(true)},
	{"NV12", media.NV12, "", layoutSemiPlanar},
	{"NM12", media.NV12, "", layoutSemiPlanar},
	{"NV21", media.NV21, "", layoutSemiPlanar},
	{"NM21", media.NV21, "", layoutSemiPlanar},
	{"YUYV", media.YUYV, "", layoutPacked(4, 2)},
	{"UYVY", media.UYVY, "", layoutPacked(4, 2)},
	{"XR24", media.BGRA, "", layoutPacked(4, 1)},
	{"AR24", media.BGRA, "", layoutPacked(4, 1)},
	{"BGR4", media.BGRA, "", layoutPacked(4, 1)},
	{"XB24", media.RGBA, "", layoutPacked(4, 1)},
	{"AB24", media.RGBA, "", layoutPacked(4, 1)},
	{"MJPG", media.MJPEG, "", nil},
	{"JPEG", media.MJPEG, "", nil},
	{"GREY", media.Gray, "", layoutPacked(1, 1)},
	{"H264", "", media.H264, nil},
	{"HEVC", "", media.H265, nil},
	{"VP80", "", media.VP8, nil},
	{"VP90", "", media.VP9, nil},
}

func (f Format) known() known {
	i := slices.IndexFunc(formats, func(k known) bool { return k.format == f })
	if i < 0 {
		return known{}
	}
	return formats[i]
}

// Pixels returns the pixel format in which a [Camera] gives pictures of the
// format. ok is false when it cannot be read as raw pictures or JPEG.
func (f Format) Pixels() (pixels media.PixelFormat, ok bool) {
	k := f.known()
	return k.pixels, k.pixels != ""
}

// Codec returns the codec in which [Camera.Source] gives samples of the format.
// ok is false when it is not encoded, or not for tracks.
func (f Format) Codec() (codec media.Codec, ok bool) {
	k := f.known()
	return k.codec, k.codec != ""
}

// matches reports whether f, as a camera lists it, is what want asks for.
func (f Format) matches(want Format) bool {
	if want == "" || strings.EqualFold(string(f), string(want)) {
		return true
	}
	k := f.known()
	return strings.EqualFold(string(k.pixels), string(want)) || strings.EqualFold(string(k.codec), string(want))
}

const bigEndian = 1 << 31

func formatOf(code uint32) Format {
	suffix := ""
	if code&bigEndian != 0 {
		suffix = "-BE"
		code &^= bigEndian
	}
	four := []byte{byte(code), byte(code >> 8), byte(code >> 16), byte(code >> 24)}
	for i, c := range four {
		if c < ' ' || c > '~' {
			four[i] = '?'
		}
	}
	return Format(strings.TrimRight(string(four), " ") + suffix)
}

// FormatInfo is a format that a camera has.
type FormatInfo struct {
	Format Format
	// Description is what the driver calls it.
	Description string
	// Sizes is empty when the driver does not tell.
	Sizes []SizeRange

	code uint32
}

func (f FormatInfo) String() string {
	if len(f.Sizes) == 0 {
		return string(f.Format)
	}
	sizes := make([]string, len(f.Sizes))
	for i, s := range f.Sizes {
		sizes[i] = s.String()
	}
	return string(f.Format) + " " + strings.Join(sizes, ", ")
}

// Size is a picture's size in pixels.
type Size struct{ Width, Height int }

func (s Size) String() string { return fmt.Sprintf("%dx%d", s.Width, s.Height) }

// SizeRange is the sizes from Min to Max in steps; a single one where Min and
// Max are the same.
type SizeRange struct {
	Min, Max Size
	// Step is how far apart widths and heights are.
	Step Size
	// Rates are the frame rates at Max, the highest first. It is empty when
	// the driver does not tell.
	Rates []RateRange
}

func (s SizeRange) String() string {
	out := s.Min.String()
	if s.Min != s.Max {
		out += "–" + s.Max.String()
	}
	if len(s.Rates) == 0 {
		return out
	}
	rates := make([]string, len(s.Rates))
	for i, r := range s.Rates {
		rates[i] = r.String()
	}
	return out + "@" + strings.Join(rates, "/")
}

// nearest returns the size of the range that is closest to want.
func (s SizeRange) nearest(want Size) Size {
	return Size{
		nearestStep(want.Width, s.Min.Width, s.Max.Width, s.Step.Width),
		nearestStep(want.Height, s.Min.Height, s.Max.Height, s.Step.Height),
	}
}

func nearestStep(want, low, high, step int) int {
	want = min(max(want, low), high)
	if step <= 1 {
		return want
	}
	want = low + (want-low+step/2)/step*step
	if want > high {
		want -= step
	}
	return want
}

// RateRange is the frame rates, in pictures a second, from Min to Max; a single
// one where they are the same.
type RateRange struct {
	Min, Max float64

	interval fract // of a single rate, as the driver has it
}

func (r RateRange) String() string {
	if r.Min == r.Max {
		return formatRate(r.Max)
	}
	return formatRate(r.Min) + "–" + formatRate(r.Max)
}

func formatRate(r float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.4g", r), ".0")
}

// nearest returns the rate of the range that is closest to want.
func (r RateRange) nearest(want float64) (float64, fract) {
	if r.Min == r.Max {
		return r.Max, r.interval
	}
	rate := min(max(want, r.Min), r.Max)
	return rate, intervalOf(rate)
}

// sameRate reports whether two rates are the same to a viewer: 29.97 is 30.
func sameRate(a, b float64) bool {
	return math.Abs(a-b) <= 0.005*max(a, b)
}

func rateOf(interval fract) float64 {
	if interval.numerator == 0 || interval.denominator == 0 {
		return 0
	}
	return float64(interval.denominator) / float64(interval.numerator)
}

// intervalOf returns a rate as an interval, with those of television exact.
func intervalOf(rate float64) fract {
	if !(rate > 0) {
		return fract{}
	}
	rate = min(max(rate, 1e-3), 1e6)
	if whole := math.Round(rate); whole >= 1 && math.Abs(rate-whole) < 1e-9 {
		return fract{1, uint32(whole)}
	}
	if whole := math.Round(rate * 1.001); math.Abs(rate-whole/1.001) < 0.005 && whole >= 1 {
		return fract{1001, uint32(whole * 1000)}
	}
	return fract{1000, uint32(math.Round(rate * 1000))}
}
