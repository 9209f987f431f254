package parley_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/stretchr/testify/require"
)

// TestR33OrderThroughRandomFaults lets people come, publish, lose their network
// or their server, and go, at random; the lab's order checker judges what each
// of them was told, as it does in every other test here.
func TestR33OrderThroughRandomFaults(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inLab(t, seed, func(l *lab) {
				s := &stroll{lab: l, rnd: rand.New(rand.NewPCG(seed, 33))}
				for range 30 {
					s.step()
				}
				if l.srv == nil {
					l.start()
				}
				// Whoever can comes back. One that left while it was cut off is
				// silent for 15 s before its session's 30 s begin.
				time.Sleep(50 * time.Second)
				for _, m := range s.here {
					require.Equal(l.t, parley.StateConnected, m.room.State(), "%s: %s", m.name, m.log)
					require.Len(l.t, m.room.Participants(), len(s.here)-1, "%s: %s", m.name, m.log)
				}
			})
		})
	}
}

type stroll struct {
	*lab
	rnd    *rand.Rand
	here   []*member
	joined int
	moves  int
	tracks map[*member]parley.LocalTrack
}

func (s *stroll) step() {
	if len(s.here) < 2 || (len(s.here) < 5 && s.rnd.IntN(4) == 0) {
		s.joined++
		data, err := parley.NewLocalDataTrack(nil)
		require.NoError(s.t, err)
		s.here = append(s.here, s.join(fmt.Sprint("m", s.joined), data))
		return
	}
	i := s.rnd.IntN(len(s.here))
	m := s.here[i]
	switch s.rnd.IntN(7) {
	case 0:
		m.leave()
		s.here = append(s.here[:i:i], s.here[i+1:]...)
	case 1:
		m.lines.reset()
	case 2:
		m.host.BlockUDP(true)
		time.Sleep(time.Duration(s.rnd.IntN(6000)) * time.Millisecond)
		m.host.BlockUDP(false)
	case 3:
		s.moves++
		m.host.SwitchAddress(fmt.Sprintf("9.9.9.%d", s.moves))
		m.room.NetworkChanged()
	case 4, 5:
		s.publish(m)
	case 6:
		s.kill()
		time.Sleep(time.Duration(s.rnd.IntN(3000)) * time.Millisecond)
		s.start()
	}
	time.Sleep(time.Duration(s.rnd.IntN(2000)) * time.Millisecond)
}

// publish publishes a track of the member's, or withdraws it.
func (s *stroll) publish(m *member) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer cancel()
	if s.tracks == nil {
		s.tracks = map[*member]parley.LocalTrack{}
	}
	if track := s.tracks[m]; track != nil {
		delete(s.tracks, m)
		_ = m.room.LocalParticipant().UnpublishTrack(ctx, track) // it may be reconnecting
		return
	}
	track, err := parley.NewLocalDataTrack(nil)
	require.NoError(s.t, err)
	s.tracks[m] = track
	_, _ = m.room.LocalParticipant().PublishTrack(ctx, track, nil) // it may be reconnecting
}
