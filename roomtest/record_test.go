package roomtest_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// record is a test that is expected to fail: it keeps what it was told.
type record struct {
	testing.TB

	mu       sync.Mutex
	said     []string
	cleanups []func()
}

// fails runs f as a test of its own, to its end, and returns what it failed
// with.
func fails(t *testing.T, f func(tb testing.TB)) string {
	t.Helper()
	r := &record{TB: t}
	for _, f := range []func(){func() { f(r) }, r.cleanUp} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
	return strings.Join(r.said, "\n")
}

func (r *record) cleanUp() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func (r *record) Helper() {}

func (r *record) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *record) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *record) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *record) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }
