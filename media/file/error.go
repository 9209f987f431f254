package file

import (
	"fmt"
	"strings"
)

// Error tells what is wrong with a file, and where.
type Error struct {
	// Path is the file; empty for readers.
	Path string
	// Offset is the place in bytes from the start, when it says something.
	Offset int64
	// Err is the reason: one of the package's errors, [io.ErrUnexpectedEOF],
	// or what reading returned.
	Err error
	// Hint says how to mend the file; it may be empty.
	Hint string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("media/file: ")
	if e.Path != "" && !strings.Contains(e.Err.Error(), e.Path) {
		fmt.Fprintf(&b, "%s: ", e.Path)
	}
	if e.Offset > 0 {
		fmt.Fprintf(&b, "at byte %d: ", e.Offset)
	}
	b.WriteString(e.Err.Error())
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
