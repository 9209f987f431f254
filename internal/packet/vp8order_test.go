package packet

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVP8Order(t *testing.T) {
	for _, c := range []struct {
		payload []byte
		want    VP8Order
		shifted []byte // by 5 pictures and 3
	}{
		{[]byte{0x10, 1, 2}, VP8Order{}, []byte{0x10, 1, 2}},
		{[]byte{0x90, 0x80, 0x7e, 9}, VP8Order{HasID: true, Picture: 0x7e}, []byte{0x90, 0x80, 0x03, 9}},
		{[]byte{0x90, 0x80, 0xff, 0xfe, 9}, VP8Order{HasID: true, Picture: 0x7ffe}, []byte{0x90, 0x80, 0x80, 0x03, 9}},
		{[]byte{0x90, 0xe0, 0x80, 7, 254, 0x20, 9}, VP8Order{HasID: true, Picture: 7, HasTL: true, TL0: 254}, []byte{0x90, 0xe0, 0x80, 12, 1, 0x20, 9}},
		{[]byte{0x90, 0x60, 4, 0x20, 9}, VP8Order{HasTL: true, TL0: 4}, []byte{0x90, 0x60, 7, 0x20, 9}},
		{[]byte{0x90}, VP8Order{}, []byte{0x90}},
		{[]byte{0x90, 0xc0, 0x80}, VP8Order{}, []byte{0x90, 0xc0, 0x80}},
	} {
		got := ReadVP8Order(c.payload)
		require.Equal(t, c.want, VP8Order{Picture: got.Picture, TL0: got.TL0, HasID: got.HasID, HasTL: got.HasTL}, "%x", c.payload)
		ShiftVP8(c.payload, 5, 3)
		require.Equal(t, c.shifted, c.payload)
	}
}

func FuzzShiftVP8(f *testing.F) {
	f.Add([]byte{0x90, 0xe0, 0x80, 7, 254, 0x20, 9}, uint16(5), uint8(3))
	f.Fuzz(func(t *testing.T, payload []byte, picture uint16, tl0 uint8) {
		before := bytes.Clone(payload)
		was := ReadVP8Order(payload)
		ShiftVP8(payload, picture, tl0)
		is := ReadVP8Order(payload)
		if was.HasID != is.HasID || was.HasTL != is.HasTL || was.HasTL && is.TL0 != was.TL0+tl0 {
			t.Fatalf("%x became %x", before, payload)
		}
		ShiftVP8(payload, -picture, -tl0)
		if !bytes.Equal(before, payload) {
			t.Fatalf("%x came back as %x", before, payload)
		}
	})
}
