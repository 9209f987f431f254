package media

// freeList keeps what is expensive to make, to be used again: a few, so that it
// stays bounded. Other than a sync.Pool it forgets nothing, which is what makes
// steady work free of garbage.
type freeList[T any] chan *T

// take returns one that is free, or a new one.
func (l freeList[T]) take() *T {
	select {
	case t := <-l:
		return t
	default:
		return new(T)
	}
}

// put makes one free, or drops it where there are enough.
func (l freeList[T]) put(t *T) {
	select {
	case l <- t:
	default:
	}
}
