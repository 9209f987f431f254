package soak_test

import (
	"fmt"
	"os"
	"runtime"
	"testing/synctest"
	"time"
)

// sample is what the process holds at one moment.
type sample struct {
	at         time.Duration
	goroutines int
	files      int
	heap       int64 // bytes that are in use; 0: not weighed
}

func (s sample) String() string {
	return fmt.Sprintf("%v: %d goroutines, %d files, %.2f MB", s.at.Round(time.Second), s.goroutines, s.files, float64(s.heap)/1e6)
}

// calm takes a sample of a calm moment in virtual time. Goroutines that live
// for one packet come and go: the least of several looks counts.
func calm(since time.Time) sample {
	s := sample{at: time.Since(since)}
	for i := range 20 {
		time.Sleep(173 * time.Millisecond)
		synctest.Wait()
		if n := runtime.NumGoroutine(); i == 0 || n < s.goroutines {
			s.goroutines = n
		}
	}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil { // on Linux
		s.files = len(files)
	}
	return s
}

// weighed is the sample with the memory that is in use now.
func (s sample) weighed() sample {
	var m runtime.MemStats
	runtime.GC() // what pools keep goes with
	runtime.GC() // the second
	runtime.ReadMemStats(&m)
	s.heap = int64(m.HeapAlloc)
	return s
}
