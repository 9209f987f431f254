//go:build 386 || arm

package v4l2

import (
	"errors"
	"syscall"
	"unsafe"
)

// format is v4l2_format.
type format struct {
	typ uint32
	raw [200]byte
}

// plane is v4l2_plane.
type plane struct {
	bytesUsed  uint32
	length     uint32
	m          uintptr // the offset for mmap
	dataOffset uint32
	_          [11]uint32
}

// bufferTime32 is v4l2_buffer as kernels before 5.6 have it.
type bufferTime32 struct {
	index     uint32
	typ       uint32
	bytesUsed uint32
	flags     uint32
	field     uint32
	seconds   int32
	micros    int32
	timecode  timecode
	sequence  uint32
	memory    uint32
	m         uintptr
	length    uint32
	reserved2 uint32
	requestFD int32
}

// bufferCall does the ioctls that take a buffer. A kernel that does not know
// the layout with 64-bit time is asked with the older one from then on.
type bufferCall struct {
	time32 bool
	old    bufferTime32
}

func (c *bufferCall) do(n node, req uint32, b *buffer) error {
	if !c.time32 {
		err := n.ioctl(req, unsafe.Pointer(b))
		if !errors.Is(err, syscall.ENOTTY) {
			return err
		}
	}
	old := &c.old
	*old = bufferTime32{
		index: b.index, typ: b.typ, bytesUsed: b.bytesUsed, flags: b.flags, field: b.field,
		seconds: int32(b.seconds), micros: int32(b.micros), timecode: b.timecode,
		sequence: b.sequence, memory: b.memory, m: b.m, length: b.length,
		reserved2: b.reserved2, requestFD: b.requestFD,
	}
	err := n.ioctl(request(req>>30, req&0xff, unsafe.Sizeof(*old)), unsafe.Pointer(old))
	if errors.Is(err, syscall.ENOTTY) {
		return err
	}
	c.time32 = true
	b.index, b.typ, b.bytesUsed, b.flags, b.field = old.index, old.typ, old.bytesUsed, old.flags, old.field
	b.seconds, b.micros, b.timecode = int64(old.seconds), int64(old.micros), old.timecode
	b.sequence, b.memory, b.m, b.length = old.sequence, old.memory, old.m, old.length
	b.reserved2, b.requestFD = old.reserved2, old.requestFD
	return err
}
