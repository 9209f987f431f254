package v4l2

import (
	"sync/atomic"
	"unsafe"
)

// controls are what a camera that encodes can be told. Requests are noted from
// any goroutine, and the reader hands them to the driver, which may take its
// time.
type controls struct {
	canKeyframe, canBitrate atomic.Bool

	keyframe atomic.Bool
	bitrate  atomic.Int64 // asked for, zero before

	set       int64 // what the device was told, by the reader
	low, high int32 // of the bitrate
}

// begin finds out what the device has. It belongs to the reader.
func (c *controls) begin(s *stream, bitrate int) {
	if _, encoded := s.config.Format.Codec(); !encoded {
		return
	}
	_, key := s.control(ctrlForceKeyFrame)
	c.canKeyframe.Store(key)
	q, rate := s.control(ctrlBitrate)
	c.canBitrate.Store(rate)
	c.low, c.high = q.minimum, q.maximum
	if _, ok := s.control(ctrlRepeatSeqHeader); ok {
		s.setControl(ctrlRepeatSeqHeader, 1)
	}
	c.bitrate.CompareAndSwap(0, int64(bitrate))
	c.set = 0 // a camera that comes back has forgotten
}

func (c *controls) apply(s *stream) {
	if c.canKeyframe.Load() && c.keyframe.Swap(false) {
		s.setControl(ctrlForceKeyFrame, 1)
	}
	if b := c.bitrate.Load(); c.canBitrate.Load() && b != c.set {
		c.set = b
		s.setControl(ctrlBitrate, int32(min(max(b, int64(c.low)), int64(c.high))))
	}
}

// control asks for a control that can be set.
func (s *stream) control(id uint32) (queryCtrl, bool) {
	q := queryCtrl{id: id}
	err := s.n.ioctl(vidiocQueryCtrl, unsafe.Pointer(&q))
	return q, err == nil && q.flags&(ctrlFlagDisabled|ctrlFlagReadOnly) == 0 && q.minimum <= q.maximum
}

// setControl is a wish: a driver may refuse it for the time being.
func (s *stream) setControl(id uint32, value int32) {
	v := control{id: id, value: value}
	_ = s.n.ioctl(vidiocSCtrl, unsafe.Pointer(&v))
}
