package admission

import (
	"strconv"
	"strings"
)

// token reports whether s is a token of RFC 8866 of at most max characters.
func token(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]`, c) >= 0 {
			return false
		}
	}
	return true
}

// wireID reports whether s can be the id of a track: it stands in a=msid and
// labels a data channel.
func wireID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// iceToken reports whether s consists of ice-chars (RFC 8839, section 5.4).
func iceToken(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// hashes are the lengths in bytes of the fingerprints that can be trusted.
var hashes = map[string]int{"sha-256": 32, "sha-384": 48, "sha-512": 64}

func validFingerprint(value string) bool {
	hash, digits, _ := strings.Cut(value, " ")
	n := hashes[strings.ToLower(hash)]
	if n == 0 || len(digits) != 3*n-1 {
		return false
	}
	for i := range len(digits) {
		c := digits[i]
		if i%3 == 2 {
			if c != ':' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'A' || c > 'F') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func parseSSRC(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n != 0 && s[0] != '+'
}
