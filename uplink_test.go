package parley_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/stretchr/testify/require"
)

// The uplink of a publisher falls and recovers: its encoder follows, sound and
// messages pass, and the encoder is let go when there is room for it again.
func TestR16UplinkFallsAndRecovers(t *testing.T) {
	inLab(t, 161, func(l *lab) {
		src, data := newEncoder(1_300_000), dataTrack(l.t, "data")
		alice := l.join("alice", tone(l.t), sending(l.t, "film", src), data)
		bob := l.join("bob")
		set := func(rate int) {
			alice.host.Impair(func(send, _ *faultnet.Faults) { narrow(rate)(send) })
		}
		set(2_000_000)
		sound, film, talk := bob.hears("tone"), bob.hears("film"), l.talk(data, bob, 100*time.Millisecond)
		time.Sleep(5 * time.Second)
		require.Greater(t, film.rate(time.Second), 1_200_000)
		require.Zero(t, src.aim.Load(), "nothing holds it back")

		fell := time.Now()
		set(300_000)
		for src.aim.Load() == 0 || src.aim.Load() > 250_000 {
			time.Sleep(10 * time.Millisecond)
			require.Less(t, time.Since(fell), 5*time.Second)
		}
		followed := time.Since(fell)
		time.Sleep(time.Until(fell.Add(5 * time.Second)))
		settled := time.Now()
		time.Sleep(5 * time.Second)
		stats, err := alice.room.Stats(l.t.Context())
		require.NoError(t, err)
		require.Less(t, stats.AvailableOutgoingBitrate, 300_000)
		require.Positive(t, stats.AvailableOutgoingBitrate)
		during := film.rate(5 * time.Second)
		_, late := sound.since(settled)
		_, pictures := film.since(settled)
		t.Logf("R16 uplink 2 Mbit/s -> 300 kbit/s: the encoder follows after %v; then pictures %d bit/s, %v late at most, sound %v", followed, during, pictures, late)
		require.Less(t, late, 500*time.Millisecond)
		require.Less(t, pictures, time.Second)
		require.Greater(t, during, 120_000)
		soundHolds(t, sound, fell)

		rose := time.Now()
		set(2_000_000)
		time.Sleep(19 * time.Second)
		after := film.rate(time.Second)
		t.Logf("R16 uplink 300 kbit/s -> 2 Mbit/s: pictures %d bit/s after 20 s", after)
		require.Greater(t, after, 1_300_000*7/10)
		for src.aim.Load() != 0 {
			time.Sleep(100 * time.Millisecond)
			require.Less(t, time.Since(rose), time.Minute, "it is let go")
		}
		soundHolds(t, sound, fell)
		_, lost := talk.end()
		require.Zero(t, lost)
	})
}

// Several encoders share what there is: who wants little gets that, and who
// cannot follow is left alone.
func TestUplinkIsShared(t *testing.T) {
	inLab(t, 162, func(l *lab) {
		large, small, file := newEncoder(1_500_000), newEncoder(100_000), newEncoder(150_000)
		alice := l.join("alice", sending(l.t, "large", large), sending(l.t, "small", small), sending(l.t, "file", fixed{file}))
		bob := l.join("bob")
		bob.hears("large")
		_, _ = bob.hears("small"), bob.hears("file")
		time.Sleep(5 * time.Second)
		require.Zero(t, large.aim.Load())
		alice.host.Impair(func(send, _ *faultnet.Faults) { narrow(800_000)(send) })
		time.Sleep(20 * time.Second)
		t.Logf("of 800 kbit/s: large %d, small %d, besides a file of %d bit/s", large.aim.Load(), small.aim.Load(), file.natural)
		require.Greater(t, large.aim.Load(), int64(250_000))
		require.Less(t, large.aim.Load(), int64(700_000))
		require.InDelta(t, 100_000, small.aim.Load(), 15_000)
		require.Zero(t, file.aim.Load())
		alice.host.Impair(func(send, _ *faultnet.Faults) { send.Rate = 0 })
		for large.aim.Load() != 0 || small.aim.Load() != 0 {
			time.Sleep(time.Second)
		}
	})
}

// Losses that have nothing to do with how much is sent hold nobody back for long.
func TestLossyUplinkIsNotNarrow(t *testing.T) {
	for _, permille := range []int{50, 200} {
		inLab(t, 163, func(l *lab) {
			src := newEncoder(1_300_000)
			alice := l.join("alice", sending(l.t, "film", src))
			film := l.join("bob").hears("film")
			time.Sleep(3 * time.Second)
			alice.host.SetLoss(permille)
			rate := film.rate(time.Minute)
			t.Logf("%d per mille lost both ways: %d bit/s arrive", permille, rate)
			require.Greater(t, rate, 1_000_000)
		})
	}
}

// Another path has shown no limit yet: after a change of network and after a
// full reconnect an encoder is free at first.
func TestAnotherPathIsNotNarrow(t *testing.T) {
	for _, way := range []string{"network", "server"} {
		inLab(t, 164, func(l *lab) {
			src := newEncoder(1_300_000)
			alice := l.join("alice", sending(l.t, "film", src))
			l.join("bob").hears("film")
			time.Sleep(3 * time.Second)
			alice.host.Impair(func(send, _ *faultnet.Faults) { narrow(300_000)(send) })
			time.Sleep(5 * time.Second)
			require.Positive(t, src.aim.Load())
			mark, changed := alice.log.mark(), time.Now()
			alice.host.Impair(func(send, _ *faultnet.Faults) { send.Rate = 0 })
			if way == "network" {
				alice.host.SwitchAddress("9.9.9.9")
				alice.room.NetworkChanged()
			} else {
				l.kill()
				l.start()
			}
			await[parley.Reconnected](alice, mark)
			for src.aim.Load() != 0 {
				time.Sleep(10 * time.Millisecond)
				require.Less(t, time.Since(changed), 10*time.Second)
			}
			t.Logf("another %s: free after %v", way, time.Since(changed))
		})
	}
}
