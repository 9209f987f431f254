// Package names says which identities, room names and track names are allowed.
// The same rules hold where a token is minted, where it is verified and where a
// client's publications are admitted.
//
// A name is any text of 1 to 128 characters in valid UTF-8, without control
// characters, line separators and the characters that turn the direction of
// text around. The replacement character is refused too: it is what decoders
// put in place of broken text, so that two different names could become one.
package names

import (
	"unicode"
	"unicode/utf8"

	"github.com/parley-rtc/parley/signaling"
)

// MaxLen is the most characters a name may have.
const MaxLen = 128

// Identity checks a participant's identity. Characters outside of ASCII count
// twice, as the hosted service counts them. Its errors have the codes 53200 to
// 53202.
func Identity(identity string) error {
	return check(identity, 2, signaling.CodeIdentityInvalid, signaling.CodeIdentityTooLong, signaling.CodeIdentityChars)
}

// Room checks the name of a room. Its errors have the codes 53100 to 53102.
func Room(name string) error {
	return check(name, 1, signaling.CodeRoomNameInvalid, signaling.CodeRoomNameTooLong, signaling.CodeRoomNameChars)
}

// Track checks the name of a track. Its errors have the codes 53301 to 53303.
func Track(name string) error {
	return check(name, 1, signaling.CodeTrackNameInvalid, signaling.CodeTrackNameTooLong, signaling.CodeTrackNameChars)
}

func check(name string, wide int, invalid, tooLong, chars signaling.Code) error {
	if name == "" {
		return signaling.NewError(invalid)
	}
	if len(name) > MaxLen*utf8.UTFMax {
		return signaling.NewError(tooLong) // without reading ten megabytes
	}
	var n int
	for i, r := range name {
		if forbidden(r) {
			return signaling.Errorf(chars, "%s: %U at byte %d", chars.Text(), r, i)
		}
		if n++; r >= utf8.RuneSelf {
			n += wide - 1
		}
	}
	if n > MaxLen {
		return signaling.NewError(tooLong)
	}
	return nil
}

// forbidden reports whether r may not be part of a name. Ranging over invalid
// UTF-8 yields utf8.RuneError.
func forbidden(r rune) bool {
	switch {
	case unicode.IsControl(r), r == utf8.RuneError:
		return true
	case r >= '\u2028' && r <= '\u202e': // line and paragraph separator, bidi embedding and override
		return true
	case r >= '\u2066' && r <= '\u2069': // bidi isolates
		return true
	}
	return false
}
