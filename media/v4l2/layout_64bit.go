//go:build !386 && !arm

package v4l2

import "unsafe"

// format is v4l2_format. Some member of its union has pointers, which align it.
type format struct {
	typ uint32
	_   uint32
	raw [200]byte
}

// buffer is v4l2_buffer.
type buffer struct {
	index     uint32
	typ       uint32
	bytesUsed uint32
	flags     uint32
	field     uint32
	_         uint32
	seconds   int64
	micros    int64
	timecode  timecode
	sequence  uint32
	memory    uint32
	m         uintptr // the offset for mmap, or the address of the planes
	length    uint32  // of the buffer, or the number of planes
	reserved2 uint32
	requestFD int32
	_         uint32
}

// plane is v4l2_plane.
type plane struct {
	bytesUsed  uint32
	length     uint32
	m          uintptr // the offset for mmap
	dataOffset uint32
	_          [11]uint32
}

// bufferCall does the ioctls that take a buffer.
type bufferCall struct{}

func (*bufferCall) do(n node, req uint32, b *buffer) error {
	return n.ioctl(req, unsafe.Pointer(b))
}
