package bitstream_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/parley-rtc/parley/media/bitstream"
)

// known fails when an error is none that the package promises.
func known(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, bitstream.ErrTruncated) && !errors.Is(err, bitstream.ErrInvalid) {
		t.Fatalf("unknown error: %v", err)
	}
}

func checkSize(t *testing.T, w, h int, err error) {
	t.Helper()
	known(t, err)
	if err == nil && (w <= 0 || h <= 0 || w > 1<<16 || h > 1<<17) {
		t.Fatalf("size %d by %d", w, h)
	}
}

func FuzzVP8(f *testing.F) {
	f.Add([]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0xc1})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := bitstream.ParseVP8(data)
		known(t, err)
	})
}

func FuzzVP9(f *testing.F) {
	for _, h := range vp9Headers {
		f.Add(unhex(f, h.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := bitstream.ParseVP9(data)
		known(t, err)
		if p.Keyframe {
			checkSize(t, p.Width, p.Height, err)
		}
	})
}

func FuzzH264SPS(f *testing.F) {
	for _, h := range h264Headers {
		f.Add(unhex(f, h.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := bitstream.ParseH264SPS(data)
		checkSize(t, s.Width, s.Height, err)
		_, err = bitstream.ParseH264(append([]byte{0, 0, 1}, data...))
		known(t, err)
	})
}

func FuzzH265SPS(f *testing.F) {
	for _, h := range h265Headers {
		f.Add(unhex(f, h.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := bitstream.ParseH265SPS(data)
		checkSize(t, s.Width, s.Height, err)
		_, err = bitstream.ParseH265(append([]byte{0, 0, 1}, data...))
		known(t, err)
	})
}

func FuzzAV1(f *testing.F) {
	for _, h := range av1Headers {
		f.Add(append([]byte{0x0a, byte(len(h.data) / 2)}, unhex(f, h.data)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := bitstream.ParseAV1SequenceHeader(data)
		checkSize(t, s.Width, s.Height, err)
		_, err = bitstream.ParseAV1(data)
		known(t, err)
	})
}

// FuzzNALs joins what was split and splits it again.
func FuzzNALs(f *testing.F) {
	f.Add([]byte{0, 0, 1, 7, 0, 0, 0, 1, 8, 9, 0, 0, 1, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		var units [][]byte
		var joined []byte
		for nal := range bitstream.NALs(data) {
			if len(nal) == 0 || bytes.Contains(nal, []byte{0, 0, 1}) {
				t.Fatalf("unit % x", nal)
			}
			units = append(units, nal)
			joined = append(append(joined, 0, 0, 0, 1), nal...)
		}
		i := 0
		for nal := range bitstream.NALs(joined) {
			if !bytes.Equal(nal, units[i]) {
				t.Fatalf("unit %d: % x, then % x", i, units[i], nal)
			}
			i++
		}
		if i != len(units) {
			t.Fatalf("%d units, then %d", len(units), i)
		}
	})
}
