package parley_test

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/stretchr/testify/require"
)

// voice is sound of which only its level matters.
type voice struct {
	track *parley.LocalAudioTrack
	level atomic.Int32
	at    time.Duration
	done  chan struct{}
	once  sync.Once
}

func newVoice(t *testing.T, level int32) *voice {
	t.Helper()
	v := &voice{done: make(chan struct{})}
	v.level.Store(level)
	track, err := parley.NewLocalAudioTrack(v, &parley.TrackOptions{Name: "voice"})
	require.NoError(t, err)
	t.Cleanup(track.Stop)
	v.track = track
	return v
}

func (v *voice) Codec() media.Codec { return media.Opus }

func (v *voice) Next(ctx context.Context) (media.Sample, error) {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return media.Sample{}, ctx.Err()
	case <-v.done:
		return media.Sample{}, io.EOF
	}
	v.at += 20 * time.Millisecond
	return media.Sample{
		Codec: media.Opus, Data: []byte{0xf8, 0xff, 0xfe}, Timestamp: v.at, Keyframe: true, Level: int(v.level.Load()),
	}, nil
}

func (v *voice) Close() error {
	v.once.Do(func() { close(v.done) })
	return nil
}

func hearing(o *parley.ConnectOptions) { o.DominantSpeaker = true }

// speaker waits until the member hears that somebody is the dominant speaker,
// nil for nobody, and returns how long that took since a time.
func (m *member) speaker(mark int, who string, since time.Time) time.Duration {
	m.t.Helper()
	_, at := await(m, mark, func(e parley.DominantSpeakerChanged) bool {
		return who == "" && e.Participant == nil || e.Participant != nil && e.Participant.Identity() == who
	})
	return at.Sub(since)
}

func TestC86TheDominantSpeakerIsTold(t *testing.T) {
	inLab(t, 86, func(l *lab) {
		alice, carol := newVoice(l.t, -127), newVoice(l.t, -127)
		l.join("alice", alice.track)
		c := l.join("carol", carol.track)
		bob, err := l.dial(l.t.Context(), "bob", hearing)
		require.NoError(l.t, err)
		deaf := l.join("dave")
		time.Sleep(3 * time.Second)
		require.Nil(l.t, bob.room.DominantSpeaker())

		mark, start := bob.log.mark(), time.Now()
		alice.level.Store(-20)
		require.InDelta(l.t, 300, bob.speaker(mark, "alice", start).Milliseconds(), 100)
		require.Equal(l.t, "alice", bob.room.DominantSpeaker().Identity())
		time.Sleep(2 * time.Second)

		mark, start = bob.log.mark(), time.Now()
		carol.level.Store(-10)
		require.InDelta(l.t, 750, bob.speaker(mark, "carol", start).Milliseconds(), 150)
		time.Sleep(2 * time.Second)

		mark, start = bob.log.mark(), time.Now()
		carol.track.Disable()
		require.InDelta(l.t, 900, bob.speaker(mark, "alice", start).Milliseconds(), 300)
		time.Sleep(time.Second)

		// Who is away hears the latest when it is back.
		mark = bob.log.mark()
		bob.host.SetBlackhole(true)
		carol.track.Enable()
		time.Sleep(3 * time.Second)
		require.Equal(l.t, "alice", bob.room.DominantSpeaker().Identity())
		bob.host.SetBlackhole(false)
		bob.speaker(mark, "carol", time.Now())
		erin, err := l.dial(l.t.Context(), "erin", hearing)
		require.NoError(l.t, err)
		erin.speaker(0, "carol", time.Now())
		require.Equal(l.t, "carol", erin.room.DominantSpeaker().Identity())

		time.Sleep(time.Second)
		// The departure first, then who speaks now, at once.
		mark, start = bob.log.mark(), time.Now()
		c.leave()
		require.Less(l.t, bob.speaker(mark, "alice", start), 100*time.Millisecond)
		require.Equal(l.t, []string{
			"TrackUnsubscribed carol/voice", "ParticipantDisconnected carol", "DominantSpeakerChanged",
		}, bob.log.since(mark), bob.log)

		mark, start = bob.log.mark(), time.Now()
		alice.level.Store(-127)
		require.InDelta(l.t, 3000, bob.speaker(mark, "", start).Milliseconds(), 800)
		require.Nil(l.t, bob.room.DominantSpeaker())
		require.NotContains(l.t, deaf.log.since(0), "DominantSpeakerChanged", "who did not ask")
	})
}

func TestTheDominantSpeakerIsToldAfterAFullReconnect(t *testing.T) {
	inLab(t, 87, func(l *lab) {
		alice := newVoice(l.t, -20)
		l.join("alice", alice.track)
		bob, err := l.dial(l.t.Context(), "bob", hearing)
		require.NoError(l.t, err)
		bob.speaker(0, "alice", time.Now())
		mark := bob.log.mark()
		l.kill()
		l.start()
		await[parley.Reconnected](bob, mark)
		bob.speaker(mark, "", time.Now())
		bob.speaker(mark, "alice", time.Now())
		require.Equal(l.t, "alice", bob.room.DominantSpeaker().Identity())
	})
}
