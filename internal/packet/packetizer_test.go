package packet_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

func packetize(tb testing.TB, codec media.Codec, mtu int, data []byte) (payloads [][]byte) {
	tb.Helper()
	p, err := packet.NewPacketizer(codec, mtu)
	require.NoError(tb, err)
	list, err := p.Packetize(nil, media.Sample{Data: data})
	require.NoError(tb, err)
	for i, pl := range list {
		require.Equal(tb, codec.Kind() == media.Video && i == len(list)-1, pl.Marker)
		payloads = append(payloads, pl.Data)
	}
	return payloads
}

func annexB(nals ...[]byte) (unit []byte) {
	for i, n := range nals {
		unit = append(append(unit, []byte{0, 0, 0, 1}[i&1:]...), n...)
	}
	return unit
}

// fill returns n bytes behind the given ones, none of them zero.
func fill(n int, front ...byte) []byte {
	return append(front, bytes.Repeat([]byte{0x5a}, n)...)
}

func TestPayloadsFillButNeverPassTheMTU(t *testing.T) {
	for _, codec := range videoCodecs {
		for _, mtu := range []int{32, 33, 100, 127, 128, 129, 130, 131, 1200, 9000} {
			size := mtu
			if mtu == 1200 {
				mtu = 0 // the default
			}
			for _, s := range clip(t, codec, "") {
				payloads := packetize(t, codec, mtu, s.Data)
				total := 0
				for _, p := range payloads {
					require.LessOrEqual(t, len(p), size)
					total += len(p)
				}
				if codec == media.VP8 || codec == media.VP9 {
					require.Len(t, payloads, (total+size-1)/size, "as few as can be")
				}
			}
		}
	}
}

func TestPacketizerRefuses(t *testing.T) {
	_, err := packet.NewPacketizer("theora", 0)
	require.ErrorIs(t, err, packet.ErrCodec)
	for _, mtu := range []int{-1, 31} {
		_, err = packet.NewPacketizer(media.VP8, mtu)
		require.ErrorIs(t, err, packet.ErrMTU)
	}
	for _, tc := range []struct {
		codec  media.Codec
		sample media.Sample
		want   error
	}{
		{media.VP8, media.Sample{Codec: media.VP9, Data: []byte{1}}, packet.ErrCodec},
		{media.VP8, media.Sample{}, packet.ErrSample},
		{media.VP9, media.Sample{Data: []byte{0}}, packet.ErrSample},
		{media.H264, media.Sample{Data: []byte{0x65, 1, 2}}, packet.ErrSample},                 // no start code
		{media.H264, media.Sample{Data: annexB([]byte{0x65}, []byte{0x7c})}, packet.ErrSample}, // looks like an FU-A
		{media.H264, media.Sample{Data: annexB([]byte{0x80})}, packet.ErrSample},
		{media.H265, media.Sample{Data: annexB([]byte{0x40, 1})}, packet.ErrSample},
		{media.H265, media.Sample{Data: annexB([]byte{0x62, 1, 1})}, packet.ErrSample},
		{media.AV1, media.Sample{Data: []byte{0x32, 5, 1}}, packet.ErrSample},
		{media.AV1, media.Sample{Data: []byte{0x12, 0}}, packet.ErrSample}, // a delimiter alone
		{media.Opus, media.Sample{Data: make([]byte, 1201)}, packet.ErrSample},
	} {
		p, err := packet.NewPacketizer(tc.codec, 0)
		require.NoError(t, err)
		had := []packet.Payload{{Data: []byte("kept")}}
		got, err := p.Packetize(had, tc.sample)
		require.ErrorIs(t, err, tc.want, "%s % x", tc.codec, tc.sample.Data)
		require.Equal(t, had, got)
	}
}

func TestVP8PictureIDsFollow(t *testing.T) {
	p, err := packet.NewPacketizer(media.VP8, 100)
	require.NoError(t, err)
	last := -1
	for range 40000 { // past 15 bits
		list, err := p.Packetize(nil, media.Sample{Data: make([]byte, 150)})
		require.NoError(t, err)
		for i, pl := range list {
			var v codecs.VP8Packet
			_, err := v.Unmarshal(pl.Data)
			require.NoError(t, err)
			if v.S != uint8(1-i) || v.I != 1 || i > 0 && int(v.PictureID) != last ||
				i == 0 && last >= 0 && int(v.PictureID) != (last+1)&0x7fff {
				t.Fatalf("packet %d after picture %d: %+v", i, last, v)
			}
			last = int(v.PictureID)
		}
	}
}

func TestVP9Descriptor(t *testing.T) {
	for i, s := range clip(t, media.VP9, "")[:3] {
		payloads := packetize(t, media.VP9, 500, s.Data)
		var whole []byte
		for j, pl := range payloads {
			var v codecs.VP9Packet
			data, err := v.Unmarshal(pl)
			require.NoError(t, err)
			require.Equal(t, j == 0, v.B)
			require.Equal(t, j == len(payloads)-1, v.E)
			require.Equal(t, i > 0, v.P)
			require.True(t, v.I && !v.F && !v.L && v.Z)
			if v.V {
				require.Equal(t, []uint16{318}, v.Width)
				require.Equal(t, []uint16{238}, v.Height)
			}
			require.Equal(t, i == 0 && j == 0, v.V)
			whole = append(whole, data...)
		}
		require.Equal(t, s.Data, whole)
	}
}

func TestH264Aggregates(t *testing.T) {
	aud, sps, pps := []byte{0x09, 0xf0}, []byte{0x67, 66, 1}, []byte{0x28, 2}
	idr := fill(150, 0x65)
	got := packetize(t, media.H264, 100, annexB(aud, sps, pps, idr, []byte{0x06, 5}))
	want := [][]byte{
		slices.Concat([]byte{0x78, 0, 2}, aud, []byte{0, 3}, sps, []byte{0, 2}, pps), // the highest NRI
		fill(98, 0x7c, 0x85),
		fill(52, 0x7c, 0x45),
		{0x06, 5},
	}
	require.Equal(t, want, got)

	// A unit of exactly the MTU goes alone, one byte more is fragmented.
	require.Equal(t, [][]byte{fill(99, 0x41)}, packetize(t, media.H264, 100, annexB(fill(99, 0x41))))
	require.Equal(t, [][]byte{fill(98, 0x5c, 0x81), fill(2, 0x5c, 0x41)}, packetize(t, media.H264, 100, annexB(fill(100, 0x41))))

	// The forbidden bit goes on.
	require.Equal(t, byte(0xd8), packetize(t, media.H264, 0, annexB([]byte{0xc1, 1}, []byte{0x01, 1}))[0][0])
}

func TestH265Aggregates(t *testing.T) {
	vps, sps := []byte{0x40, 0x0b, 1}, []byte{0x42, 0x12, 2} // layer 1, temporal 3; layer 2, temporal 2
	got := packetize(t, media.H265, 100, annexB(vps, sps, fill(150, 0x26, 0x01)))
	want := [][]byte{
		slices.Concat([]byte{0x60, 0x0a, 0, 3}, vps, []byte{0, 3}, sps), // the lowest of both
		fill(97, 0x62, 0x01, 0x80|19),
		fill(53, 0x62, 0x01, 0x40|19),
	}
	require.Equal(t, want, got)

	high := packetize(t, media.H265, 0, annexB([]byte{0x41, 0x01, 1}, []byte{0xc1, 0x01, 1}))
	require.Equal(t, []byte{0xe1, 0x01}, high[0][:2], "layer 32, forbidden bit")
}

func TestAV1Packets(t *testing.T) {
	obu := func(header []byte, payload ...byte) []byte {
		header = slices.Clone(header)
		header[0] |= 2
		return append(append(header, byte(len(payload))), payload...)
	}
	delimiter, sequence := []byte{0x12, 0}, obu([]byte{0x08}, 1, 2)
	for name, tc := range map[string]struct {
		unit []byte
		want [][]byte
	}{
		"one": {slices.Concat(delimiter, obu([]byte{0x30}, 7)), [][]byte{{0x10, 0x30, 7}}},
		"sequence header": {
			slices.Concat(delimiter, sequence, obu([]byte{0x30}, 7)),
			[][]byte{{0x28, 3, 0x08, 1, 2, 0x30, 7}},
		},
		"sequence header comes first": {
			slices.Concat(obu([]byte{0x28}, 5), sequence),
			[][]byte{{0x10, 0x28, 5}, {0x18, 0x08, 1, 2}},
		},
		"three": {
			slices.Concat(obu([]byte{0x28}, 1), obu([]byte{0x28}, 2), obu([]byte{0x30}, 3)),
			[][]byte{{0x30, 2, 0x28, 1, 2, 0x28, 2, 0x30, 3}},
		},
		"four": {
			slices.Concat(obu([]byte{0x28}, 1), obu([]byte{0x28}, 2), obu([]byte{0x28}, 3), obu([]byte{0x30}, 4)),
			[][]byte{{0x00, 2, 0x28, 1, 2, 0x28, 2, 2, 0x28, 3, 2, 0x30, 4}},
		},
		"layers": {
			slices.Concat(obu([]byte{0x34, 0x00}, 1), obu([]byte{0x28}, 2), obu([]byte{0x34, 0x08}, 3)),
			[][]byte{{0x20, 3, 0x34, 0x00, 1, 0x28, 2}, {0x10, 0x34, 0x08, 3}},
		},
		"tile lists": {slices.Concat(obu([]byte{0x40}, 1), obu([]byte{0x30}, 2)), [][]byte{{0x10, 0x30, 2}}},
		"fragments": {
			append([]byte{0x32, 70}, fill(70)...),
			[][]byte{fill(30, 0x50, 0x30), fill(31, 0xd0), fill(9, 0x90)},
		},
		"a rest that is no use": { // one byte is left: no room for length and data
			slices.Concat(obu([]byte{0x28}, fill(28)...), obu([]byte{0x30}, 7)),
			[][]byte{fill(28, 0x10, 0x28), {0x10, 0x30, 7}},
		},
		"no size field": {[]byte{0x30, 9, 9}, [][]byte{{0x10, 0x30, 9, 9}}},
	} {
		require.Equal(t, tc.want, packetize(t, media.AV1, 32, tc.unit), name)
	}
}

// TestPionReadsOurPayloads sends every clip to independent depacketizers.
func TestPionReadsOurPayloads(t *testing.T) {
	for _, mtu := range []int{0, 100} {
		for _, codec := range []media.Codec{media.VP8, media.VP9, media.H264, media.H265, media.AV1} {
			readers := map[media.Codec]func() rtp.Depacketizer{
				media.VP8:  func() rtp.Depacketizer { return &codecs.VP8Packet{} },
				media.VP9:  func() rtp.Depacketizer { return &codecs.VP9Packet{} },
				media.H264: func() rtp.Depacketizer { return &codecs.H264Packet{} },
				media.H265: func() rtp.Depacketizer { return &codecs.H265Depacketizer{} },
				media.AV1:  func() rtp.Depacketizer { return &codecs.AV1Depacketizer{} },
			}
			for i, s := range clip(t, codec, "") {
				d := readers[codec]()
				var whole []byte
				for _, pl := range packetize(t, codec, mtu, s.Data) {
					data, err := d.Unmarshal(pl)
					require.NoError(t, err, "%s frame %d", codec, i)
					whole = append(whole, data...)
				}
				require.Equal(t, units(t, codec, s.Data), units(t, codec, whole), "%s frame %d", codec, i)
			}
		}
	}
}

// TestWeReadPionsPayloads takes every clip from independent payloaders.
func TestWeReadPionsPayloads(t *testing.T) {
	for codec, payloader := range map[media.Codec]rtp.Payloader{
		media.VP8:  &codecs.VP8Payloader{EnablePictureID: true},
		media.VP9:  &codecs.VP9Payloader{},
		media.H264: &codecs.H264Payloader{},
		media.H265: &codecs.H265Payloader{},
		media.AV1:  &codecs.AV1Payloader{},
		media.Opus: &codecs.OpusPayloader{},
		media.PCMU: &codecs.G711Payloader{},
	} {
		t.Run(string(codec), func(t *testing.T) {
			sent := clip(t, codec, "")
			var pkts []*rtp.Packet
			clock := packet.NewClock(codec)
			for _, s := range sent {
				payloads := payloader.Payload(200, s.Data)
				for i, pl := range payloads {
					pkts = append(pkts, &rtp.Packet{
						Header: rtp.Header{
							SequenceNumber: uint16(len(pkts)), Timestamp: clock.RTP(s.Timestamp), Marker: i == len(payloads)-1,
						},
						Payload: pl,
					})
				}
			}
			if codec == media.H264 || codec == media.H265 { // pion leaves delimiters out
				for i := range sent {
					sent[i].Data = withoutDelimiters(codec, sent[i].Data)
				}
			}
			requireSame(t, sent, receive(codec, pkts))
		})
	}
}
