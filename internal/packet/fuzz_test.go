package packet_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

// fuzzAssembler feeds packets that the fuzzer writes: one byte of flags, one of
// how far the sequence number moves, one of length, then the payload.
func fuzzAssembler(f *testing.F, codec media.Codec) {
	for _, mtu := range []int{40, 200} {
		if codec.Kind() == media.Audio {
			mtu = 0
		}
		var seed []byte
		for _, s := range clip(f, codec, "")[:2] {
			payloads := packetize(f, codec, mtu, s.Data)
			for i, pl := range payloads {
				var flags byte
				if i == 0 {
					flags |= 4 // another time
				}
				if i == len(payloads)-1 {
					flags |= 1 // marker
				}
				seed = append(append(seed, flags, 1, byte(len(pl))), pl...)
			}
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a := packet.NewAssembler(codec)
		p := &rtp.Packet{}
		now := epoch
		sent, last := 0, time.Duration(-1<<63)
		check := func() {
			for {
				s, ok := a.Pop()
				if !ok {
					return
				}
				if s.Timestamp <= last {
					t.Fatalf("timestamp %v after %v", s.Timestamp, last)
				}
				if last = s.Timestamp; len(s.Data) == 0 || s.Codec != codec || s.Lost < 0 {
					t.Fatalf("sample %+v", s)
				}
				if codec == media.AV1 || codec == media.H264 || codec == media.H265 {
					units(t, codec, s.Data) // can be taken apart
				}
			}
		}
		for len(data) >= 3 && sent < 500 {
			flags, step, n := data[0], int8(data[1]), int(data[2])
			data = data[3:]
			n = min(n, len(data))
			p.Marker = flags&1 != 0
			p.SequenceNumber += uint16(int16(step))
			if flags&2 != 0 {
				p.SequenceNumber += 256 * uint16(flags)
			}
			if flags&4 != 0 {
				p.Timestamp += 3000
			}
			if flags&8 != 0 && n >= 4 {
				p.Timestamp = binary.BigEndian.Uint32(data)
			}
			now = now.Add(time.Duration(flags>>4) * 20 * time.Millisecond)
			p.Payload = data[:n]
			packet.Keyframe(codec, p.Payload)
			packet.Dimensions(codec, p.Payload)
			a.Push(p, now)
			check()
			data = data[n:]
			sent++
		}
		a.Tick(now.Add(time.Second))
		check()
		a.Flush()
		check()
	})
}

func FuzzAssemblerVP8(f *testing.F)  { fuzzAssembler(f, media.VP8) }
func FuzzAssemblerVP9(f *testing.F)  { fuzzAssembler(f, media.VP9) }
func FuzzAssemblerH264(f *testing.F) { fuzzAssembler(f, media.H264) }
func FuzzAssemblerH265(f *testing.F) { fuzzAssembler(f, media.H265) }
func FuzzAssemblerAV1(f *testing.F)  { fuzzAssembler(f, media.AV1) }
func FuzzAssemblerOpus(f *testing.F) { fuzzAssembler(f, media.Opus) }

// FuzzPacketizer checks that what is accepted comes out of an assembler as it
// went in, whatever the codec and the payload size.
func FuzzPacketizer(f *testing.F) {
	for i, codec := range allCodecs {
		f.Add(uint8(i), uint16(100), clip(f, codec, "")[0].Data)
	}
	f.Fuzz(func(t *testing.T, which uint8, mtu uint16, data []byte) {
		codec := allCodecs[int(which)%len(allCodecs)]
		mtu = max(mtu%2000, 32)
		p, err := packet.NewPacketizer(codec, int(mtu))
		if err != nil {
			t.Fatal(err)
		}
		payloads, err := p.Packetize(nil, media.Sample{Data: data})
		if err != nil {
			return
		}
		a := packet.NewAssembler(codec)
		// A frame before shows where this one begins.
		a.Push(&rtp.Packet{Header: rtp.Header{Timestamp: 1, Marker: true}, Payload: []byte{0x41, 0x41, 0x41}}, epoch)
		for i, pl := range payloads {
			if len(pl.Data) > int(mtu) || len(pl.Data) == 0 {
				t.Fatalf("payload of %d bytes", len(pl.Data))
			}
			a.Push(&rtp.Packet{
				Header: rtp.Header{SequenceNumber: uint16(i + 1), Timestamp: 2, Marker: pl.Marker}, Payload: pl.Data,
			}, epoch)
		}
		a.Flush()
		got := pop(a, nil)
		if len(got) == 0 {
			t.Fatalf("nothing came out of %d payloads", len(payloads))
		}
		want := units(t, codec, data)
		if codec == media.AV1 { // tile lists are left out
			want = slices.DeleteFunc(want, func(u string) bool { return len(u) > 5 && u[:5] == "obu 8" })
		}
		if have := units(t, codec, got[len(got)-1].Data); !slices.Equal(want, have) {
			t.Fatalf("in:  %q\nout: %q", want, have)
		}
	})
}
