package accesstoken

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that does not show itself: printing, logging or encoding it
// gives "[redacted]". Convert it to a string to use it.
//
// Package fmt asks no method for the verb %p, nor for values that it finds in
// unexported fields; do not print structs that keep a Secret in one.
type Secret string

const redacted = "[redacted]"

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]", for %#v.
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" also for verbs that do not fit, such as %d.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]": a configuration that is written out does
// not carry the secret along.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
