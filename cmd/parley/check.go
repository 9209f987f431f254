package main

import (
	"fmt"
	"net"

	"github.com/spf13/pflag"
)

// Checks of what flags, environment and file say.

// invalid says what a setting has to be, for the environment and the file, which
// have no help beside them.
func invalid(where string, f *pflag.Flag, text string, err error) error {
	want := map[string]string{
		"int": "a whole number", "uint16": "a number from 0 to 65535", "float64": "a number",
		"bool": "true or false", "duration": "a time, as in 30s or 5m",
	}[f.Value.Type()]
	if want == "" {
		return usagef("%s: %w", where, hide(f.Name, text, err))
	}
	return usagef("%s %q: it has to be %s", where, text, want)
}

// checkAddress refuses what nobody can listen at.
func checkAddress(flag, address, example string) (host string, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", usagef("--%s %q: it has to be an address and a port, as in %s", flag, address, example)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return "", usagef("--%s %q: a port is a number from 1 to 65535, or 0 for any, as in %s", flag, address, example)
	}
	return host, nil
}

// limits refuses bounds that would mean the default, or nothing at all.
func (s *serveFlags) limits() error {
	c := &s.front.SFU
	for _, l := range []struct {
		flag    string
		value   float64
		text    string
		liftsBy bool // -1 lifts it
	}{
		{"max-rooms", float64(c.MaxRooms), fmt.Sprint(c.MaxRooms), false},
		{"max-participants", float64(c.MaxParticipants), fmt.Sprint(c.MaxParticipants), false},
		{"max-tracks", float64(c.MaxTracks), fmt.Sprint(c.MaxTracks), false},
		{"session-timeout", float64(c.SessionTimeout), c.SessionTimeout.String(), false},
		{"empty-room-timeout", float64(c.EmptyRoomTimeout), c.EmptyRoomTimeout.String(), false},
		{"max-joins-per-second", c.Limits.JoinRate, fmt.Sprint(c.Limits.JoinRate), true},
		{"max-sockets-per-ip", float64(c.Limits.Sockets), fmt.Sprint(c.Limits.Sockets), true},
		{"max-data-bytes-per-second", float64(c.Limits.DataBytes), fmt.Sprint(c.Limits.DataBytes), true},
		{"max-data-messages-per-second", float64(c.Limits.DataMessages), fmt.Sprint(c.Limits.DataMessages), true},
	} {
		switch {
		case l.value > 0 || l.liftsBy && l.value == -1:
		case l.liftsBy:
			return usagef("--%s %s: it has to be more than 0, or -1 for any", l.flag, l.text)
		default:
			return usagef("--%s %s: it has to be more than 0", l.flag, l.text)
		}
	}
	if s.retryAfter < 0 {
		return usagef("--retry-after %v: it cannot be negative", s.retryAfter)
	}
	return nil
}
