package play

import (
	"slices"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
)

const (
	// A queue holds at most that many samples, that far apart, of that size.
	maxSamples = 512
	maxSpan    = 5 * time.Second
	maxBytes   = 32 << 20
)

// queue holds samples that wait for their time, in the order of their
// timestamps. It may be used from any goroutine.
type queue struct {
	mu    sync.Mutex
	items []media.Sample
	head  int
	bytes int
}

// put adds a sample; one with the timestamp of another is dropped. It returns
// how many old samples had to go, which then are lost before the oldest.
func (q *queue) put(s media.Sample) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	at := len(q.items)
	for at > q.head && q.items[at-1].Timestamp > s.Timestamp {
		at--
	}
	if at > q.head && q.items[at-1].Timestamp == s.Timestamp {
		return 0
	}
	q.items = slices.Insert(q.items, at, s)
	q.bytes += len(s.Data)
	for n := len(q.items); n-q.head > maxSamples || n-q.head > 1 && (q.bytes > maxBytes || q.items[n-1].Timestamp-q.items[q.head].Timestamp > maxSpan); {
		lost := q.items[q.head].Lost + 1
		q.drop()
		q.items[q.head].Lost += lost
		dropped++
	}
	return dropped
}

func (q *queue) drop() {
	q.bytes -= len(q.items[q.head].Data)
	q.items[q.head] = media.Sample{}
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
}

// first returns the oldest sample, which stays.
func (q *queue) first() (s media.Sample, ok bool) { return q.nth(0) }

// nth returns the sample with n older ones, which stays.
func (q *queue) nth(n int) (s media.Sample, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head+n >= len(q.items) {
		return media.Sample{}, false
	}
	return q.items[q.head+n], true
}

// pop takes the oldest sample away.
func (q *queue) pop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head < len(q.items) {
		q.drop()
	}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) - q.head
}
