package admission_test

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/sfu/admission"
)

var (
	start = time.Unix(1_800_000_000, 0)
	alice = netip.MustParseAddr("203.0.113.7")
	bob   = netip.MustParseAddr("203.0.113.8")
)

// T10: a flood from one address is refused and leaves others alone.
func TestT10RateFloodOfOneAddress(t *testing.T) {
	r := admission.Rate{PerSecond: 10}
	var admitted int
	for i := range 5000 { // 500 per second for ten seconds
		if ok, retry := r.Allow(alice, start.Add(time.Duration(i)*2*time.Millisecond)); ok {
			admitted++
		} else {
			require.Positive(t, retry)
			require.LessOrEqual(t, retry, 10*time.Second)
		}
	}
	require.InDelta(t, 10+100, admitted, 1, "the burst, and ten per second")
	ok, _ := r.Allow(bob, start.Add(10*time.Second))
	require.True(t, ok)
}

func TestRateTellsWhenToComeBack(t *testing.T) {
	r := admission.Rate{PerSecond: 3, Burst: 2}
	for range 2 {
		ok, _ := r.Allow(alice, start)
		require.True(t, ok)
	}
	ok, retry := r.Allow(alice, start)
	require.False(t, ok)
	ok, _ = r.Allow(alice, start.Add(retry-time.Millisecond))
	require.False(t, ok)
	ok, _ = r.Allow(alice, start.Add(retry))
	require.True(t, ok)

	ok, _ = r.Allow(alice, start.Add(-time.Hour))
	require.False(t, ok, "a clock that leaps back gives nothing")
	ok, _ = r.Allow(alice, start.Add(-time.Hour+time.Second))
	require.True(t, ok, "and blocks nobody for an hour")

	never := admission.Rate{}
	ok, _ = never.Allow(alice, start)
	require.True(t, ok)
	ok, retry = never.Allow(alice, start.Add(time.Hour))
	require.False(t, ok)
	require.Negative(t, retry)
}

func TestRateSpreadsACrowd(t *testing.T) {
	r := admission.Rate{PerSecond: 10, Burst: 20}
	var again []time.Time
	for i := range 100 {
		ok, retry := r.Allow(alice, start)
		require.Equal(t, i < 20, ok)
		if !ok {
			again = append(again, start.Add(retry))
		}
	}
	for i, at := range again {
		ok, _ := r.Allow(alice, at)
		require.True(t, ok, "%d of those who were refused, after %v", i, at.Sub(start))
	}
	require.Equal(t, 8*time.Second, again[79].Sub(start))
}

func TestRateCountsNetworks(t *testing.T) {
	r := admission.Rate{PerSecond: 1}
	allow := func(s string) bool {
		ok, _ := r.Allow(netip.MustParseAddr(s), start)
		return ok
	}
	require.True(t, allow("2606:4700::1"))
	require.False(t, allow("2606:4700::2"), "one network of 64 bits")
	require.False(t, allow("2606:4700::3%eth0"))
	require.True(t, allow("2606:4700:0:1::1"))
	require.True(t, allow("203.0.113.7"))
	require.False(t, allow("::ffff:203.0.113.7"), "the same address")
	require.True(t, allow("203.0.113.8"))
	ok, _ := r.Allow(netip.Addr{}, start)
	require.True(t, ok)
	ok, _ = r.Allow(netip.Addr{}, start)
	require.False(t, ok)
}

// However many addresses come, the table stays small, and who floods stays in.
func TestT10RateTableIsBounded(t *testing.T) {
	r := admission.Rate{PerSecond: 1, Networks: 100}
	var admitted int
	fill := func() {
		for i := range uint32(50_000) {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], 0x0b000000+i)
			r.Allow(netip.AddrFrom4(b), start)
			if i%50 == 0 {
				if ok, _ := r.Allow(alice, start); ok {
					admitted++
				}
			}
		}
	}
	require.Less(t, allocated(fill), uint64(20<<20))
	require.Equal(t, 1, admitted, "who keeps coming is not forgotten")
	require.LessOrEqual(t, r.Len(), 100)
}

func TestSocketsPerNetwork(t *testing.T) {
	s := admission.Sockets{PerNetwork: 2}
	first, ok := s.Acquire(alice)
	require.True(t, ok)
	second, ok := s.Acquire(alice)
	require.True(t, ok)
	refused, ok := s.Acquire(alice)
	require.False(t, ok)
	refused() // harmless
	_, ok = s.Acquire(alice)
	require.False(t, ok)
	other, ok := s.Acquire(bob)
	require.True(t, ok)

	first()
	first() // counts once
	third, ok := s.Acquire(alice)
	require.True(t, ok)
	_, ok = s.Acquire(alice)
	require.False(t, ok)
	for _, release := range []func(){second, third, other} {
		release()
	}
	require.Zero(t, s.Len(), "nothing is remembered of who left")
}

func TestSocketsConcurrently(t *testing.T) {
	var s admission.Sockets
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if release, ok := s.Acquire(alice); ok {
					release()
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, s.Len())
}

// T17: what a network has left can be looked at without taking it.
func TestT17RateCanBeLookedAt(t *testing.T) {
	r := admission.Rate{PerSecond: 10. / 60, Burst: 10}
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	at := time.Unix(1_800_000_000, 0)
	for range 10 {
		for range 3 {
			spent, _ := r.Spent(a, at)
			require.False(t, spent)
		}
		ok, _ := r.Allow(a, at)
		require.True(t, ok)
	}
	spent, after := r.Spent(a, at)
	require.True(t, spent)
	require.Equal(t, 6*time.Second, after)
	spent, _ = r.Spent(b, at)
	require.False(t, spent, "others are not concerned")
	spent, after = r.Spent(a, at.Add(5*time.Second))
	require.True(t, spent)
	require.Equal(t, time.Second, after.Round(time.Millisecond))
	spent, _ = r.Spent(a, at.Add(-time.Hour))
	require.True(t, spent, "a clock that leaps back gives nothing")
	spent, _ = r.Spent(a, at.Add(-time.Hour+time.Second+time.Millisecond))
	require.False(t, spent)
	spent, _ = r.Spent(a, at.Add(time.Hour))
	require.False(t, spent)
	for i := range 12 { // never more than a burst
		ok, _ := r.Allow(a, at.Add(time.Hour))
		require.Equal(t, i < 10, ok)
	}
}
