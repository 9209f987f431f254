package v4l2

import (
	"errors"
	"syscall"
	"time"
	"unsafe"
)

// stream is a device that gives pictures. It belongs to one goroutine.
type stream struct {
	n      node
	typ    uint32
	path   string
	config Config
	layout layout
	stats  *counters

	choice       choice
	memoryPlanes int
	buffers      [][][]byte // of each buffer, the mapped memory planes
	on           bool

	// What is handed to the kernel, which keeps the collector out of it.
	call   bufferCall
	buf    buffer
	planes [maxPlanes]plane

	sequence  uint32
	sequenced bool
	damaged   bool // since the last good picture, some were lost
	failures  int  // EIO in a row
	nonsense  int  // malformed pictures in a row
}

// picture is a buffer that the driver filled. It has to be queued again.
type picture struct {
	index  int
	starts [maxPlanes]int
	ends   [maxPlanes]int
	stamp  time.Duration // by the monotonic clock, zero when unknown
	lost   bool          // pictures before it were
}

const (
	// maxFailures is after how many I/O errors in a row a device has failed.
	// Older drivers report a single broken picture in this way.
	maxFailures = 8
	// maxNonsense is after how many pictures in a row that cannot be what the
	// device says they are it is given up.
	maxNonsense = 150
)

// openStream makes the camera give pictures.
func openStream(h host, d *Device, o *Options, stats *counters) (*stream, error) {
	n, err := h.open(d.Path)
	if err != nil {
		return nil, errorOf("open", d.Path, err)
	}
	s := &stream{n: n, typ: d.bufType(), path: d.Path, stats: stats}
	if err := s.open(h, d, o); err != nil {
		s.close()
		return nil, explain(h, d, err)
	}
	return s, nil
}

// explain adds to an error what the system knows about its cause.
func explain(h host, d *Device, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Detail != "" {
		return err
	}
	switch {
	case errors.Is(e, ErrBusy):
		e.Detail = h.users(d.Path)
	case d.pipeline && e.Cause != nil:
		e.Detail = "it is part of a media pipeline that has to be set up first, as libcamera does"
	}
	return err
}

func (s *stream) open(h host, d *Device, o *Options) error {
	// Between finding the path and opening it, another camera may have come.
	again, err := identify(h, s.n, d.Path, h.byID())
	if err != nil {
		return err
	}
	if again.bus != d.bus || again.mplane != d.mplane {
		return &Error{Op: "open", Device: d.Path, Err: ErrUnplugged}
	}
	d.Formats = enumerate(s.n, s.typ)
	c, err := choose(s.n, d, o)
	if err != nil {
		return err
	}
	return s.begin(d, c, o)
}

// begin sets a choice and starts.
func (s *stream) begin(d *Device, c choice, o *Options) error {
	if err := s.configure(d, c, o); err != nil {
		return err
	}
	s.choice = c
	return s.start(o)
}

// start makes buffers and starts the stream.
func (s *stream) start(o *Options) error {
	want := o.Buffers
	if want == 0 {
		want = 4
		if _, encoded := s.config.Format.Codec(); encoded {
			want = 8
		}
	}
	r := requestBuffers{count: uint32(max(want, 4)), typ: s.typ, memory: memoryMmap}
	if err := s.n.ioctl(vidiocReqBufs, unsafe.Pointer(&r)); err != nil {
		return errorOf("get buffers of", s.path, err)
	}
	if r.count < 2 || r.count > 4*maxBuffers {
		return broken("get buffers of", s.path, "the driver gives %d", r.count)
	}
	for i := range r.count {
		if err := s.mapBuffer(i); err != nil {
			return errorOf("map the buffers of", s.path, err)
		}
	}
	for i := range s.buffers {
		if err := s.queue(i); err != nil {
			return err
		}
	}
	typ := int32(s.typ)
	if err := s.n.ioctl(vidiocStreamOn, unsafe.Pointer(&typ)); err != nil {
		return errorOf("start", s.path, err)
	}
	s.on = true
	s.sequenced = false
	s.config.Buffers = len(s.buffers)
	return nil
}

func (s *stream) mapBuffer(index uint32) error {
	s.prepare()
	s.buf.index = index
	if err := s.call.do(s.n, vidiocQueryBuf, &s.buf); err != nil {
		return err
	}
	count := 1
	if s.typ == bufTypeCaptureMplane {
		count = int(min(s.buf.length, maxPlanes))
	}
	if count != s.memoryPlanes {
		return broken("map the buffers of", s.path, "%d memory planes, not %d", count, s.memoryPlanes)
	}
	s.buffers = append(s.buffers, nil)
	mapped := &s.buffers[len(s.buffers)-1]
	for i := range count {
		length, offset := s.buf.length, uint32(s.buf.m)
		if s.typ == bufTypeCaptureMplane {
			length, offset = s.planes[i].length, uint32(s.planes[i].m)
		}
		if length == 0 || length > 2*maxImage || int(length) < s.layout.need[i] {
			return broken("map the buffers of", s.path, "a buffer of %d bytes for a picture of at least %d", length, s.layout.need[i])
		}
		b, err := s.n.mmap(int64(offset), int(length))
		if err != nil {
			return err
		}
		*mapped = append(*mapped, b)
	}
	return nil
}

// prepare makes buf ready for a call.
func (s *stream) prepare() {
	s.buf = buffer{typ: s.typ, memory: memoryMmap}
	if s.typ == bufTypeCaptureMplane {
		clear(s.planes[:])
		s.buf.m = uintptr(unsafe.Pointer(&s.planes))
		s.buf.length = uint32(s.memoryPlanes)
	}
}

// queue gives a buffer to the driver.
func (s *stream) queue(index int) error {
	s.prepare()
	s.buf.index = uint32(index)
	if err := s.call.do(s.n, vidiocQBuf, &s.buf); err != nil {
		return errorOf("queue a buffer of", s.path, err)
	}
	return nil
}

// take returns a picture that waits, or that none does. With newest, all that
// wait are taken, and all but the last are given back. starved is true when
// the driver had no buffer left.
func (s *stream) take(newest bool) (p picture, ok, starved bool, err error) {
	held := 0
	for range 2 * len(s.buffers) { // it may fill them as fast as they are queued
		next, good, err := s.dequeue()
		if errors.Is(err, syscall.EAGAIN) {
			return p, ok, starved, nil
		}
		if err != nil {
			return p, false, false, err
		}
		held++
		starved = held >= len(s.buffers)
		if !good {
			if err := s.queue(next.index); err != nil {
				return p, false, false, err
			}
			continue
		}
		if ok {
			s.stats.stale.Add(1)
			if err := s.queue(p.index); err != nil {
				return p, false, false, err
			}
		}
		p, ok = next, true
		if !newest {
			break
		}
	}
	return p, ok, starved, nil
}

// dequeue takes the next buffer from the driver. good is false when what it
// holds is of no use.
func (s *stream) dequeue() (p picture, good bool, err error) {
	s.prepare()
	err = s.call.do(s.n, vidiocDQBuf, &s.buf)
	switch {
	case err == nil:
	case errors.Is(err, syscall.EAGAIN):
		return p, false, err
	case errors.Is(err, syscall.EIO) && s.failures < maxFailures:
		s.failures++
		s.stats.errors.Add(1)
		return p, false, syscall.EAGAIN
	default:
		return p, false, errorOf("read", s.path, err)
	}
	s.failures = 0
	if uint64(s.buf.index) >= uint64(len(s.buffers)) {
		return p, false, broken("read", s.path, "buffer %d of %d", s.buf.index, len(s.buffers))
	}
	p.index = int(s.buf.index)
	s.account(s.buf.sequence)
	if s.buf.flags&flagError != 0 {
		s.stats.errors.Add(1)
		s.damaged = true
		return p, false, nil
	}
	if !s.measure(&p) {
		s.stats.errors.Add(1)
		s.damaged = true
		return p, false, s.tellsNonsense()
	}
	p.lost, s.damaged = s.damaged, false
	if s.buf.flags&flagTimestampMask == flagTimestampMonotonic && s.buf.seconds >= 0 && s.buf.seconds < 1<<32 {
		p.stamp = time.Duration(s.buf.seconds)*time.Second + time.Duration(s.buf.micros%1e6)*time.Microsecond
	}
	return p, true, nil
}

// tellsNonsense counts a picture that cannot be what the device says it is.
func (s *stream) tellsNonsense() error {
	s.nonsense++
	if s.nonsense < maxNonsense {
		return nil
	}
	return broken("read", s.path, "%d pictures in a row are no %s of %dx%d",
		s.nonsense, s.config.Format, s.config.Width, s.config.Height)
}

// maxGap is how many missing pictures are believed. A driver that starts to
// count anew is not.
const maxGap = 1 << 16

// account counts the pictures that the device missed.
func (s *stream) account(sequence uint32) {
	if gap := sequence - s.sequence - 1; s.sequenced && gap > 0 && gap < maxGap {
		s.stats.lost.Add(uint64(gap))
		s.damaged = true
	}
	s.sequence, s.sequenced = sequence, true
}

// measure finds the picture's bytes in its memory planes.
func (s *stream) measure(p *picture) bool {
	for i, memory := range s.buffers[p.index] {
		start, end := uint32(0), s.buf.bytesUsed
		if s.typ == bufTypeCaptureMplane {
			start, end = s.planes[i].dataOffset, s.planes[i].bytesUsed
		}
		if uint64(end) > uint64(len(memory)) || start >= end || end-start < uint32(s.layout.need[i]) {
			return false
		}
		p.starts[i], p.ends[i] = int(start), int(end)
	}
	return true
}

// alive asks whether the device is still there.
func (s *stream) alive() error {
	var c capability
	if err := s.n.ioctl(vidiocQueryCap, unsafe.Pointer(&c)); err != nil {
		return errorOf("read", s.path, err)
	}
	return nil
}

// stop ends the stream and frees the buffers. What fails is of no matter: the
// device may be gone.
func (s *stream) stop() {
	if s.on {
		typ := int32(s.typ)
		_ = s.n.ioctl(vidiocStreamOff, unsafe.Pointer(&typ))
		s.on = false
	}
	for _, planes := range s.buffers {
		for _, b := range planes {
			_ = s.n.munmap(b)
		}
	}
	s.buffers = nil
	r := requestBuffers{typ: s.typ, memory: memoryMmap}
	_ = s.n.ioctl(vidiocReqBufs, unsafe.Pointer(&r))
}

func (s *stream) close() {
	s.stop()
	_ = s.n.close()
}
