package parley_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/internal/faultnet"
	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/synth"
	"github.com/stretchr/testify/require"
)

// robotCall is journey D2's: a robot with an H.264 camera that is passed on as
// it is, a microphone and telemetry, and an operator who has all of it.
type robotCall struct {
	*lab
	robot, operator *member
	seen, heard     *viewer
	told            *talk
}

func withRobot(t *testing.T, seed uint64, f func(c *robotCall)) {
	t.Helper()
	inLab(t, seed, func(l *lab) {
		_, clip := testclips.File(media.H264)
		src, err := file.NewReader(bytes.NewReader(clip), &file.Options{Loop: true, FrameRate: 25})
		require.NoError(l.t, err)
		front, err := parley.NewLocalVideoTrack(src, &parley.TrackOptions{Name: "front"})
		require.NoError(l.t, err)
		mic, err := parley.NewLocalAudioTrack(synth.Tone(), &parley.TrackOptions{Name: "mic"})
		require.NoError(l.t, err)
		l.t.Cleanup(front.Stop)
		l.t.Cleanup(mic.Stop)
		telemetry := dataTrack(l.t, "telemetry")
		c := &robotCall{lab: l, robot: l.join("robot", front, mic, telemetry), heard: &viewer{}}
		c.operator = l.join("operator")
		c.seen = c.operator.watch("robot", "front")
		sub, _ := await(c.operator, 0, func(e parley.TrackSubscribed) bool { return e.Track.Name() == "mic" })
		require.NoError(l.t, sub.Track.(*parley.RemoteAudioTrack).Attach(c.heard))
		c.told = l.talk(telemetry, c.operator, 20*time.Millisecond)
		c.seen.after(l.t, time.Now())
		c.heard.after(l.t, time.Now())
		time.Sleep(3 * time.Second)
		f(c)
	})
}

// identities are what must not change.
func (m *member) identities() (ids []string) {
	for _, p := range m.room.Participants() {
		ids = append(ids, p.SID())
		for _, pub := range p.Tracks() {
			ids = append(ids, pub.TrackSID())
		}
	}
	return append(ids, m.room.SID(), m.room.LocalParticipant().SID())
}

// Journey D2, step 10: from one network to another, the robot stays who it is,
// and nobody waits longer than three seconds.
func TestRobotChangesNetworks(t *testing.T) {
	withRobot(t, 10, func(c *robotCall) {
		before, sid := c.operator.identities(), c.robot.room.LocalParticipant().SID()
		mine, theirs, start := c.robot.log.mark(), c.operator.log.mark(), time.Now()
		c.robot.host.SwitchAddress("9.9.9.9")
		await[parley.Reconnected](c.robot, mine)
		time.Sleep(10 * time.Second)
		picture, sound := c.seen.gap(start), c.heard.gap(start)
		sent, lost := c.told.end()
		c.t.Logf("no picture for %v, no sound for %v, messages %d, lost %d", picture, sound, sent, lost)
		require.Less(c.t, picture, 3*time.Second)
		require.Less(c.t, sound, 3*time.Second)
		require.Zero(c.t, lost)
		require.Equal(c.t, []string{"Reconnecting", "Reconnected"}, c.robot.log.since(mine), c.robot.log)
		for _, e := range c.operator.log.since(theirs) {
			require.True(c.t, strings.HasPrefix(e, "ParticipantReconnect"), "%s: %s", e, c.operator.log)
		}
		require.Equal(c.t, before, c.operator.identities())
		require.Equal(c.t, sid, c.robot.room.LocalParticipant().SID())
	})
}

// Journey D2, step 8, as far as it needs no estimate of the bandwidth: what fits
// into 700 kbit/s arrives through them, with 2 % of the packets lost. The sound
// is whole, messages are on time, and the picture goes on.
func TestRobotOnANarrowLink(t *testing.T) {
	withRobot(t, 8, func(c *robotCall) {
		c.robot.host.Impair(func(send, receive *faultnet.Faults) {
			send.Rate, send.Loss = 700_000, 20
			receive.Rate, receive.Loss = 700_000, 20
		})
		mark, start := c.robot.log.mark(), time.Now()
		sounds, pictures := c.heard.count(), c.seen.count()
		offered := c.robot.host.Sent()
		const during = 30 * time.Second
		time.Sleep(during)
		sounds, pictures = c.heard.count()-sounds, c.seen.count()-pictures
		picture, sound, late := c.seen.gap(start), c.heard.gap(start), c.told.slowest(start)
		now := c.robot.host.Sent()
		sent, lost := c.told.end()
		c.t.Logf("%d packets, %d lost, %d too many; %d sounds, longest gap %v; %d pictures, longest gap %v; %d messages, lost %d, slowest %v",
			now.Offered-offered.Offered, now.Lost-offered.Lost, now.Overflowed-offered.Overflowed,
			sounds, sound, pictures, picture, sent, lost, late)
		require.Greater(c.t, now.Lost-offered.Lost, 10, "packets were lost")
		require.Zero(c.t, now.Overflowed-offered.Overflowed, "the link is wide enough")
		require.GreaterOrEqual(c.t, sounds, int(during/(20*time.Millisecond))*99/100)
		require.Less(c.t, sound, 300*time.Millisecond)
		require.GreaterOrEqual(c.t, pictures, int(during/framePace)*97/100)
		require.Less(c.t, picture, time.Second)
		require.Zero(c.t, lost)
		require.Less(c.t, late, time.Second)
		require.Empty(c.t, c.robot.log.since(mark), c.robot.log)
	})
}

// slowest is how long the slowest of the messages sent since then was under way.
func (k *talk) slowest(since time.Time) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	var slowest time.Duration
	for i, n := range k.got {
		if at := k.at[n]; at.After(since) {
			slowest = max(slowest, k.came[i].Sub(at))
		}
	}
	return slowest
}
