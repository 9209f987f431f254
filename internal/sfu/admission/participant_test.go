package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/sfu/admission"
	"github.com/parley-rtc/parley/signaling"
)

func TestT19NamesHaveTheirCodes(t *testing.T) {
	for name, i := range map[string]int{"": 0, strings.Repeat("a", 129): 1, "a\x00": 2, "a\u202e": 2, "a\xff": 2} {
		require.Equal(t, signaling.Code(53100+i), codeOf(admission.CheckRoomName(name)), "%q", name)
		require.Equal(t, signaling.Code(53200+i), codeOf(admission.CheckIdentity(name)), "%q", name)
		require.Equal(t, signaling.Code(53301+i), codeOf(admission.CheckTrackName(name)), "%q", name)
	}
	for _, check := range []func(string) error{admission.CheckRoomName, admission.CheckIdentity, admission.CheckTrackName} {
		require.NoError(t, check("My Cool Room"))
	}
}

func TestCheckParticipant(t *testing.T) {
	track := func(change func(*signaling.LocalTrack)) signaling.LocalTrack {
		l := signaling.LocalTrack{ID: "0d5c1c6e-0000-4000-8000-000000000000", Kind: signaling.KindVideo, Priority: signaling.PriorityHigh}
		change(&l)
		return l
	}
	id := func(s string) signaling.LocalTrack { return track(func(l *signaling.LocalTrack) { l.ID = s }) }
	var many []signaling.LocalTrack
	for i := range 17 {
		many = append(many, id(fmt.Sprint(i)))
	}
	for _, c := range []struct {
		name     string
		revision int
		tracks   []signaling.LocalTrack
		want     signaling.Code
	}{
		{"none", 0, nil, 0},
		{"sixteen", 7, many[:16], 0},
		{"id in braces", 1, []signaling.LocalTrack{id("{0d5c1c6e}")}, 0},
		{"no priority", 1, []signaling.LocalTrack{track(func(l *signaling.LocalTrack) { l.Priority = "" })}, 0},
		{"a bad name is another check's", 1, []signaling.LocalTrack{track(func(l *signaling.LocalTrack) { l.Name = "\x00" })}, 0},
		{"seventeen", 1, many, 53203},
		{"revision", -1, nil, 53003},
		{"no id", 1, []signaling.LocalTrack{id("")}, 53300},
		{"long id", 1, []signaling.LocalTrack{id(strings.Repeat("a", 129))}, 53300},
		{"id with a space", 1, []signaling.LocalTrack{id("a b")}, 53300},
		{"id with a line break", 1, []signaling.LocalTrack{id("a\r\na=mid:1")}, 53300},
		{"one id twice", 1, []signaling.LocalTrack{id("a"), id("b"), id("a")}, 53300},
		{"kind", 1, []signaling.LocalTrack{track(func(l *signaling.LocalTrack) { l.Kind = "smell" })}, 53300},
		{"priority", 1, []signaling.LocalTrack{track(func(l *signaling.LocalTrack) { l.Priority = "urgent" })}, 53300},
	} {
		err := admission.CheckParticipant(signaling.LocalParticipant{Revision: c.revision, Tracks: c.tracks}, 16)
		require.Equal(t, c.want, codeOf(err), "%s: %v", c.name, err)
		require.Equal(t, c.want == 0, err == nil, c.name)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("alice", "cam")
	f.Add("a\x00", "a b")
	f.Fuzz(func(t *testing.T, name, id string) {
		if err := admission.CheckTrackName(name); err != nil {
			require.Contains(t, []signaling.Code{53301, 53302, 53303}, codeOf(err))
			require.False(t, strings.ContainsAny(err.Error(), "\r\n\x00\x1b"), "%q would write into a log", err)
		}
		p := signaling.LocalParticipant{Tracks: []signaling.LocalTrack{{ID: id, Kind: signaling.KindData}}}
		if admission.CheckParticipant(p, 1) == nil {
			require.Equal(t, []string{id}, strings.Fields(id), "an id is one word")
		}
	})
}
