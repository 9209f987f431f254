package pipe

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// readSize is how much is asked for at once: what a pipe holds.
const readSize = 64 << 10

// errPause says that nothing came for Options.FlushAfter.
var errPause = errors.New("pause")

type deadliner interface{ SetReadDeadline(time.Time) error }

// input is a stream being read. It notes when the newest bytes came, and gives
// up when none come.
type input struct {
	*bufio.Reader
	raw   io.Reader
	limit deadliner     // nil: raw has none
	first time.Duration // how long to wait for the first bytes
	stall time.Duration // and for more
	flush time.Duration // for the next read only
	armed bool          // a deadline is set
	at    time.Time
	drain atomic.Pointer[time.Time] // when to give up, once the program ended
}

func newInput(r io.Reader, first, stall time.Duration) *input {
	in := &input{raw: r, first: first, stall: stall, at: time.Now()}
	if d, ok := r.(deadliner); ok && d.SetReadDeadline(time.Time{}) == nil {
		in.limit = d
	}
	in.Reader = bufio.NewReaderSize(rawInput{in}, readSize)
	return in
}

// rawInput reads past the buffer.
type rawInput struct{ in *input }

func (r rawInput) Read(p []byte) (int, error) {
	in := r.in
	paused := in.flush
	in.flush = 0
	limit := in.stall
	if in.first > 0 {
		limit = max(in.first, in.stall)
	}
	if in.limit != nil && (limit > 0 || paused > 0 || in.armed) {
		until := in.until(limit, paused)
		if err := in.limit.SetReadDeadline(until); err != nil {
			return 0, err
		}
		in.armed = !until.IsZero()
	}
	n, err := in.raw.Read(p)
	if n > 0 {
		in.at, in.first = time.Now(), 0
	}
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
	case in.drain.Load() != nil:
		err = io.EOF // somebody else holds the other end
	case paused > 0 && (limit == 0 || paused < limit):
		err = errPause
	default:
		err = ErrStalled
	}
	return n, err
}

func (in *input) until(limit, pause time.Duration) time.Time {
	if pause > 0 && (limit == 0 || pause < limit) {
		limit = pause
	}
	var t time.Time
	if limit > 0 {
		t = time.Now().Add(limit)
	}
	if end := in.drain.Load(); end != nil && (t.IsZero() || end.Before(t)) {
		t = *end
	}
	return t
}

// drainUntil makes reading end at the latest then. It may be called from any
// goroutine.
func (in *input) drainUntil(end time.Time) {
	in.drain.Store(&end)
	if in.limit != nil {
		_ = in.limit.SetReadDeadline(end) // closed: it ends anyway
	}
}
