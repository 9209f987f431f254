package roomtest

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxNotes bounds what is kept of a channel.
const maxNotes = 1000

// journal is what was read from a channel so far.
type journal struct {
	mu      sync.Mutex
	began   time.Time
	notes   []string
	skipped int
	told    bool // in a failure, and nothing came since
}

// journals holds those of the running tests, by channel.
var journals struct {
	mu sync.Mutex
	of map[any]*journal
}

// journalOf returns the journal of a channel, which lives as long as the test.
func journalOf(tb testing.TB, events any) *journal {
	journals.mu.Lock()
	defer journals.mu.Unlock()
	if j := journals.of[events]; j != nil {
		return j
	}
	j := &journal{began: time.Now()}
	if journals.of == nil {
		journals.of = map[any]*journal{}
	}
	journals.of[events] = j
	tb.Cleanup(func() {
		journals.mu.Lock()
		delete(journals.of, events)
		journals.mu.Unlock()
		if tb.Failed() && !j.wasTold() {
			tb.Logf("roomtest: the test has failed; %s", j)
		}
	})
	return j
}

func (j *journal) note(event any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.notes) == maxNotes {
		j.notes = j.notes[1:]
		j.skipped++
	}
	j.told = false
	j.notes = append(j.notes, fmt.Sprintf("%10.3fs  %s", time.Since(j.began).Seconds(), describe(event)))
}

func (j *journal) wasTold() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.told
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.told = true
	if len(j.notes) == 0 {
		return "no event was read from this channel"
	}
	head := "read from this channel, in order:"
	if j.skipped > 0 {
		head = fmt.Sprintf("read from this channel, in order, after %d more:", j.skipped)
	}
	return head + "\n" + strings.Join(j.notes, "\n")
}

// describe puts an event on one line, with who and what it is about instead of
// pointers.
func describe(event any) string {
	v := reflect.ValueOf(event)
	if !v.IsValid() {
		return "nil"
	}
	if v.Kind() != reflect.Struct {
		return fmt.Sprintf("%T %s", event, value(v))
	}
	var fields []string
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			fields = append(fields, f.Name+": "+value(v.Field(i)))
		}
	}
	return fmt.Sprintf("%T{%s}", event, strings.Join(fields, ", "))
}

func value(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		if v.IsNil() {
			return "nil"
		}
	}
	switch x := v.Interface().(type) {
	case error:
		return fmt.Sprintf("%q", x.Error())
	case interface{ Identity() string }:
		return x.Identity()
	case interface{ TrackName() string }:
		return x.TrackName()
	case interface{ Name() string }:
		return x.Name()
	case interface{ SID() string }:
		return x.SID()
	case fmt.Stringer:
		return x.String()
	}
	if v.Kind() == reflect.Pointer {
		return v.Type().String()
	}
	return fmt.Sprintf("%v", v.Interface())
}
