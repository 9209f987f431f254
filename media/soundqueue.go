package media

import "time"

// soundQueue holds copies of pieces of sound in order. The memory of those that
// are gone is used again. It grows without limit: the owner bounds it.
type soundQueue struct {
	ring    []AudioFrame
	first   int
	waiting int           // pieces
	length  time.Duration // of those
}

// push appends a copy of f and returns it.
func (q *soundQueue) push(f *AudioFrame) *AudioFrame {
	if q.waiting == len(q.ring) {
		ring := make([]AudioFrame, max(8, 2*len(q.ring)))
		n := copy(ring, q.ring[q.first:])
		copy(ring[n:], q.ring[:q.first])
		q.ring, q.first = ring, 0
	}
	slot := &q.ring[(q.first+q.waiting)%len(q.ring)]
	slot.copyFrom(f)
	q.waiting++
	q.length += f.Duration()
	return slot
}

// oldest returns the piece that is next. There is one.
func (q *soundQueue) oldest() *AudioFrame { return &q.ring[q.first] }

// shift removes the oldest piece.
func (q *soundQueue) shift() {
	q.length -= q.ring[q.first].Duration()
	q.first = (q.first + 1) % len(q.ring)
	q.waiting--
}

// copyFrom makes f a copy of src in the memory that f has.
func (f *AudioFrame) copyFrom(src *AudioFrame) {
	samples := append(f.Samples[:0], src.Samples...)
	*f = *src
	f.Samples = samples
}
