package timeline

// queue is an unbounded list of values of which some can be found by a key.
// Values that have left are not kept alive by it. The zero value is empty.
type queue[T any] struct {
	head, tail *node[T]
	len        int
	seq        uint64
	keys       map[any]*node[T]
	spare      *node[T] // one, so that a reader who keeps up costs no garbage
}

type node[T any] struct {
	value      T
	key        any
	keyed      bool
	seq        uint64
	prev, next *node[T]
}

func (q *queue[T]) push(value T, key any, keyed bool) {
	n := q.spare
	q.spare = nil
	if n == nil {
		n = new(node[T])
	}
	q.seq++
	*n = node[T]{value: value, key: key, keyed: keyed, seq: q.seq, prev: q.tail}
	if q.tail == nil {
		q.head = n
	} else {
		q.tail.next = n
	}
	q.tail = n
	q.len++
	if keyed {
		if q.keys == nil {
			q.keys = make(map[any]*node[T])
		}
		q.keys[key] = n
	}
}

// pop removes the head of a queue that is not empty.
func (q *queue[T]) pop() { q.unlink(q.head) }

// remove takes out the value with the key and reports whether it was the
// head.
func (q *queue[T]) remove(key any) (head bool) {
	n, ok := q.keys[key]
	if !ok {
		return false
	}
	head = n == q.head
	q.unlink(n)
	return head
}

func (q *queue[T]) unlink(n *node[T]) {
	if n.prev == nil {
		q.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		q.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	q.len--
	if n.keyed {
		delete(q.keys, n.key)
	}
	*n = node[T]{}
	q.spare = n
}
