// Package params reads what containers and files need to know of a stream
// beyond the key frames and sizes that package bitstream tells: the frame
// rate, the fields of codec configuration records, and where one H.264 picture
// ends and the next begins.
//
// No function panics on any input; what cannot be read is an error that wraps
// ErrMalformed.
package params

import (
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by all errors of this package.
var ErrMalformed = errors.New("malformed parameters")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// bits reads big-endian bit fields. Reading past the end yields zeros and sets
// short, so that a parser checks once, at its end.
type bits struct {
	b     []byte
	pos   int
	short bool
}

func (r *bits) bit() uint32 {
	i := r.pos >> 3
	if i >= len(r.b) {
		r.short = true
		return 0
	}
	v := r.b[i] >> (7 - r.pos&7) & 1
	r.pos++
	return uint32(v)
}

func (r *bits) flag() bool { return r.bit() == 1 }

func (r *bits) u(n int) uint32 {
	var v uint32
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

func (r *bits) skip(n int) {
	if n < 0 || r.pos+n > len(r.b)*8 {
		r.short = true
		r.pos = len(r.b) * 8
		return
	}
	r.pos += n
}

// ue reads an unsigned Exp-Golomb code (H.264 9.1).
func (r *bits) ue() uint32 {
	zeros := 0
	for r.bit() == 0 {
		if zeros++; zeros > 31 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}

// se reads a signed Exp-Golomb code (H.264 9.1.1).
func (r *bits) se() int32 {
	k := r.ue()
	if k&1 == 1 {
		return int32(k/2) + 1
	}
	return -int32(k / 2)
}

// uvlc reads AV1's variable length code (AV1 4.10.3).
func (r *bits) uvlc() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; zeros >= 32 || r.short {
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}

// check reports reading past the end as an error.
func (r *bits) check(what string) error {
	if r.short {
		return malformed("%s cut off", what)
	}
	return nil
}

// raw takes the emulation prevention bytes out of a NAL unit of H.264 or H.265
// (00 00 03 stands for 00 00). Only the first limit bytes are of interest.
func raw(nal []byte, limit int) []byte {
	out := make([]byte, 0, min(len(nal), limit))
	zeros := 0
	for _, b := range nal {
		if len(out) == limit {
			break
		}
		if zeros >= 2 && b == 3 {
			zeros = 0
			continue
		}
		if b == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, b)
	}
	return out
}
