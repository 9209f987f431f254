package pipe

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/parley-rtc/parley/media/file"
)

// Conditions that callers can tell apart with [errors.Is].
var (
	// ErrNotFound means that there is no such program.
	ErrNotFound = errors.New("program not found")
	// ErrExited means that the program ended with a failure.
	ErrExited = errors.New("the program failed")
	// ErrStalled means that nothing came for too long: from the start within
	// Options.StartTimeout, or later within Options.StallTimeout.
	ErrStalled = errors.New("no media came in time")
	// ErrCodec means another codec than asked for, or than before a restart.
	ErrCodec = errors.New("unexpected codec")
	// ErrNoKeyframe means video without any picture that decoding can start
	// with.
	ErrNoKeyframe = errors.New("no key frame")
	// ErrOption means that options contradict each other or make no sense.
	ErrOption = errors.New("invalid option")

	// ErrUnknownFormat means a stream of no known format.
	ErrUnknownFormat = file.ErrUnknownFormat
	// ErrUnsupported means a known format with contents that no track carries.
	ErrUnsupported = file.ErrUnsupported
	// ErrMalformed means that the stream breaks the rules of its format.
	ErrMalformed = file.ErrMalformed
	// ErrEmpty means that the stream ended before any media.
	ErrEmpty = file.ErrEmpty
)

// Error tells why a program or a stream gives no media, or no more.
type Error struct {
	// Program is its name without arguments, which may hold secrets.
	Program string
	// Err is the reason: one of the package's errors, or what reading gave.
	Err error
	// Exit is the program's exit code; 0 when it did not fail by itself, and
	// -1 when a signal ended it.
	Exit int
	// Stderr holds the last lines that the program wrote to its standard
	// error, without passwords in URLs.
	Stderr []string
	// Restarts is how often the program was started again in vain before.
	Restarts int
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "media/pipe: %s: %v", e.Program, e.Err)
	if e.Restarts > 0 {
		fmt.Fprintf(&b, ", %d restarts in vain", e.Restarts)
	}
	if len(e.Stderr) > 0 {
		fmt.Fprintf(&b, " (it said: %s)", strings.Join(e.Stderr, "; "))
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// userinfo finds the name and password in URLs.
var userinfo = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.\-]*://)[^/\s"'<>]*@`)

// redact takes out the userinfo of URLs, and secrets as they stand.
func redact(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	return userinfo.ReplaceAllString(s, "${1}***@")
}
