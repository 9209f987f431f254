package packet_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// send packetizes samples the way a sender does.
func send(tb testing.TB, samples []media.Sample, mtu int, seq uint16, start uint32) (pkts []*rtp.Packet) {
	tb.Helper()
	codec := samples[0].Codec
	p, err := packet.NewPacketizer(codec, mtu)
	require.NoError(tb, err)
	clock := packet.NewClockAt(codec, start)
	for _, s := range samples {
		payloads, err := p.Packetize(nil, s)
		require.NoError(tb, err)
		for _, pl := range payloads {
			pkts = append(pkts, &rtp.Packet{
				Header: rtp.Header{
					Version: 2, SequenceNumber: seq, Timestamp: clock.RTP(s.Timestamp), Marker: pl.Marker,
				},
				Payload: append([]byte(nil), pl.Data...),
			})
			seq++
		}
	}
	return pkts
}

// receive pushes packets a millisecond apart, then flushes.
func receive(codec media.Codec, pkts []*rtp.Packet) (samples []media.Sample) {
	a := packet.NewAssembler(codec)
	for i, p := range pkts {
		a.Push(p, epoch.Add(time.Duration(i)*time.Millisecond))
		samples = pop(a, samples)
	}
	a.Flush()
	return pop(a, samples)
}

func pop(a *packet.Assembler, samples []media.Sample) []media.Sample {
	for {
		s, ok := a.Pop()
		if !ok {
			return samples
		}
		samples = append(samples, s)
	}
}

func requireSame(tb testing.TB, want, got []media.Sample) {
	tb.Helper()
	require.Len(tb, got, len(want))
	for i := range want {
		codec := want[i].Codec
		require.Equal(tb, units(tb, codec, want[i].Data), units(tb, codec, got[i].Data), "%s sample %d", codec, i)
		require.Equal(tb, codec, got[i].Codec)
	}
}

func seeded(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := rand.Uint64()
	tb.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // Not for secrets.
}

// shuffle moves packets by up to distance places, the first excepted, and sends
// some of them twice.
func shuffle(r *rand.Rand, pkts []*rtp.Packet, distance int) []*rtp.Packet {
	out := append([]*rtp.Packet(nil), pkts...)
	for i := 1; i < len(out); i += distance {
		part := out[i:min(i+distance, len(out))]
		r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
	for range len(out) / 5 {
		i := r.IntN(len(out))
		out = append(out, nil)
		copy(out[i+1:], out[i:])
	}
	return out
}

func TestShuffledAndDoubledPacketsComeOutWhole(t *testing.T) {
	for _, codec := range codecs {
		for _, mtu := range []int{0, 100, 33} {
			t.Run(string(codec), func(t *testing.T) {
				if mtu == 33 && codec.Kind() == media.Audio || mtu == 100 && codec.Kind() == media.Audio {
					mtu = 0
				}
				r := seeded(t)
				want := clip(t, codec, "")
				pkts := send(t, want, mtu, uint16(r.Uint32()), r.Uint32())
				got := receive(codec, shuffle(r, pkts, 100))
				requireSame(t, want, got)
				for i, s := range got {
					require.Zero(t, s.Lost)
					require.InDelta(t, want[i].Timestamp, s.Timestamp-got[0].Timestamp, 1e9/float64(codec.ClockRate())+1)
				}
			})
		}
	}
}
