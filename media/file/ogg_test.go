package file_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media/file"
)

// page returns an Ogg page that holds the packets whole.
func page(serial uint32, flags byte, sequence uint32, packets ...[]byte) []byte {
	var lacing, body []byte
	for _, p := range packets {
		for range len(p) / 255 {
			lacing = append(lacing, 255)
		}
		lacing = append(lacing, byte(len(p)%255))
		body = append(body, p...)
	}
	return rawPage(serial, flags, sequence, lacing, body)
}

func rawPage(serial uint32, flags byte, sequence uint32, lacing, body []byte) []byte {
	b := append([]byte("OggS\x00"), flags)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint32(b, serial)
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, byte(len(lacing)))
	b = append(append(b, lacing...), body...)
	// The checksum bit by bit, as RFC 3533 describes it.
	var crc uint32
	for _, x := range b {
		crc ^= uint32(x) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	binary.LittleEndian.PutUint32(b[22:], crc)
	return b
}

var opusHead = []byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00")

func TestOggPacketsAcrossPagesAndStreams(t *testing.T) {
	long := append([]byte{0xfc}, bytes.Repeat([]byte("abc"), 300)...) // 901 bytes, 20 ms
	exact := append([]byte{0xfc}, bytes.Repeat([]byte("x"), 509)...)  // 510 = 2*255
	short := []byte{0xfc, 1, 2}
	tags := bytes.Repeat([]byte("OpusTags"), 100)
	const eos = 4
	data := bytes.Join([][]byte{
		page(7, 2, 0, []byte("\x80theora, say")),
		page(1, 2, 0, opusHead),
		rawPage(1, 0, 1, []byte{255, 255}, tags[:510]),
		page(7, 0, 1, []byte("of no concern")),
		rawPage(1, 1, 2, []byte{255, 35}, tags[510:]),
		page(1, 0, 3, short, exact),
		rawPage(1, 0, 4, []byte{3, 255, 255, 255}, append(bytes.Clone(short), long[:765]...)),
		rawPage(1, 1, 5, []byte{136, 3}, append(bytes.Clone(long[765:]), short...)),
		page(1, eos, 6, nil, short),
		page(9, 2, 0, opusHead), // chained behind; not played
		page(9, 0, 1, []byte("OpusTags")),
		page(9, 0, 2, short),
	}, nil)
	var got [][]byte
	for _, s := range collect(t, data, nil) {
		got = append(got, s.Data)
	}
	require.Equal(t, [][]byte{short, exact, short, long, short, short}, got)
}

func TestOggWithMissingPage(t *testing.T) {
	packet := append([]byte{0xfc}, make([]byte, 600)...)
	start := bytes.Join([][]byte{page(1, 2, 0, opusHead), page(1, 0, 1, []byte("OpusTags"))}, nil)
	for name, pages := range map[string][]byte{
		"end missing":   append(rawPage(1, 0, 2, []byte{255}, packet[:255]), page(1, 0, 4, packet)...),
		"start missing": rawPage(1, 1, 3, []byte{10}, packet[:10]),
		"endless":       endless(),
		"bad packet":    page(1, 0, 2, []byte{0xff, 0}),
	} {
		var last error
		for _, err := range file.Samples(bytes.NewReader(append(bytes.Clone(start), pages...)), nil) {
			last = err
		}
		require.ErrorIs(t, last, file.ErrMalformed, name)
	}
}

// endless returns pages that go on with one packet.
func endless() []byte {
	var b []byte
	lacing := bytes.Repeat([]byte{255}, 255)
	for i := range 3 {
		b = append(b, rawPage(1, byte(min(i, 1)), uint32(2+i), lacing, make([]byte, 255*255))...)
	}
	return b
}
