package packet_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/packet"
	"github.com/parley-rtc/parley/media"
)

func TestClockNeverDrifts(t *testing.T) {
	// 30000/1001 frames a second for ten hours: rounding each step down
	// would lose more than a second.
	clock := packet.NewClockAt(media.VP8, 0)
	worst := int32(0)
	for i := range int64(10 * 3600 * 30) {
		at := time.Duration(i * 1001 * int64(time.Second) / 30000)
		off := int32(clock.RTP(at) - uint32(i*3003))
		worst = max(worst, off, -off)
	}
	require.LessOrEqual(t, worst, int32(1), "ticks")

	audio := packet.NewClockAt(media.Opus, 1000)
	for i := range int64(3600 * 50) {
		if got := audio.RTP(time.Duration(i) * 20 * time.Millisecond); got != uint32(1000+i*960) {
			t.Fatalf("packet %d: %d", i, got)
		}
	}
}

func TestClockIsExactOverTheWholeRange(t *testing.T) {
	r := seeded(t)
	for _, codec := range allCodecs {
		clock := packet.NewClockAt(codec, 77)
		for range 1000 {
			at := time.Duration(r.Int64())
			if r.IntN(2) == 0 {
				at = -at
			}
			// floor(at*rate/1e9 + 1/2), halves away from zero
			want := new(big.Rat).SetFrac(big.NewInt(int64(at)), big.NewInt(int64(time.Second)))
			want.Mul(want, big.NewRat(int64(codec.ClockRate()), 1))
			half := big.NewRat(1, 2)
			if at < 0 {
				half.Neg(half)
			}
			want.Add(want, half)
			ticks := new(big.Int).Quo(want.Num(), want.Denom())
			ticks.Add(ticks, big.NewInt(77)).And(ticks, big.NewInt(math.MaxUint32))
			require.Equal(t, uint32(ticks.Uint64()), clock.RTP(at), "%s at %d", codec, at)
		}
	}
}

func TestClockStartsAtRandom(t *testing.T) {
	seen := map[uint32]bool{}
	for range 8 {
		clock := packet.NewClock(media.VP8)
		seen[clock.RTP(0)] = true
	}
	require.Greater(t, len(seen), 1)
}
