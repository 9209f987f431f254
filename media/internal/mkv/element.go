package mkv

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/bits"
)

// element is the head of an EBML element (RFC 8794, section 2).
type element struct {
	id      uint64
	size    uint64
	unknown bool   // the size is
	data    []byte // of a child
}

// element reads the head of the next element. io.EOF comes only before it.
func (d *Reader) element() (element, error) {
	var head [12]byte
	if err := d.full(head[:1]); err != nil {
		return element{}, err
	}
	n := bits.LeadingZeros8(head[0]) + 1
	if n > 4 {
		return element{}, fmt.Errorf("%w: no element at byte %d", ErrMalformed, d.at-1)
	}
	if err := d.full(head[1 : n+1]); err != nil {
		return element{}, whole(err)
	}
	m := bits.LeadingZeros8(head[n]) + 1
	if m > 8 {
		return element{}, fmt.Errorf("%w: no size of an element at byte %d", ErrMalformed, d.at-1)
	}
	if err := d.full(head[n+1 : n+m]); err != nil {
		return element{}, whole(err)
	}
	e := element{id: number(head[:n])}
	size, _ := vint(head[n:])
	e.unknown = size == 1<<(7*m)-1
	if !e.unknown {
		e.size = size
	} else if e.id != idSegment && e.id != idCluster {
		return element{}, fmt.Errorf("%w: element %#x of unknown size", ErrMalformed, e.id)
	}
	if e.size > math.MaxInt64-d.at {
		return element{}, fmt.Errorf("%w: element %#x of %d bytes", ErrMalformed, e.id, e.size)
	}
	return e, nil
}

// full reads into all of b.
func (d *Reader) full(b []byte) error {
	n, err := io.ReadFull(d.r, b)
	d.at += uint64(n)
	return err
}

// body reads the content of an element, at most limit bytes. It is valid until
// the next call.
func (d *Reader) body(e element, limit uint64) ([]byte, error) {
	if e.unknown || e.size > limit {
		return nil, fmt.Errorf("%w: element %#x of %d bytes", ErrMalformed, e.id, e.size)
	}
	b := d.buf[:0]
	for uint64(len(b)) < e.size {
		n := int(min(e.size-uint64(len(b)), uint64(max(step, cap(b)-len(b)))))
		at := len(b)
		if at+n > cap(b) {
			grown := make([]byte, at, max(at+n, min(2*cap(b), int(e.size))))
			copy(grown, b)
			b = grown
		}
		b = b[:at+n]
		d.buf = b
		if err := d.full(b[at:]); err != nil {
			return nil, whole(err)
		}
	}
	return b, nil
}

func (d *Reader) skip(e element) error {
	if e.unknown {
		return fmt.Errorf("%w: element %#x of unknown size", ErrMalformed, e.id)
	}
	n, err := io.CopyN(io.Discard, d.r, int64(e.size))
	d.at += uint64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return whole(err)
}

// children yields the elements in body, and at most one error at the end.
func children(body []byte) iter.Seq2[element, error] {
	return func(yield func(element, error) bool) {
		for len(body) > 0 {
			c, rest, ok := child(body)
			if !ok {
				yield(element{}, fmt.Errorf("%w: broken element inside of another", ErrMalformed))
				return
			}
			if !yield(c, nil) {
				return
			}
			body = rest
		}
	}
}

func child(body []byte) (c element, rest []byte, ok bool) {
	n := bits.LeadingZeros8(body[0]) + 1
	if n > 4 || n >= len(body) {
		return element{}, nil, false
	}
	size, m := vint(body[n:])
	if m == 0 || size > uint64(len(body)-n-m) {
		return element{}, nil, false
	}
	end := n + m + int(size)
	return element{id: number(body[:n]), size: size, data: body[n+m : end : end]}, body[end:], true
}

// vint reads an integer of variable length (RFC 8794, section 4). n is zero
// when b does not hold one.
func vint(b []byte) (v uint64, n int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if len(b) < n {
		return 0, 0
	}
	return number(b[:n]) &^ (1 << (7 * n)), n
}

// number is an unsigned integer of at most eight bytes; more give the largest.
func number(b []byte) uint64 {
	if len(b) > 8 {
		return math.MaxUint64
	}
	var v uint64
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v
}
