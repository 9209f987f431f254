package congestion

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestR16SenderFollowsThePath(t *testing.T) {
	s := newSimulation()
	s.rate, s.queue = 2_000_000, 250_000
	s.adapts(1_800_000)
	s.run(5 * time.Second)
	sent, _, _ := s.look()
	require.Greater(t, sent, 1_700_000)
	s.rate = 300_000
	s.free = s.now
	s.run(5 * time.Second)
	s.look()
	s.run(10 * time.Second)
	_, got, worst := s.look()
	require.Less(t, worst, 500*time.Millisecond)
	require.Greater(t, got, 240_000)
	require.Zero(t, s.lost)
	s.rate = 2_000_000
	s.run(19 * time.Second)
	s.look()
	s.run(time.Second)
	_, got, _ = s.look()
	require.Greater(t, got, 1_400_000)
}

// A server has one size of a video: all of it, or nothing.
func TestProbesFindThatThePathTakesMore(t *testing.T) {
	s := newSimulation()
	s.rate, s.queue = 2_000_000, 250_000
	const video = 1_400_000
	on, held := true, time.Duration(0)
	s.video = func() int {
		s.sender.Want(video)
		limit, _, ok := s.sender.MediaLimit(s.now)
		switch {
		case ok && on && limit < video:
			on, held = false, s.now+5*time.Second
		case !on && limit > video*6/5 && s.now >= held:
			on = true
		}
		if on {
			return video
		}
		return 0
	}
	s.run(5 * time.Second)
	require.Zero(t, s.fillers, "nothing is missing")
	s.rate = 300_000
	s.free = s.now
	s.run(5 * time.Second)
	s.look()
	s.run(25 * time.Second)
	sent, _, worst := s.look()
	require.False(t, on)
	require.Less(t, worst, 200*time.Millisecond)
	require.Less(t, sent, 90_000, "probes take little")
	s.rate = 2_000_000
	s.run(15 * time.Second)
	require.True(t, on)
	fillers := s.fillers
	s.run(30 * time.Second)
	require.True(t, on)
	require.Equal(t, fillers, s.fillers)
	require.Zero(t, s.lost)
}

func TestCleanPathHasNoLimit(t *testing.T) {
	for _, most := range []int{0, 200_000, 4_000_000} {
		s := newSimulation()
		s.adapts(most)
		s.run(20 * time.Second)
		require.Zero(t, s.sender.Limit())
		_, _, ok := s.sender.MediaLimit(s.now)
		require.False(t, ok)
		require.InDelta(t, most*106/100+57_000, s.sender.Delivered(), float64(most/10+10_000))
	}
}

func TestRandomLossIsNoLimit(t *testing.T) {
	for _, c := range []struct{ before, after float64 }{{0.2, 0.2}, {0, 0.2}, {0.35, 0.35}, {0, 0.4}} {
		s := newSimulation()
		s.back = 0.2
		s.loss = c.before
		s.adapts(1_800_000)
		s.run(20 * time.Second)
		s.loss = c.after
		s.run(5 * time.Second)
		s.look()
		s.run(20 * time.Second)
		sent, _, _ := s.look()
		assert.Greater(t, sent, 1_700_000, "%v", c)
	}
}

// A path that drops what is too much at once, without a queue.
func TestHeavyLossThatDependsOnTheRateIsALimit(t *testing.T) {
	s := newSimulation()
	s.police = 500_000
	s.adapts(1_800_000)
	s.run(5 * time.Second)
	s.look()
	s.run(20 * time.Second)
	sent, got, _ := s.look()
	require.Less(t, sent, 800_000)
	require.Greater(t, got, 450_000)
}

// Whoever can send a video only whole learns nothing from losses.
func TestLossIsNoLimitOfSteadySenders(t *testing.T) {
	s := newSimulation()
	s.sender.Steady = true
	s.video = func() int { return 1_000_000 }
	s.run(10 * time.Second)
	s.loss = 0.6
	s.run(20 * time.Second)
	require.Zero(t, s.sender.Limit())
}

// Where nothing at all is sent while a queue goes away, no report says that it
// has gone.
func TestSilenceEndsAQueue(t *testing.T) {
	s := newSimulation()
	s.sound = false
	s.rate, s.queue = 2_000_000, 250_000
	const video = 1_400_000
	on := true
	s.video = func() int {
		s.sender.Want(video)
		if limit, _, ok := s.sender.MediaLimit(s.now); ok {
			on = limit > video
		}
		if on {
			return video
		}
		return 0
	}
	s.run(5 * time.Second)
	s.rate = 300_000
	s.free = s.now
	s.run(20 * time.Second)
	require.False(t, on)
	s.rate = 2_000_000
	s.run(15 * time.Second)
	require.True(t, on)
}

func TestJitterIsNoQueue(t *testing.T) {
	s := newSimulation()
	s.jitter = 100 * time.Millisecond
	s.adapts(1_800_000)
	s.run(30 * time.Second)
	sent, _, _ := s.look()
	require.Greater(t, sent, 1_800_000)
	s.rate, s.queue = 1_000_000, 250_000
	s.run(5 * time.Second)
	s.look()
	s.run(20 * time.Second)
	_, got, worst := s.look()
	require.Less(t, worst, 500*time.Millisecond)
	require.Greater(t, got, 600_000)
}

func TestLongerWayIsNoQueue(t *testing.T) {
	s := newSimulation()
	s.adapts(1_800_000)
	s.run(15 * time.Second)
	s.look()
	s.delay = 150 * time.Millisecond
	s.run(10 * time.Second)
	sent, _, _ := s.look()
	require.Greater(t, sent, 1_800_000)
}

func TestBottlenecksAreFilled(t *testing.T) {
	for _, c := range []struct {
		rate  int
		delay time.Duration
	}{
		{200_000, 20 * time.Millisecond}, {1_000_000, 100 * time.Millisecond}, {1_000_000, 5 * time.Millisecond}, {6_000_000, 30 * time.Millisecond},
	} {
		s := newSimulation()
		s.rate, s.delay, s.queue = c.rate, c.delay, c.rate/8
		s.adapts(2 * c.rate)
		s.run(10 * time.Second)
		s.look()
		s.run(25 * time.Second)
		_, got, worst := s.look()
		assert.Greater(t, got, c.rate*85/100, "%v", c)
		assert.Less(t, worst, 350*time.Millisecond, "%v", c)
	}
}

// Key frames are a queue for a moment; the limit stays what the path takes.
func TestLargePicturesDoNotLowerTheLimitFarBelowThePath(t *testing.T) {
	s := newSimulation()
	s.whole = true
	s.rate, s.queue = 1_500_000, 250_000
	s.adapts(900_000)
	s.run(5 * time.Second)
	for range 200 {
		s.run(100 * time.Millisecond)
		require.Greater(t, s.sender.Limit(), 600_000)
	}
}

func TestLittleTrafficKeepsTheLimit(t *testing.T) {
	s := newSimulation()
	s.rate, s.queue = 1_000_000, 250_000
	video := 3_000_000
	s.video = func() int {
		if limit, _, ok := s.sender.MediaLimit(s.now); ok {
			return min(limit, video)
		}
		return video
	}
	s.run(10 * time.Second)
	video = 50_000
	s.run(time.Second)
	limit := s.sender.Limit()
	require.Greater(t, limit, 500_000)
	s.rate = 0
	s.run(60 * time.Second)
	require.InDelta(t, limit, s.sender.Limit(), float64(limit)/2, "neither lower nor far beyond what was seen")
}

func TestNothingIsConcludedFromSilence(t *testing.T) {
	s := newSimulation()
	s.back = 1
	s.adapts(2_000_000)
	s.run(20 * time.Second)
	require.Zero(t, s.sender.Limit())
	s.back = 0
	s.run(5 * time.Second)
	require.Zero(t, s.sender.Limit())
}

// An outage is no congestion.
func TestOutageIsNoLimit(t *testing.T) {
	s := newSimulation()
	s.adapts(1_800_000)
	s.run(5 * time.Second)
	s.loss, s.back = 1, 1
	s.run(6 * time.Second)
	s.loss, s.back = 0, 0
	s.run(3 * time.Second)
	require.Zero(t, s.sender.Limit())
}

func TestResetForgetsThePath(t *testing.T) {
	s := newSimulation()
	s.rate, s.queue = 300_000, 250_000
	s.adapts(1_000_000)
	s.run(5 * time.Second)
	require.NotZero(t, s.sender.Limit())
	s.sender.Reset()
	require.Zero(t, s.sender.Limit())
	s.rate, s.delay = 0, time.Second // what was under way does not count
	s.run(10 * time.Second)
	require.Zero(t, s.sender.Limit())
}

// Who lies about what has arrived harms nobody but itself: the limit stays
// within its bounds, and probes stay few.
func TestT24LiesStayWithinBounds(t *testing.T) {
	s := newSimulation()
	s.back = 1
	s.video = func() int { return 1_000_000 }
	random := rand.New(rand.NewPCG(3, 4))
	var lies Arrivals
	at, number := time.Duration(0), uint16(0)
	for range 30_000 {
		s.step()
		s.sender.Want(5_000_000)
		at += time.Duration(random.IntN(200)-50) * time.Millisecond / 10
		number += uint16(random.IntN(3))
		lies.Add(max(at, 0), number, 1)
		if random.IntN(20) == 0 {
			s.sender.Report(s.now, lies.Report(max(at, 0), nil))
		}
		if limit := s.sender.Limit(); limit != 0 {
			require.GreaterOrEqual(t, limit, MinLimit)
			require.LessOrEqual(t, limit, MaxLimit)
		}
	}
	require.Less(t, s.fillers*(FillerSize+Overhead)*8/30, 300_000, "bits per second of probes")
}

func TestSendingAllocatesNothing(t *testing.T) {
	var s Sender
	var a Arrivals
	now := time.Duration(0)
	buf := make([]byte, 0, 1500)
	round := func() {
		for range 20 {
			now += 5 * time.Millisecond
			a.Add(now, s.Sent(now, 1000, Media), 1)
		}
		s.Report(now, a.Report(now, buf))
		s.Probe(now)
	}
	for range 1000 {
		round()
	}
	require.Zero(t, testing.AllocsPerRun(1000, round))
}

func BenchmarkSent(b *testing.B) {
	var s Sender
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now += time.Millisecond
		s.Sent(now, 1000, Media)
	}
}
