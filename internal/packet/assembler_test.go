package packet_test

import (
	"fmt"
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
	for _, codec := range allCodecs {
		mtus := []int{0, 100, 33}
		if codec.Kind() == media.Audio {
			mtus = mtus[:1]
		}
		for _, mtu := range mtus {
			t.Run(fmt.Sprint(codec, mtu), func(t *testing.T) {
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

// TestLossGivesOnlyWholeFrames drops packets at random, also long runs, and
// checks each sample against what was sent: all of its units are there, and the
// missing packets are counted exactly.
func TestLossGivesOnlyWholeFrames(t *testing.T) {
	for _, codec := range allCodecs {
		for _, mtu := range []int{0, 200} {
			for _, percent := range []int{1, 5, 30} {
				t.Run(fmt.Sprint(codec, mtu, percent), func(t *testing.T) {
					testLoss(t, codec, mtu, percent)
				})
			}
		}
	}
}

func testLoss(t *testing.T, codec media.Codec, mtu, percent int) {
	r := seeded(t)
	sent := clip(t, codec, "")
	pkts := send(t, sent, mtu, uint16(r.Uint32()), 0)
	var kept []*rtp.Packet
	hurt := map[uint32]bool{} // frames that lack a packet, by RTP time
	for i, p := range pkts {
		if i > 0 && r.IntN(100) < percent {
			hurt[p.Timestamp] = true
			continue
		}
		kept = append(kept, p)
	}
	position := map[uint32]int{} // of a frame's last packet
	byTime := map[uint32]media.Sample{}
	clock := packet.NewClockAt(codec, 0)
	for _, s := range sent {
		byTime[clock.RTP(s.Timestamp)] = s
	}
	for i, p := range pkts {
		position[p.Timestamp] = i
	}
	arrived := map[*rtp.Packet]bool{}
	for _, p := range kept {
		arrived[p] = true
	}

	got := receive(codec, shuffle(r, kept, 20))
	if percent == 1 {
		require.NotEmpty(t, got)
	}
	counted, last := 0, -1
	for _, s := range got {
		at := clock.RTP(s.Timestamp)
		want, ok := byTime[at]
		require.True(t, ok, "a sample at %v was never sent", s.Timestamp)
		require.False(t, hurt[at], "the sample at %v lacks packets", s.Timestamp)
		requireSame(t, []media.Sample{want}, []media.Sample{s})
		require.Greater(t, position[at], last)
		last = position[at]

		counted += s.Lost
		missing := 0
		for _, p := range pkts[:last+1] {
			if !arrived[p] {
				missing++
			}
		}
		require.Equal(t, missing, counted, "missing up to %v", s.Timestamp)
	}

	// Not much whole is thrown away: a frame that lacks nothing is given up
	// only when nothing shows where it begins.
	if codec == media.VP8 || codec == media.VP9 || codec.Kind() == media.Audio {
		require.Len(t, got, len(byTime)-len(hurt), "each whole frame shows its beginning")
	}
}
