package rsp

import "sync"

// queue holds the encoded frames that wait for a client, in order and bounded.
type queue struct {
	wake chan struct{} // one slot: something was put in

	mu          sync.Mutex
	frames      [][]byte
	bytes       int
	maxFrames   int
	maxBytes    int
	final       bool // nothing comes after what is queued
	code        int  // to close with then
	text        string
	inFlight    int
	flightBytes int
}

func newQueue(maxFrames, maxBytes int) *queue {
	return &queue{wake: make(chan struct{}, 1), maxFrames: maxFrames, maxBytes: maxBytes}
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// put appends frames. It reports false when they do not fit. An empty queue
// takes anything. After finish it takes nothing and does not complain.
func (q *queue) put(frames ...[]byte) bool {
	total := 0
	for _, f := range frames {
		total += len(f)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.final {
		return true
	}
	waiting, bytes := len(q.frames)+q.inFlight, q.bytes+q.flightBytes
	if waiting > 0 && (waiting+len(frames) > q.maxFrames || bytes+total > q.maxBytes) {
		return false
	}
	q.frames = append(q.frames, frames...)
	q.bytes += total
	q.poke()
	return true
}

// finish appends the last frames, whatever the bounds, and the close code.
func (q *queue) finish(code int, text string, frames ...[]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.final {
		return
	}
	for _, f := range frames {
		q.bytes += len(f)
	}
	q.frames = append(q.frames, frames...)
	q.final, q.code, q.text = true, code, text
	q.poke()
}

// next takes the first frame; last says that there will be none any more.
func (q *queue) next() (data []byte, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight, q.flightBytes = 0, 0
	if len(q.frames) == 0 {
		return nil, q.final
	}
	data = q.frames[0]
	q.frames[0] = nil
	q.frames = q.frames[1:]
	q.bytes -= len(data)
	q.inFlight, q.flightBytes = 1, len(data)
	return data, false
}

func (q *queue) closing() (int, string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.code, q.text
}

func (q *queue) finished() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.final
}

func (q *queue) size() (frames, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.frames) + q.inFlight, q.bytes + q.flightBytes
}
