package packet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
)

var allCodecs = []media.Codec{
	media.VP8, media.VP9, media.H264, media.H265, media.AV1, media.Opus, media.PCMU, media.PCMA,
}

var videoCodecs = allCodecs[:5]

// clip returns the samples of the test clip of a codec, 15 frames a second.
func clip(tb testing.TB, codec media.Codec, suffix string) []media.Sample {
	tb.Helper()
	var frames [][]byte
	step := time.Second / 15
	switch codec {
	case media.VP8:
		frames = ivf(tb, "vp8"+suffix+".ivf")
	case media.VP9:
		frames = ivf(tb, "vp9"+suffix+".ivf")
	case media.AV1:
		frames = ivf(tb, "av1"+suffix+".ivf")
	case media.H264:
		frames = accessUnits(load(tb, "h264"+suffix+".h264"), []byte{0, 0, 0, 1, 9})
	case media.H265:
		frames = accessUnits(load(tb, "h265"+suffix+".h265"), []byte{0, 0, 0, 1, 35 << 1})
	case media.Opus:
		frames, step = opusPackets(tb, load(tb, "opus.ogg")), 20*time.Millisecond
	default:
		step = 20 * time.Millisecond
		for i := range 100 {
			frames = append(frames, bytes.Repeat([]byte{byte(i)}, 160))
		}
	}
	require.Greater(tb, len(frames), 5, "frames of the %s clip", codec)
	samples := make([]media.Sample, len(frames))
	for i, f := range frames {
		samples[i] = media.Sample{Codec: codec, Data: f, Timestamp: time.Duration(i) * step}
	}
	return samples
}

func load(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(tb, err)
	return data
}

func ivf(tb testing.TB, name string) (frames [][]byte) {
	tb.Helper()
	data := load(tb, name)
	require.True(tb, bytes.HasPrefix(data, []byte("DKIF")), name)
	for data = data[32:]; len(data) > 0; {
		n := binary.LittleEndian.Uint32(data)
		frames = append(frames, data[12:12+n])
		data = data[12+n:]
	}
	return frames
}

// accessUnits cuts before each access unit delimiter.
func accessUnits(data, delimiter []byte) (units [][]byte) {
	for len(data) > 0 {
		end := bytes.Index(data[1:], delimiter)
		if end < 0 {
			return append(units, data)
		}
		units = append(units, data[:end+1])
		data = data[end+1:]
	}
	return units
}

// opusPackets reads the packets of an Ogg file with one stream, headers left
// out.
func opusPackets(tb testing.TB, data []byte) (packets [][]byte) {
	tb.Helper()
	var pkt []byte
	for len(data) > 0 {
		require.True(tb, bytes.HasPrefix(data, []byte("OggS")))
		segments := data[27 : 27+int(data[26])]
		data = data[27+len(segments):]
		for _, n := range segments {
			pkt = append(pkt, data[:n]...)
			data = data[n:]
			if n < 255 {
				packets = append(packets, pkt)
				pkt = nil
			}
		}
	}
	return packets[2:]
}

// units returns fingerprints of what must come through RTP unchanged: NAL units,
// OBUs without temporal delimiters and size fields, or the whole frame.
func units(tb testing.TB, codec media.Codec, data []byte) (list []string) {
	tb.Helper()
	add := func(kind string, unit []byte) {
		list = append(list, fmt.Sprintf("%s: %d bytes %.8x… %08x", kind, len(unit), unit, crc32.ChecksumIEEE(unit)))
	}
	switch codec {
	case media.H264, media.H265:
		for nal := range bitstream.NALs(data) {
			add("nal", nal)
		}
	case media.AV1:
		for o, err := range bitstream.OBUs(data) {
			require.NoError(tb, err)
			if o.Type != bitstream.OBUTemporalDelimiter {
				add(fmt.Sprint("obu ", o.Type, o.Extended, o.TemporalID, o.SpatialID), o.Payload)
			}
		}
	default:
		add("frame", data)
	}
	return list
}

// withoutDelimiters leaves access unit delimiters out.
func withoutDelimiters(codec media.Codec, unit []byte) []byte {
	nals := slices.Collect(bitstream.NALs(unit))
	return annexB(slices.DeleteFunc(nals, func(n []byte) bool {
		if codec == media.H264 {
			return bitstream.H264Type(n) == bitstream.H264AUD
		}
		return bitstream.H265Type(n) == bitstream.H265AUD
	})...)
}
