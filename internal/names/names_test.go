package names_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/parley-rtc/parley/internal/names"
	"github.com/parley-rtc/parley/signaling"
)

func code(err error) signaling.Code {
	var e *signaling.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestT19Names(t *testing.T) {
	const (
		ok = iota
		invalid
		tooLong
		chars
	)
	cases := []struct {
		label, name           string
		identity, room, track int
	}{
		{"plain", "alice", ok, ok, ok},
		{"e-mail", "alice@example.com", ok, ok, ok},
		{"number", "4711", ok, ok, ok},
		{"spaces", "My Cool Room", ok, ok, ok},
		{"path", "../../etc/passwd", ok, ok, ok}, // a name is never a path
		{"one", "x", ok, ok, ok},
		{"arabic with marks", "\u200fعلي\u200e", ok, ok, ok},
		{"emoji joined", "👩\u200d🚀", ok, ok, ok},
		{"empty", "", invalid, invalid, invalid},
		{"128", strings.Repeat("a", 128), ok, ok, ok},
		{"129", strings.Repeat("a", 129), tooLong, tooLong, tooLong},
		{"64 wide", strings.Repeat("界", 64), ok, ok, ok},
		{"65 wide", strings.Repeat("界", 65), tooLong, ok, ok},
		{"128 widest", strings.Repeat("🚀", 128), tooLong, ok, ok},
		{"129 widest", strings.Repeat("🚀", 129), tooLong, tooLong, tooLong},
		{"10 MB", strings.Repeat("a", 10<<20), tooLong, tooLong, tooLong},
		{"NUL", "a\x00b", chars, chars, chars},
		{"newline", "a\nINFO fake", chars, chars, chars},
		{"escape", "\x1b[2J", chars, chars, chars},
		{"DEL", "a\x7f", chars, chars, chars},
		{"C1", "a\u0085b", chars, chars, chars},
		{"line separator", "a\u2028b", chars, chars, chars},
		{"override", "gpj.\u202eexe", chars, chars, chars},
		{"embedding", "\u202a", chars, chars, chars},
		{"isolate", "\u2067x\u2069", chars, chars, chars},
		{"broken UTF-8", "a\xff", chars, chars, chars},
		{"encoded surrogate", "\xed\xa0\x80", chars, chars, chars},
		{"replacement", "a\ufffd", chars, chars, chars},
	}
	codes := func(first, second, third signaling.Code) []signaling.Code {
		return []signaling.Code{0, first, second, third}
	}
	for _, c := range cases {
		t.Run(c.label, func(t *testing.T) {
			require.Equal(t, codes(53200, 53201, 53202)[c.identity], code(names.Identity(c.name)), "identity")
			require.Equal(t, codes(53100, 53101, 53102)[c.room], code(names.Room(c.name)), "room")
			require.Equal(t, codes(53301, 53302, 53303)[c.track], code(names.Track(c.name)), "track")
		})
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "alice", "a\x00", "\u202e", "\xff\xfe", strings.Repeat("é", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if names.Identity(s) == nil {
			require.NoError(t, names.Room(s), "what is an identity is a room name")
		}
		require.Equal(t, names.Room(s) == nil, names.Track(s) == nil)
		if names.Room(s) != nil {
			return
		}
		require.True(t, utf8.ValidString(s))
		require.False(t, strings.ContainsAny(s, "\x00\r\n\x1b\x7f\u2028\u202e"), "%q", s)
		n := utf8.RuneCountInString(s)
		require.True(t, n >= 1 && n <= 128, "%d characters", n)
	})
}
