package sid_test

import (
	"math/bits"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/sid"
)

func TestNewIsValidAndFresh(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s := sid.New(sid.Room)
		require.Len(t, s, sid.Len)
		require.True(t, sid.Valid(s, sid.Room), s)
		require.False(t, sid.Valid(s, sid.Track), s)
		require.False(t, seen[s], s)
		seen[s] = true
	}
}

// T18: SIDs cannot be guessed from one another. Each hex digit of many SIDs is
// spread over all sixteen values, and half of the bits are set.
func TestT18SIDsAreSpread(t *testing.T) {
	const n = 4096
	var ones int
	var first [16]int
	for range n {
		hex := sid.New(sid.Participant)[2:]
		first[strings.IndexByte("0123456789abcdef", hex[0])]++
		for _, c := range []byte(hex) {
			ones += bits.OnesCount(uint(strings.IndexByte("0123456789abcdef", c)))
		}
	}
	require.InDelta(t, 0.5, float64(ones)/(n*128), 0.005)
	for digit, count := range first {
		require.InDelta(t, n/16, count, n/16/2, "digit %x", digit)
	}
}

func TestValid(t *testing.T) {
	hex := strings.Repeat("0f", 16)
	for s, want := range map[string]bool{
		"RM" + hex:                          true,
		"RM" + strings.ToUpper(hex):         false,
		"rm" + hex:                          false,
		"RM" + hex[1:]:                      false,
		"RM" + hex + "0":                    false,
		"RM" + hex[:31] + "g":               false,
		"RM../../../../../../../../../../a": false,
		"RM":                                false,
		"R":                                 false,
		"":                                  false,
	} {
		require.Equal(t, want, sid.Valid(s, sid.Room), "%q", s)
	}
}
