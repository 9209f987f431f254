package v4l2

// buffer is v4l2_buffer with 64-bit time, as kernels since 5.6 have it.
type buffer struct {
	index     uint32
	typ       uint32
	bytesUsed uint32
	flags     uint32
	field     uint32
	_         uint32 // 64-bit members are aligned in the kernel's ABI, not in Go
	seconds   int64
	micros    int64
	timecode  timecode
	sequence  uint32
	memory    uint32
	m         uintptr // the offset for mmap, or the address of the planes
	length    uint32  // of the buffer, or the number of planes
	reserved2 uint32
	requestFD int32
}
