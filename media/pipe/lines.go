package pipe

import (
	"bufio"
	"bytes"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxLine bounds a line of standard error; the rest of it is left out.
	maxLine = 512
	// tailLines is how many lines are kept for an error.
	tailLines = 6
	// lineRate and lineBurst bound what is logged.
	lineRate  = 10
	lineBurst = 50
)

// lines logs what a program says on its standard error. It reads as fast as the
// program writes, so that the program never waits for the log.
type lines struct {
	f       *os.File
	log     *slog.Logger
	secrets []string
	limit   *rate.Limiter
	missed  int
	done    chan struct{}

	mu   sync.Mutex
	last []string
}

func newLines(f *os.File, log *slog.Logger, secrets []string) *lines {
	return &lines{f: f, log: log, secrets: secrets, limit: rate.NewLimiter(lineRate, lineBurst), done: make(chan struct{})}
}

func (l *lines) run() {
	defer close(l.done)
	defer func() { _ = l.f.Close() }() // it was read only
	r := bufio.NewReaderSize(l.f, 4096)
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if room := maxLine - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		l.note(line)
		line = line[:0]
		if err != nil {
			break // io.EOF, or whoever else holds the other end is not heard
		}
	}
	if l.missed > 0 {
		l.log.Info("the program said more", "lines", l.missed)
	}
}

// note takes a line; a progress display counts as the last of its parts.
func (l *lines) note(line []byte) {
	line = bytes.TrimRight(line, "\r\n")
	if at := bytes.LastIndexByte(line, '\r'); at >= 0 {
		line = line[at+1:]
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(line), "?"))
	if text == "" {
		return
	}
	text = redact(text, l.secrets)
	l.mu.Lock()
	if len(l.last) == tailLines {
		l.last = slices.Delete(l.last, 0, 1)
	}
	l.last = append(l.last, text)
	l.mu.Unlock()
	if !l.limit.Allow() {
		l.missed++
		return
	}
	if l.missed > 0 {
		l.log.Info("the program said more", "lines", l.missed)
		l.missed = 0
	}
	l.log.Info("the program says", "line", text)
}

// tail returns the last lines.
func (l *lines) tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.last)
}

// drainUntil makes reading end at the latest then.
func (l *lines) drainUntil(end time.Time) { _ = l.f.SetReadDeadline(end) } // closed: it ends anyway
