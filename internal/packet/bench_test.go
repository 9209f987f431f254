package packet_test

import (
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

// benchFrame is a large one of the clip of a codec, sent again and again.
func benchFrame(b *testing.B, codec media.Codec) media.Sample {
	b.Helper()
	return clip(b, codec, "")[0]
}

func BenchmarkPacketize(b *testing.B) {
	for _, codec := range allCodecs {
		b.Run(string(codec), func(b *testing.B) {
			s := benchFrame(b, codec)
			p, err := packet.NewPacketizer(codec, 0)
			if err != nil {
				b.Fatal(err)
			}
			var payloads []packet.Payload
			n := 0
			b.SetBytes(int64(len(s.Data)))
			b.ReportAllocs()
			for b.Loop() {
				if payloads, err = p.Packetize(payloads[:0], s); err != nil {
					b.Fatal(err)
				}
				n += len(payloads)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/packet")
		})
	}
}

func benchmarkAssembler(b *testing.B, codec media.Codec, disorder bool) {
	s := benchFrame(b, codec)
	p, _ := packet.NewPacketizer(codec, 0)
	payloads, err := p.Packetize(nil, s)
	if err != nil {
		b.Fatal(err)
	}
	a := packet.NewAssembler(codec)
	pkts := make([]rtp.Packet, len(payloads))
	var seq uint16
	var at uint32
	now := epoch
	n, frames := 0, 0
	b.SetBytes(int64(len(s.Data)))
	b.ReportAllocs()
	for b.Loop() {
		for i, pl := range payloads {
			pkts[i] = rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: at, Marker: pl.Marker}, Payload: pl.Data}
			seq++
		}
		if disorder && len(pkts) > 3 {
			pkts[1], pkts[2] = pkts[2], pkts[1]
		}
		for i := range pkts {
			a.Push(&pkts[i], now)
		}
		for {
			if _, ok := a.Pop(); !ok {
				break
			}
			frames++
		}
		at += 3000
		now = now.Add(time.Second / 30)
		n += len(payloads)
	}
	if frames < b.N {
		b.Fatalf("%d frames in, %d out", b.N, frames)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/packet")
}

func BenchmarkAssemble(b *testing.B) {
	for _, codec := range allCodecs {
		b.Run(string(codec), func(b *testing.B) { benchmarkAssembler(b, codec, false) })
	}
}

func BenchmarkAssembleOutOfOrder(b *testing.B) {
	for _, codec := range videoCodecs {
		b.Run(string(codec), func(b *testing.B) { benchmarkAssembler(b, codec, true) })
	}
}

func BenchmarkKeyframe(b *testing.B) {
	for _, codec := range videoCodecs {
		b.Run(string(codec), func(b *testing.B) {
			p, _ := packet.NewPacketizer(codec, 0)
			payloads, err := p.Packetize(nil, benchFrame(b, codec))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, pl := range payloads {
					packet.Keyframe(codec, pl.Data)
				}
			}
		})
	}
}
