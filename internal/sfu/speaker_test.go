package sfu

import (
	"strings"
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/signaling"
	"github.com/stretchr/testify/require"
)

// stage is a room in which it is told how loud everybody is.
type stage struct {
	speakers speakers
	members  []*member
	ticks    int
}

func newStage(names ...string) *stage {
	s := &stage{}
	for _, name := range names {
		s.members = append(s.members, &member{sid: name, tracks: []track{voice(), voice()}})
	}
	return s
}

func voice() track {
	pub := &publication{kind: signaling.KindAudio, up: newUplink(media.Audio, 0)}
	return track{publication: pub, enabled: true}
}

// sound lets the members talk at these levels for so many ticks, five packets
// in each, and returns who was the speaker when: "a" from the first tick on,
// "b@12" from the twelfth.
func (s *stage) sound(ticks int, levels ...int) (changes string) {
	for range ticks {
		s.ticks++
		for i, m := range s.members {
			for range 5 {
				m.tracks[0].up.loud.hear(levels[i])
			}
			m.listen()
		}
		if sid := s.speakers.decide(s.members); sid != s.speakers.current {
			s.speakers.current, s.speakers.silent, s.speakers.rival = sid, 0, ""
			if sid == "" {
				sid = "nobody"
			}
			changes += " " + sid + "@" + string(rune('0'+s.ticks/10)) + string(rune('0'+s.ticks%10))
		}
	}
	return strings.TrimSpace(changes)
}

func TestC86WhoSpeaks(t *testing.T) {
	t.Run("who begins is the speaker, and one who is silent for long is none", func(t *testing.T) {
		s := newStage("a", "b")
		require.Equal(t, "", s.sound(10, -127, -70), "noise")
		require.Equal(t, "b@11", s.sound(10, -127, -25))
		// From 102 dB at 5 dB a tick it takes 6 to be silent, and then two seconds.
		require.Equal(t, "nobody@45", s.sound(40, -127, -127))
		require.Equal(t, "a@62", s.sound(4, -25, -127))
	})
	t.Run("gaps between words", func(t *testing.T) {
		s := newStage("a", "b")
		s.sound(5, -25, -127)
		for range 5 {
			require.Empty(t, s.sound(3, -127, -30))
			require.Empty(t, s.sound(2, -25, -127))
		}
	})
	t.Run("a bang is nobody's speech", func(t *testing.T) {
		s := newStage("a", "b")
		require.Empty(t, s.sound(1, -1, -127))
		require.Empty(t, s.sound(9, -127, -127))
	})
	t.Run("both talk: who is a little louder changes nothing, who is much louder does", func(t *testing.T) {
		s := newStage("a", "b")
		require.Equal(t, "a@02", s.sound(5, -30, -30), "a tie: who came first")
		require.Empty(t, s.sound(20, -30, -25))
		require.Equal(t, "b@30", s.sound(10, -30, -20), "after half a second")
		require.Empty(t, s.sound(20, -20, -20), "a tie: who is the speaker")
	})
	t.Run("the lead has to last", func(t *testing.T) {
		s := newStage("a", "b")
		s.sound(5, -40, -127)
		for range 4 {
			require.Empty(t, s.sound(2, -40, -20))
			require.Empty(t, s.sound(10, -40, -127))
		}
	})
	t.Run("a speaker that falls silent is followed by another", func(t *testing.T) {
		s := newStage("a", "b")
		s.sound(10, -25, -127)
		require.Equal(t, "b@17", s.sound(10, -127, -25))
	})
	t.Run("short beeps", func(t *testing.T) {
		s := newStage("a", "b")
		var changes string
		for range 8 { // as browsers without a microphone make
			changes += s.sound(1, -127, -12) + s.sound(4, -127, -127)
		}
		require.Equal(t, "b@11", changes, "and it stays")
	})
	t.Run("who does not tell a level", func(t *testing.T) {
		s := newStage("a", "b")
		require.Equal(t, "b@02", s.sound(10, 0, -45))
	})
}

func TestDisabledTracksDoNotSpeak(t *testing.T) {
	s := newStage("a")
	s.members[0].tracks[0].enabled = false
	require.Empty(t, s.sound(10, -20))
	s.members[0].tracks[0].enabled = true
	require.Equal(t, "a@12", s.sound(5, -40), "what was said meanwhile does not count")
	require.Equal(t, 87, s.members[0].loud)
	s.members[0].tracks[1].up.loud.hear(-20)
	require.Empty(t, s.sound(1, -40))
	require.Equal(t, 107, s.members[0].loud, "the loudest of the tracks counts")
}

func TestLoudnessAllocatesNothing(t *testing.T) {
	var l loudness
	require.Zero(t, testing.AllocsPerRun(100, func() {
		l.hear(-30)
		l.hear(-20)
		l.hear(-40)
	}))
	require.Equal(t, 107, l.take())
	require.Zero(t, l.take())
	l.hear(-127)
	require.Zero(t, l.take(), "silence")
}
