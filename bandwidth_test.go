package parley_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

func profiled(p parley.BandwidthProfile) func(*parley.ConnectOptions) {
	return func(o *parley.ConnectOptions) { o.BandwidthProfile = &p }
}

func (l *lab) joinWith(name string, change ...func(*parley.ConnectOptions)) *member {
	l.t.Helper()
	m, err := l.dial(l.t.Context(), name, change...)
	require.NoError(l.t, err)
	return m
}

// film publishes a picture of that name with a priority.
func (m *member) film(name string, priority parley.Priority) *parley.LocalTrackPublication {
	m.t.Helper()
	track, err := parley.NewLocalVideoTrack(synth.Video(), &parley.TrackOptions{Name: name})
	require.NoError(m.t, err)
	m.t.Cleanup(track.Stop)
	pub, err := m.room.LocalParticipant().PublishTrack(m.t.Context(), track, &parley.PublishOptions{Priority: priority})
	require.NoError(m.t, err)
	return pub
}

// screen is a remote video track and what is seen of it.
type screen struct {
	*parley.RemoteVideoTrack
	m *member

	mu      sync.Mutex
	samples []media.Sample
	times   []time.Time
}

func (s *screen) WriteSample(sample media.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, sample)
	s.times = append(s.times, time.Now())
	return nil
}

func (m *member) screen(name string) *screen {
	m.t.Helper()
	sub, _ := await(m, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == name })
	s := &screen{RemoteVideoTrack: sub.Track.(*parley.RemoteVideoTrack), m: m}
	require.NoError(m.t, s.Attach(s))
	return s
}

// isOff makes sure that the track is switched off by the end of 10 s and that
// no packet of it comes from then on; isOn that it is on, begins with a key
// frame after a pause, and goes on.
func (s *screen) isOff() {
	s.m.t.Helper()
	s.becomes(true)
	time.Sleep(200 * time.Millisecond) // what was under way
	before := s.Stats().Packets
	time.Sleep(3 * time.Second)
	require.Equal(s.m.t, before, s.Stats().Packets, "packets of %s", s.Name())
}

func (s *screen) isOn() {
	s.m.t.Helper()
	s.becomes(false)
	at := time.Now()
	time.Sleep(3 * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, last := 0, time.Time{}
	for i, t := range s.times {
		if t.After(at) {
			seen++
		}
		if !last.IsZero() && t.Sub(last) > 2*time.Second {
			require.True(s.m.t, s.samples[i].Keyframe, "%s goes on with a key frame", s.Name())
			require.Less(s.m.t, s.samples[i].Lost, 50, "%s: packets that were not sent are not lost", s.Name())
		}
		last = t
	}
	require.Greater(s.m.t, seen, 50, "frames of %s", s.Name())
}

func (s *screen) becomes(off bool) {
	s.m.t.Helper()
	for until := time.Now().Add(10 * time.Second); s.IsSwitchedOff() != off; time.Sleep(10 * time.Millisecond) {
		require.True(s.m.t, time.Now().Before(until), "%s: switched off is not %t: %s", s.Name(), off, s.m.log)
	}
}

func TestMaxTracksFollowsPriorities(t *testing.T) {
	inLab(t, 84, func(l *lab) {
		alice, bob := l.join("alice"), l.join("bob")
		film := alice.film("low", parley.PriorityLow)
		bob.film("standard", "")
		carol := l.joinWith("carol", profiled(parley.BandwidthProfile{MaxTracks: 1}))
		low, standard := carol.screen("low"), carol.screen("standard")
		require.Equal(t, parley.PriorityLow, low.Publication().PublishPriority())
		low.isOff()
		standard.isOn()
		require.True(t, low.Publication().IsSubscribed(), "it stays subscribed")

		// The subscriber's own priority, and back.
		mark := carol.log.mark()
		require.NoError(t, low.SetPriority(parley.PriorityHigh))
		low.isOn()
		standard.isOff()
		require.Equal(t, parley.PriorityHigh, low.Priority())
		await(carol, mark, func(e parley.TrackSwitchedOn) bool {
			return e.Track == low.RemoteVideoTrack && e.Participant.Identity() == "alice"
		})
		await(carol, mark, func(e parley.TrackSwitchedOff) bool {
			return e.Track == standard.RemoteVideoTrack && e.Participant.Identity() == "bob"
		})
		require.NoError(t, low.SetPriority(""))
		low.isOff()
		standard.isOn()

		// The publisher's.
		mark = carol.log.mark()
		require.NoError(t, film.SetPriority(parley.PriorityHigh))
		changed, _ := await[parley.TrackPublishPriorityChanged](carol, mark)
		require.Equal(t, parley.PriorityHigh, changed.Priority)
		require.Equal(t, low.Publication(), changed.Publication)
		low.isOn()
		standard.isOff()

		// When it goes the other comes.
		require.NoError(t, film.Unpublish(l.t.Context()))
		standard.isOn()
	})
}

func TestOfEqualTracksTheOldestStays(t *testing.T) {
	inLab(t, 85, func(l *lab) {
		alice, bob := l.join("alice"), l.join("bob")
		carol := l.joinWith("carol", profiled(parley.BandwidthProfile{MaxTracks: 1}))
		alice.film("first", "")
		first := carol.screen("first")
		first.isOn()
		bob.film("second", "")
		carol.screen("second").isOff()
		first.isOn()
		require.NotContains(t, carol.log.since(0), "TrackSwitchedOn", "nothing flaps")
	})
}

func TestBandwidthLimitHoldsForMeasuredBitrates(t *testing.T) {
	inLab(t, 86, func(l *lab) {
		alice := l.join("alice")
		alice.film("low", parley.PriorityLow)
		alice.film("standard", "")
		alice.film("high", parley.PriorityHigh)
		carol := l.joinWith("carol", profiled(parley.BandwidthProfile{}))
		screens := []*screen{carol.screen("low"), carol.screen("standard"), carol.screen("high")}
		rate := func(over time.Duration) (bits int) {
			before := int64(0)
			for _, s := range screens {
				before += s.Stats().Bytes
			}
			time.Sleep(over)
			after := int64(0)
			for _, s := range screens {
				after += s.Stats().Bytes
			}
			return int(float64(after-before) * 8 / over.Seconds())
		}
		for _, s := range screens {
			s.isOn()
		}
		all := rate(10 * time.Second)
		limit := func(bits int) {
			t.Helper()
			require.NoError(t, carol.room.LocalParticipant().SetBandwidthProfile(parley.BandwidthProfile{MaxBitrate: bits}))
		}
		limit(all * 5 / 6)
		screens[0].isOff()
		screens[1].isOn()
		screens[2].isOn()
		got := rate(10 * time.Second)
		t.Logf("%d kb/s of all, %d kb/s of at most %d", all/1000, got/1000, all*5/6/1000)
		require.Less(t, got, all*5/6)
		mark := carol.log.mark()
		time.Sleep(time.Minute)
		require.Empty(t, carol.log.since(mark), "nothing flaps")

		limit(all / 2)
		screens[1].isOff()
		screens[2].isOn()
		require.Less(t, rate(10*time.Second), all/2)
		limit(1000)
		screens[2].isOn() // whatever it takes
		limit(0)
		for _, s := range screens {
			s.isOn()
		}
	})
}

func TestSwitchOffModesDifferInTime(t *testing.T) {
	for mode, c := range map[signaling.SwitchOffMode]struct{ least, most time.Duration }{
		parley.SwitchOffPredicted: {0, time.Second},
		parley.SwitchOffDetected:  {2 * time.Second, 4 * time.Second},
		parley.SwitchOffDisabled:  {},
	} {
		t.Run(string(mode), func(t *testing.T) {
			inLab(t, 90, func(l *lab) {
				alice := l.join("alice")
				alice.film("low", parley.PriorityLow)
				alice.film("high", parley.PriorityHigh)
				carol := l.joinWith("carol", profiled(parley.BandwidthProfile{}))
				low, high := carol.screen("low"), carol.screen("high")
				low.isOn()
				high.isOn()
				time.Sleep(5 * time.Second)
				mark, at := carol.log.mark(), time.Now()
				require.NoError(t, carol.room.LocalParticipant().SetBandwidthProfile(parley.BandwidthProfile{MaxBitrate: 1000, SwitchOff: mode}))
				if c.most == 0 {
					time.Sleep(10 * time.Second)
					require.Empty(t, carol.log.since(mark))
					return
				}
				off, when := await[parley.TrackSwitchedOff](carol, mark)
				require.Equal(t, "low", off.Track.Name())
				require.GreaterOrEqual(t, when.Sub(at), c.least)
				require.LessOrEqual(t, when.Sub(at), c.most)
				low.isOff()
				high.isOn()
			})
		})
	}
}

func TestSwitchingOffByHand(t *testing.T) {
	inLab(t, 87, func(l *lab) {
		alice := l.join("alice")
		alice.film("picture", "")
		carol := l.joinWith("carol", profiled(parley.BandwidthProfile{}))
		plain := l.join("plain").screen("picture")
		s := carol.screen("picture")
		s.isOn()
		require.NoError(t, s.SwitchOff())
		s.isOff()
		plain.isOn()
		require.NoError(t, s.SetContentPreferences(320, 180))
		require.NoError(t, s.SwitchOn())
		s.isOn()

		require.ErrorIs(t, s.SetContentPreferences(-1, 180), parley.ErrOption)
		require.ErrorIs(t, s.SetContentPreferences(0, 180), parley.ErrOption)
		require.ErrorIs(t, s.SetPriority("highest"), parley.ErrOption)
		for _, err := range []error{
			plain.SwitchOff(), plain.SwitchOn(), plain.SetContentPreferences(1, 1), plain.SetPriority(parley.PriorityLow),
			plain.m.room.LocalParticipant().SetBandwidthProfile(parley.BandwidthProfile{}),
		} {
			require.ErrorContains(t, err, "BandwidthProfile")
			require.ErrorIs(t, err, parley.ErrOption)
		}
		plain.isOn()
	})
}

func TestWhatWasAskedOutlivesReconnecting(t *testing.T) {
	inLab(t, 88, func(l *lab) {
		alice := l.join("alice")
		alice.film("a", "")
		alice.film("b", "")
		alice.film("c", "")
		carol := l.joinWith("carol", profiled(parley.BandwidthProfile{MaxTracks: 1}))
		a, b, c := carol.screen("a"), carol.screen("b"), carol.screen("c")
		require.NoError(t, a.SwitchOff())
		require.NoError(t, c.SetPriority(parley.PriorityHigh))
		as := func() {
			t.Helper()
			a.isOff()
			b.isOff()
			c.isOn()
		}
		as()

		// The session is taken up again.
		mark := carol.log.mark()
		carol.lines.reset()
		await[parley.Reconnected](carol, mark)
		as()
		require.NotContains(t, carol.log.since(mark), "TrackSwitchedOn")

		// What is asked meanwhile is told then.
		mark = carol.log.mark()
		carol.lines.now().silent.Store(true)
		require.NoError(t, c.SetPriority(""))
		carol.lines.reset()
		await[parley.Reconnected](carol, mark)
		b.isOn()
		c.isOff()
		require.NoError(t, c.SetPriority(parley.PriorityHigh))
		as()

		// A server that knows nothing any more is told everything, about those
		// who are there as before.
		mark = carol.log.mark()
		carol.host.SetBlackhole(true)
		l.kill()
		l.start()
		await[parley.Reconnected](alice, 0)
		carol.host.SetBlackhole(false)
		await[parley.Reconnected](carol, mark)
		require.NotContains(t, carol.log.since(mark), "TrackUnsubscribed alice/a")
		as()
	})
}

func TestManyWishesAreTold(t *testing.T) {
	inLab(t, 89, func(l *lab) {
		carol := l.joinWith("carol", profiled(parley.BandwidthProfile{}))
		for i := range 2 {
			m := l.join(fmt.Sprint("p", i))
			for j := range 11 {
				m.film(fmt.Sprintf("%d-%d", i, j), "")
			}
		}
		var screens []*screen
		for i := range 2 {
			for j := range 11 {
				screens = append(screens, carol.screen(fmt.Sprintf("%d-%d", i, j)))
			}
		}
		for range 50 { // far more than a server would hear
			for _, s := range screens {
				require.NoError(t, s.SetPriority(parley.PriorityHigh))
				require.NoError(t, s.SwitchOn())
				require.NoError(t, s.SwitchOff())
			}
		}
		for _, s := range screens {
			s.becomes(true)
		}
		require.NotContains(t, carol.log.since(0), "Reconnecting")
	})
}

func TestBandwidthProfilesAreChecked(t *testing.T) {
	for _, p := range []parley.BandwidthProfile{
		{Mode: "x"},
		{SwitchOff: "x"},
		{SpeakerPriority: "x"},
		{MaxBitrate: -1},
		{MaxTracks: -1},
		{RenderDimensions: &parley.RenderDimensions{Low: parley.Dimensions{Width: -1}}},
	} {
		_, err := parley.Connect("token", &parley.ConnectOptions{URL: "ws://127.0.0.1:1/signaling", BandwidthProfile: &p})
		require.ErrorIs(t, err, parley.ErrOption, "%+v", p)
	}
}
