package bitstream_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/bitstream"
)

// header is one that an encoder wrote, with what ffprobe reads from it.
type header struct {
	name                 string
	data                 string
	width, height, level int
}

var h264Headers = []header{
	{"baseline-crop", "6742c028da01e0089f97011000000300100000030320f1832a", 1920, 1080, 40},
	{"gray", "6764000df365054678f8bc05b2000003000200000300641e28532c", 322, 182, 13},
	{"high-cqm", "6764001eacd940a02ff9b011000003000100000300320f162d96", 640, 358, 30},
	{"high-interlaced", "67640028acd94078044fde0220000003002000000643e2c5b2c0", 1920, 1080, 40},
	{"high10", "676e000da6cd941519e226c044000003000400000300c83c50a658", 322, 182, 13},
	{"high422", "677a000dbcd941519e2237011000000300100000030320f1429960", 322, 180, 13},
	{"high444", "67f4000c919b282833f1b808800000030080000019078a14cb", 320, 180, 12},
}

var h265Headers = []header{
	{"422", "4201010408000003009d0800000300003cb00a880c1c446e595952930bc05a020000030002000003003210", 322, 180, 60},
	{"444", "4201010408000003009e0800000300003c9001410183e372caca94985e02d0100000030010000003019080", 320, 180, 60},
	{"gray", "4201010408000003009fc800000300003cc02a203071f17965654a4c2f016c08000003000800000300c840", 322, 182, 60},
	{"layers", "42010201600000030090000003000003003c0000a00a880c1c44d965652b2a5261780b4040000003004000000642", 322, 182, 60},
	{"main-crop", "420101016000000300900000030000030078a003c0801107cb965654a4c2f0168080000003008000000c84", 1920, 1080, 120},
	{"main10", "42010102200000030090000003000003003ca00a880c1c44cd965654a4c2f0168080000003008000000c84", 322, 182, 60},
}

var av1Headers = []header{
	{"libaom", "000000043d06d4daf90040", 322, 182, 0},
	{"libaom 4:4:4", "200000043cfeccdaf902", 320, 180, 0},
	{"rav1e", "000000fa1e836a210a88101010a0", 322, 182, 31},
	{"still picture", "181db1f1b401", 200, 100, 0},
	{"svt", "00000042abbfc373efe401", 1920, 1080, 8},
}

var vp9Headers = []header{
	{"profile 0", "824983420077f043760638241c184a1806405f62ff9cff23", 1920, 1080, 0},
	{"profile 1", "a249834200027e0166c0c7048383094001e85fcdf7fbfcdf", 320, 180, 0},
	{"profile 1 rgb", "a2498342e013f00b360638241c184a0010105f11f7e1f89f", 320, 180, 0},
	{"profile 2", "92498342000a0805ab031c120e0c2c0005685f7fbfbfbbe1", 322, 182, 0},
	{"profile 3", "b124c1a100009f8059b031c120e0c2c00071005fc9f7dbfc", 320, 180, 0},
}

func TestHeadersOfEncoders(t *testing.T) {
	check := func(list []header, parse func([]byte) (w, h, level int, err error)) {
		t.Helper()
		for _, tc := range list {
			w, h, level, err := parse(unhex(t, tc.data))
			require.NoError(t, err, tc.name)
			require.Equal(t, tc, header{tc.name, tc.data, w, h, level})
		}
	}
	check(h264Headers, func(d []byte) (int, int, int, error) {
		s, err := bitstream.ParseH264SPS(d)
		return s.Width, s.Height, s.Level, err
	})
	check(h265Headers, func(d []byte) (int, int, int, error) {
		s, err := bitstream.ParseH265SPS(d)
		return s.Width, s.Height, s.Level, err
	})
	check(av1Headers, func(d []byte) (int, int, int, error) {
		s, err := bitstream.ParseAV1SequenceHeader(d)
		return s.Width, s.Height, s.Level, err
	})
	check(vp9Headers, func(d []byte) (int, int, int, error) {
		p, err := bitstream.ParseVP9(d)
		require.True(t, p.Keyframe)
		return p.Width, p.Height, 0, err
	})
}

func TestEveryCutHeaderIsTruncated(t *testing.T) {
	for _, tc := range h264Headers {
		for n := range 9 { // the size is in the bytes behind these
			_, err := bitstream.ParseH264SPS(unhex(t, tc.data)[:n])
			require.ErrorIs(t, err, bitstream.ErrTruncated, "%s, %d bytes", tc.name, n)
		}
	}
	for _, tc := range h265Headers {
		for n := range 20 {
			_, err := bitstream.ParseH265SPS(unhex(t, tc.data)[:n])
			require.ErrorIs(t, err, bitstream.ErrTruncated, "%s, %d bytes", tc.name, n)
		}
	}
	for _, tc := range av1Headers {
		for n := range 4 {
			_, err := bitstream.ParseAV1SequenceHeader(unhex(t, tc.data)[:n])
			require.ErrorIs(t, err, bitstream.ErrTruncated, "%s, %d bytes", tc.name, n)
		}
	}
	for _, tc := range vp9Headers {
		for n := range 8 {
			_, err := bitstream.ParseVP9(unhex(t, tc.data)[:n])
			require.ErrorIs(t, err, bitstream.ErrTruncated, "%s, %d bytes", tc.name, n)
		}
	}
}

func TestVP8(t *testing.T) {
	key := []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0xc1} // with scaling bits
	for name, tc := range map[string]struct {
		frame []byte
		want  bitstream.Picture
		err   error
	}{
		"key":        {key, bitstream.Picture{Keyframe: true, Width: 640, Height: 360}, nil},
		"delta":      {[]byte{1, 0, 0}, bitstream.Picture{}, nil},
		"empty":      {nil, bitstream.Picture{}, bitstream.ErrTruncated},
		"short":      {key[:2], bitstream.Picture{}, bitstream.ErrTruncated},
		"short key":  {key[:9], bitstream.Picture{}, bitstream.ErrTruncated},
		"start code": {[]byte{0x10, 0, 0, 0x9d, 0x01, 0x2b, 0x80, 0x02, 0x68, 0x01}, bitstream.Picture{}, bitstream.ErrInvalid},
	} {
		got, err := bitstream.ParseVP8(tc.frame)
		require.ErrorIs(t, err, tc.err, name)
		require.Equal(t, tc.want, got, name)
	}
}

func TestVP9FramesThatAreNotKey(t *testing.T) {
	const sync = 0x498342
	w := func() *bitWriter { return new(bitWriter).u(2, 2).u(2, 0) } // marker, profile 0
	for name, tc := range map[string]struct {
		data []byte
		want bitstream.Picture
		err  error
	}{
		"show existing": {w().u(1, 1).u(3, 0).data, bitstream.Picture{}, nil},
		"size of a reference": {
			w().u(1, 0).u(1, 1).u(1, 1).u(1, 0).u(2, 0).u(8, 1).u(12, 0).u(2, 0b01).data, bitstream.Picture{}, nil,
		},
		"own size": {
			w().u(1, 0).u(1, 1).u(1, 1).u(1, 1).u(8, 1).u(12, 0).u(3, 0).u(16, 319).u(16, 179).data,
			bitstream.Picture{Width: 320, Height: 180},
			nil,
		},
		"intra only": {
			w().u(1, 0).u(1, 1).u(1, 0).u(1, 0).u(1, 1).u(2, 0).u(24, sync).u(8, 1).u(16, 63).u(16, 31).data,
			bitstream.Picture{Width: 64, Height: 32},
			nil,
		},
		"intra only, profile 1": {
			new(bitWriter).u(2, 2).u(2, 0b10).u(1, 0).u(1, 1).u(1, 0).u(1, 1).u(1, 1).u(24, sync).
				u(3, 1).u(1, 0).u(3, 0).u(8, 1).u(16, 63).u(16, 31).data,
			bitstream.Picture{Width: 64, Height: 32},
			nil,
		},
		"intra only, no sync": {
			w().u(1, 0).u(1, 1).u(1, 0).u(1, 0).u(1, 1).u(2, 0).u(24, 1).u(8, 1).u(32, 0).data,
			bitstream.Picture{},
			bitstream.ErrInvalid,
		},
		"marker":   {[]byte{0x42}, bitstream.Picture{}, bitstream.ErrInvalid},
		"reserved": {[]byte{0xb8}, bitstream.Picture{}, bitstream.ErrInvalid},
		"rgb in profile 0": {
			w().u(1, 0).u(1, 0).u(2, 0).u(24, sync).u(3, 7).u(32, 0).data, bitstream.Picture{}, bitstream.ErrInvalid,
		},
	} {
		got, err := bitstream.ParseVP9(tc.data)
		require.ErrorIs(t, err, tc.err, name)
		require.Equal(t, tc.want, got, name)
	}
}

func TestH264SPSWithRareFields(t *testing.T) {
	w := new(bitWriter)
	w.u(8, 100).u(8, 0).u(8, 31).ue(0) // high, id 0
	w.ue(3).u(1, 0).ue(0, 0).u(1, 0)   // 4:4:4, planes together, 8 bits
	w.u(1, 1)                          // scaling matrix
	for i := range 12 {
		w.u(1, uint32(i&1))
		switch {
		case i&1 == 0:
		case i < 6:
			for range 16 {
				w.se(1)
			}
		default: // a list that ends early takes no more bits
			w.se(4, -12)
		}
	}
	w.ue(4)                               // frame number
	w.ue(1).u(1, 0).se(-3, 5).ue(2).se(1) // picture order by cycles
	w.se(-70000)
	w.ue(4).u(1, 0).ue(9, 4).u(1, 0).u(1, 0).u(1, 1) // 10 by 5 macroblocks, fields
	w.u(1, 1).ue(1, 2, 3, 4)                         // cropping by single pixels and lines
	sps, err := bitstream.ParseH264SPS(w.nal(0x67))
	require.NoError(t, err)
	require.Equal(t, bitstream.SPS{Profile: 100, Level: 31, Width: 160 - 3, Height: 160 - 2*7}, sps)
}

func TestH265SPSWithSubLayers(t *testing.T) {
	w := new(bitWriter)
	w.u(4, 0).u(3, 2).u(1, 1)                                  // three sub-layers
	w.u(8, 1).u(32, 0).u(32, 0).u(16, 0).u(8, 93)              // general
	w.u(1, 1).u(1, 1).u(1, 0).u(1, 1).u(12, 0)                 // what follows for each
	w.u(32, 1).u(32, 2).u(24, 3).u(8, 60).u(8, 63)             // the first with profile
	w.ue(0).ue(3).u(1, 1).ue(640, 360).u(1, 1).ue(10, 0, 5, 1) // separate planes, cropped by pixels
	sps, err := bitstream.ParseH265SPS(w.nal(0x42, 0x01))
	require.NoError(t, err)
	require.Equal(t, bitstream.SPS{Profile: 1, Level: 93, Width: 630, Height: 354}, sps)
}

func TestAV1SequenceHeaderWithTiming(t *testing.T) {
	w := new(bitWriter)
	w.u(3, 0).u(1, 0).u(1, 0)
	w.u(1, 1).u(32, 1).u(32, 30).u(1, 1).ue(0)        // timing info, equal intervals
	w.u(1, 1).u(5, 9).u(32, 1).u(5, 3).u(5, 3)        // decoder model, 10 bits of delay
	w.u(1, 1).u(5, 1)                                 // display delay, two points
	w.u(12, 1).u(5, 9).u(1, 1).u(1, 1).u(21, 7)       // level 9, high tier, with model
	w.u(1, 1).u(4, 3)                                 // and delay
	w.u(12, 0).u(5, 4).u(1, 0).u(1, 0)                // the second without
	w.u(4, 10).u(4, 9).u(11, 1279).u(10, 719).u(1, 0) // size
	seq, err := bitstream.ParseAV1SequenceHeader(w.data)
	require.NoError(t, err)
	require.Equal(t, bitstream.SequenceHeader{Level: 9, Tier: 1, Width: 1280, Height: 720}, seq)
}

func TestHostileParameterSets(t *testing.T) {
	sps := func() *bitWriter { return new(bitWriter).u(8, 66).u(8, 0).u(8, 31).ue(0, 0) }
	for name, nal := range map[string][]byte{
		"type":           {0x68, 66, 0, 31},
		"id":             new(bitWriter).u(24, 66<<16).ue(32).nal(0x67),
		"chroma":         new(bitWriter).u(24, 100<<16).ue(0, 4).nal(0x67),
		"order":          sps().ue(3).nal(0x67),
		"order cycle":    sps().ue(1).u(1, 0).se(0, 0).ue(256).nal(0x67),
		"size":           sps().ue(2, 1).u(1, 0).ue(4096, 1).u(2, 3).u(1, 0).nal(0x67),
		"cropped to nil": sps().ue(2, 1).u(1, 0).ue(0, 0).u(2, 3).u(1, 1).ue(8, 0, 0, 0).nal(0x67),
		"cropped beyond": sps().ue(2, 1).u(1, 0).ue(0, 0).u(2, 3).u(1, 1).ue(1<<31, 1<<31, 0, 0).nal(0x67),
	} {
		_, err := bitstream.ParseH264SPS(nal)
		require.ErrorIs(t, err, bitstream.ErrInvalid, name)
	}
	_, err := bitstream.ParseH264SPS(append([]byte{0x67, 66, 0, 31}, make([]byte, 5000)...))
	require.ErrorIs(t, err, bitstream.ErrTruncated, "a code of thousands of bits")

	tier := func() *bitWriter { return new(bitWriter).u(8, 0).u(32, 1).u(32, 0).u(32, 0) }
	for name, nal := range map[string][]byte{
		"type":       {0x40, 1, 0},
		"sub-layers": new(bitWriter).u(4, 0).u(3, 7).u(1, 0).nal(0x42, 1),
		"id":         tier().ue(16, 1).nal(0x42, 1),
		"chroma":     tier().ue(0, 4, 640, 360).nal(0x42, 1),
		"no width":   tier().ue(0, 1, 0, 360).u(1, 0).nal(0x42, 1),
		"too large":  tier().ue(0, 1, 640, 1<<17).u(1, 0).nal(0x42, 1),
		"cropped":    tier().ue(0, 1, 640, 360).u(1, 1).ue(0, 0, 90, 90).nal(0x42, 1),
	} {
		_, err := bitstream.ParseH265SPS(nal)
		require.ErrorIs(t, err, bitstream.ErrInvalid, name)
	}
	_, err = bitstream.ParseAV1SequenceHeader([]byte{0xe0, 0, 0})
	require.ErrorIs(t, err, bitstream.ErrInvalid, "profile")
	_, err = bitstream.ParseAV1SequenceHeader(append(new(bitWriter).u(5, 0).u(1, 1).u(32, 1).u(32, 1).u(1, 1).data, make([]byte, 5000)...))
	require.ErrorIs(t, err, bitstream.ErrTruncated, "a code of thousands of bits")
}

func TestAccessUnits(t *testing.T) {
	join := func(nals ...[]byte) (unit []byte) {
		for i, n := range nals {
			unit = append(append(unit, []byte{0, 0, 0, 1}[i&1:]...), n...)
		}
		return unit
	}
	sps := unhex(t, h264Headers[0].data)
	p, err := bitstream.ParseH264(join([]byte{9, 0x10}, sps, []byte{0x68, 1}, []byte{0x65, 0x88}))
	require.NoError(t, err)
	require.Equal(t, bitstream.Picture{Keyframe: true, Width: 1920, Height: 1080}, p)
	p, err = bitstream.ParseH264(join([]byte{0x41, 0x9a}))
	require.NoError(t, err)
	require.Zero(t, p)
	_, err = bitstream.ParseH264([]byte{0x41, 0x9a})
	require.ErrorIs(t, err, bitstream.ErrInvalid)
	_, err = bitstream.ParseH264(join(sps[:5]))
	require.ErrorIs(t, err, bitstream.ErrTruncated)

	sps = unhex(t, h265Headers[0].data)
	for kind := range 32 {
		p, err = bitstream.ParseH265(join([]byte{0x40, 1, 1}, sps, []byte{byte(kind << 1), 1, 0x80}))
		require.NoError(t, err)
		require.Equal(t, bitstream.Picture{Keyframe: 16 <= kind && kind <= 21, Width: 322, Height: 180}, p, "type %d", kind)
	}
	_, err = bitstream.ParseH265(nil)
	require.ErrorIs(t, err, bitstream.ErrInvalid)
}

func TestNALs(t *testing.T) {
	for name, tc := range map[string]struct {
		data []byte
		want [][]byte
	}{
		"none":               {nil, nil},
		"no start code":      {[]byte{1, 2, 3, 0, 0}, nil},
		"three and four":     {[]byte{0, 0, 1, 7, 0, 0, 0, 1, 8, 9, 0, 0, 1, 5}, [][]byte{{7}, {8, 9}, {5}}},
		"bytes before":       {[]byte{9, 9, 0, 0, 1, 7}, [][]byte{{7}}},
		"zeros behind":       {[]byte{0, 0, 1, 7, 0, 0, 0, 0, 0, 1, 8, 0, 0}, [][]byte{{7}, {8}}},
		"empty unit":         {[]byte{0, 0, 1, 0, 0, 1, 8}, [][]byte{{8}}},
		"only start codes":   {[]byte{0, 0, 1, 0, 0, 0, 1}, nil},
		"zeros inside stay":  {[]byte{0, 0, 1, 7, 0, 0, 3, 1}, [][]byte{{7, 0, 0, 3, 1}}},
		"cut start code end": {[]byte{0, 0, 1, 7, 1, 0, 0}, [][]byte{{7, 1}}},
	} {
		require.Equal(t, tc.want, slices.Collect(bitstream.NALs(tc.data)), name)
	}
	for nal := range bitstream.NALs([]byte{0, 0, 1, 7, 0, 0, 1, 8}) {
		require.Equal(t, []byte{7}, nal)
		break // an iterator may be left
	}
}

func TestOBUs(t *testing.T) {
	data := []byte{
		0x12, 0x00, // temporal delimiter
		0x36, 0x48, 0x02, 0xaa, 0xbb, // frame with extension: temporal 2, spatial 1
		0x30, 0xcc, // frame without size
	}
	var got []bitstream.OBU
	for o, err := range bitstream.OBUs(data) {
		require.NoError(t, err)
		got = append(got, o)
	}
	require.Equal(t, []bitstream.OBU{
		{Type: bitstream.OBUTemporalDelimiter, Header: []byte{0x12}, Payload: []byte{}},
		{
			Type: bitstream.OBUFrame, Extended: true, TemporalID: 2, SpatialID: 1,
			Header: []byte{0x36, 0x48}, Payload: []byte{0xaa, 0xbb},
		},
		{Type: bitstream.OBUFrame, Header: []byte{0x30}, Payload: []byte{0xcc}},
	}, got)
	for name, data := range map[string][]byte{
		"no extension":   {0x34},
		"no size":        {0x32},
		"beyond the end": {0x32, 5, 1},
		"endless size":   {0x32, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
		"huge size":      {0x32, 0xff, 0xff, 0xff, 0xff, 0x7f, 1},
		"forbidden bit":  {0x92, 0},
	} {
		n := 0
		for _, err := range bitstream.OBUs(data) {
			require.Error(t, err, name)
			n++
		}
		require.Equal(t, 1, n, name)
		_, err := bitstream.ParseAV1(data)
		require.Error(t, err, name)
	}
}

func TestLEB128(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 300, 1 << 14, 1<<32 - 1} {
		data := bitstream.AppendLEB128(nil, v)
		got, n := bitstream.ReadLEB128(append(data, 0xff))
		require.Equal(t, v, got)
		require.Equal(t, len(data), n)
	}
	_, n := bitstream.ReadLEB128(bitstream.AppendLEB128(nil, 1<<32))
	require.Zero(t, n)
}

func TestAV1TemporalUnits(t *testing.T) {
	seq := unhex(t, av1Headers[0].data)
	obu := func(kind byte, payload ...byte) []byte {
		return append(bitstream.AppendLEB128([]byte{kind<<3 | 2}, uint64(len(payload))), payload...)
	}
	size := func(key bool) bitstream.Picture { return bitstream.Picture{Keyframe: key, Width: 322, Height: 182} }
	for name, tc := range map[string]struct {
		data []byte
		want bitstream.Picture
	}{
		"shown key":          {slices.Concat(obu(2), obu(1, seq...), obu(6, 0x10)), size(true)},
		"frame header":       {slices.Concat(obu(1, seq...), obu(3, 0x10)), size(true)},
		"hidden key":         {slices.Concat(obu(1, seq...), obu(6, 0x00)), size(false)},
		"inter":              {slices.Concat(obu(1, seq...), obu(6, 0x30)), size(false)},
		"shows existing":     {slices.Concat(obu(1, seq...), obu(3, 0x80)), size(false)},
		"key, then inter":    {slices.Concat(obu(1, seq...), obu(6, 0x10), obu(6, 0x30)), size(true)},
		"without sequence":   {obu(6, 0x10), bitstream.Picture{}},
		"empty frame header": {slices.Concat(obu(1, seq...), obu(3)), size(false)},
		"still picture": {
			slices.Concat(obu(1, unhex(t, av1Headers[3].data)...), obu(6, 0xff)),
			bitstream.Picture{Keyframe: true, Width: 200, Height: 100},
		},
	} {
		got, err := bitstream.ParseAV1(tc.data)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, got, name)
	}
}

func TestOpusDuration(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, tc := range []struct {
		packet []byte
		want   time.Duration
	}{
		{[]byte{0 << 3}, ms(10)},
		{[]byte{1 << 3}, ms(20)},
		{[]byte{6 << 3}, ms(40)},
		{[]byte{11 << 3}, ms(60)},
		{[]byte{12 << 3}, ms(10)},
		{[]byte{15 << 3}, ms(20)},
		{[]byte{16 << 3}, 2500 * time.Microsecond},
		{[]byte{17 << 3}, ms(5)},
		{[]byte{30 << 3}, ms(10)},
		{[]byte{31 << 3}, ms(20)},
		{[]byte{31<<3 | 1}, ms(40)},
		{[]byte{31<<3 | 2}, ms(40)},
		{[]byte{31<<3 | 3, 6}, ms(120)},
	} {
		got, err := bitstream.OpusDuration(tc.packet)
		require.NoError(t, err)
		require.Equal(t, tc.want, got, "% x", tc.packet)
	}
	for _, broken := range [][]byte{nil, {3}, {3, 0}, {31<<3 | 3, 7}} {
		_, err := bitstream.OpusDuration(broken)
		require.Error(t, err, "% x", broken)
	}
}
