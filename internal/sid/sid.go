// Package sid makes and recognizes the handles that a server gives to things:
// two capital letters that say what it is, and 128 random bits in hex.
package sid

import (
	"crypto/rand"
	"encoding/hex"
)

// Prefix says what kind of thing a SID names.
type Prefix string

// The kinds of SIDs.
const (
	Account     Prefix = "AC"
	Key         Prefix = "SK"
	Room        Prefix = "RM"
	Participant Prefix = "PA"
	Track       Prefix = "MT"
	Recording   Prefix = "RT"
)

// Len is the length of every SID.
const Len = 34

// New returns a fresh SID from the system's random source. Nobody can guess
// it, and it is never given out twice.
func New(p Prefix) string {
	var b [16]byte
	rand.Read(b[:]) // never fails: the program is ended instead
	return string(p) + hex.EncodeToString(b[:])
}

// Valid reports whether s has the form of a SID with the prefix: 32 hex digits
// in lower case behind it. It says nothing about whether the thing exists.
func Valid(s string, p Prefix) bool {
	if len(s) != len(p)+32 || s[:len(p)] != string(p) {
		return false
	}
	for i := len(p); i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
