package v4l2

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
)

func TestFormatNames(t *testing.T) {
	require.Equal(t, Format("YUYV"), formatOf(0x56595559))
	require.Equal(t, Format("Y16"), formatOf(codeOfTest("Y16 ")))
	require.Equal(t, Format("Y16-BE"), formatOf(codeOfTest("Y16 ")|1<<31))
	require.Equal(t, Format("????"), formatOf(0x01ff0102&^(1<<31)))
	for _, tc := range []struct {
		have, want Format
		ok         bool
	}{
		{"YUYV", "", true},
		{"YUYV", "YUYV", true},
		{"YUYV", "yuyv", true},
		{"YV12", Format(media.I420), true},
		{"MJPG", Format(media.MJPEG), true},
		{"JPEG", "mjpeg", true},
		{"H264", Format(media.H264), true},
		{"HEVC", "H265", true},
		{"GREY", "gray", true},
		{"XR24", "BGRA", true},
		{"YUYV", "NV12", false},
		{"JUNK", "YUYV", false},
		{"H264", "H265", false},
	} {
		require.Equal(t, tc.ok, tc.have.matches(tc.want), "%+v", tc)
	}
	_, ok := Format("H264").Pixels()
	require.False(t, ok)
	_, ok = Format("YUYV").Codec()
	require.False(t, ok)
	codec, ok := Format("H264").Codec()
	require.True(t, ok)
	require.Equal(t, media.H264, codec)
}

func codeOfTest(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func TestIntervals(t *testing.T) {
	for rate, want := range map[float64]fract{
		30: {1, 30}, 25: {1, 25}, 12.5: {1000, 12500}, 29.97: {1001, 30000}, 59.94: {1001, 60000},
		23.976: {1001, 24000}, 0.5: {1000, 500}, 0: {}, -1: {}, math.Inf(1): {1, 1000000},
	} {
		require.Equal(t, want, intervalOf(rate), "%v", rate)
	}
	require.Zero(t, intervalOf(math.NaN()))
	require.Zero(t, rateOf(fract{0, 30}))
	require.Zero(t, rateOf(fract{1, 0}))
	require.True(t, sameRate(30, 29.97))
	require.False(t, sameRate(30, 29))
	require.False(t, sameRate(25, 24))
}

func TestStepwiseSizes(t *testing.T) {
	q := sizeEnum{typ: 3, values: [6]uint32{32, 1920, 16, 32, 1080, 2}}
	r, ok := sizeRange(&q)
	require.True(t, ok)
	require.Equal(t, "32x32–1920x1080", r.String())
	for want, got := range map[Size]Size{
		{640, 480}: {640, 480}, {641, 481}: {640, 482}, {1, 1}: {32, 32}, {5000, 5000}: {1920, 1080},
		{1919, 1079}: {1920, 1080},
	} {
		require.Equal(t, got, r.nearest(want), "%v", want)
	}
	for _, bad := range []sizeEnum{
		{typ: 1},
		{typ: 1, values: [6]uint32{640}},
		{typ: 1, values: [6]uint32{1 << 31, 1}},
		{typ: 3, values: [6]uint32{640, 320, 1, 1, 1, 1}},
		{typ: 3},
	} {
		_, ok := sizeRange(&bad)
		require.False(t, ok, "%+v", bad)
	}
	// Steps of zero and sizes without end.
	r, ok = sizeRange(&sizeEnum{typ: 2, values: [6]uint32{0, math.MaxUint32 >> 1, 0, 0, math.MaxUint32, 0}})
	require.False(t, ok && r.Max.Width > maxSide)
}

func TestStepwiseRates(t *testing.T) {
	r, ok := rateRange(&intervalEnum{typ: 3, values: [3]fract{{1, 60}, {1, 5}, {1, 60}}})
	require.True(t, ok)
	require.Equal(t, "5–60", r.String())
	rate, interval := r.nearest(100)
	require.Equal(t, 60.0, rate)
	require.Equal(t, fract{1, 60}, interval)
	for _, bad := range [][3]fract{{}, {{1, 5}, {1, 60}}, {{1, 60}, {0, 0}}} {
		_, ok := rateRange(&intervalEnum{typ: 3, values: bad})
		require.False(t, ok, "%+v", bad)
	}
}

func TestPlansOfMemory(t *testing.T) {
	size := Size{6, 4}
	for name, tc := range map[string]struct {
		format Format
		g      granted
		want   []part
	}{
		"packed":        {"YUYV", granted{size, []int{16}, []int{64}}, []part{{0, 0, 16, 64}}},
		"no stride":     {"YUYV", granted{size, []int{0}, []int{48}}, []part{{0, 0, 12, 48}}},
		"last row":      {"YUYV", granted{size, []int{16}, []int{60}}, []part{{0, 0, 16, 64}}},
		"semi-planar":   {"NV12", granted{size, []int{8}, []int{48}}, []part{{0, 0, 8, 32}, {0, 32, 8, 16}}},
		"planar":        {"YU12", granted{size, []int{8}, []int{48}}, []part{{0, 0, 8, 32}, {0, 32, 4, 8}, {0, 40, 4, 8}}},
		"swapped":       {"YV12", granted{size, []int{8}, []int{48}}, []part{{0, 0, 8, 32}, {0, 40, 4, 8}, {0, 32, 4, 8}}},
		"memory planes": {"NM12", granted{size, []int{8, 16}, []int{32, 32}}, []part{{0, 0, 8, 32}, {1, 0, 16, 32}}},
		"odd size":      {"YU12", granted{Size{5, 3}, []int{6}, []int{30}}, []part{{0, 0, 6, 18}, {0, 18, 3, 6}, {0, 24, 3, 6}}},
	} {
		l, err := plan(tc.format, tc.g)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, l.parts, name)
	}
	for name, tc := range map[string]struct {
		format Format
		g      granted
	}{
		"no size":              {"YUYV", granted{Size{}, []int{16}, []int{64}}},
		"too large":            {"YUYV", granted{Size{1 << 20, 1}, []int{16}, []int{64}}},
		"no planes":            {"YUYV", granted{size, nil, nil}},
		"planes too many":      {"YUYV", granted{size, []int{16, 16}, []int{64, 64}}},
		"stride small":         {"YUYV", granted{size, []int{11}, []int{64}}},
		"stride of the second": {"NM12", granted{size, []int{8, 5}, []int{32, 32}}},
		"image small":          {"NV12", granted{size, []int{8}, []int{45}}},
		"empty":                {"MJPG", granted{size, []int{0}, []int{0}}},
		"compressed planes":    {"H264", granted{size, []int{0, 0}, []int{64, 64}}},
	} {
		_, err := plan(tc.format, tc.g)
		require.Error(t, err, name)
	}
}

func TestJPEGWithoutTables(t *testing.T) {
	img := image.NewYCbCr(image.Rect(0, 0, 64, 48), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = byte(i)
	}
	var whole bytes.Buffer
	require.NoError(t, jpeg.Encode(&whole, img, nil))
	tables := huffmanTables()
	require.Len(t, tables, 420, "all four of the standard")
	bare := bytes.Replace(whole.Bytes(), tables, nil, 1)
	require.Less(t, len(bare), whole.Len())
	_, err := jpeg.Decode(bytes.NewReader(bare))
	require.Error(t, err, "what cameras send")

	got := appendJPEG(nil, bare)
	picture, err := jpeg.Decode(bytes.NewReader(got))
	require.NoError(t, err)
	require.Equal(t, image.Pt(64, 48), picture.Bounds().Size())
	require.Equal(t, whole.Bytes(), appendJPEG(nil, whole.Bytes()), "left alone")
	for _, odd := range [][]byte{nil, {0xff, 0xd8}, {0xff, 0xd8, 0xff, 0xff, 0xff}, {0xff, 0xd8, 1, 2, 3, 4}} {
		require.Equal(t, odd, appendJPEG(nil, odd))
	}
}
