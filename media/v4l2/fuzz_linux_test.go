package v4l2

import (
	"context"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/parley-rtc/parley/media"
)

// sizes of what each ioctl fills.
func argSize(req uint32) uintptr { return uintptr(req >> 16 & 0x3fff) }

// FuzzDevice changes what a device answers: each ioctl that succeeds takes
// three bytes of the input, which say what to change where, or to fail.
func FuzzDevice(f *testing.F) {
	f.Add([]byte{}, byte(0))
	f.Add([]byte{0, 0, 0, 5, 30, 255, 4, 7, 1}, byte(1))
	f.Add([]byte{2, 4, 200, 1, 1, 1, 3, 3, 3, 9, 9, 9}, byte(2))
	f.Add([]byte{255, 0, 1, 255, 16, 2, 255, 32, 3}, byte(3))
	codes := []string{"YUYV", "NV12", "NM12", "MJPG", "H264", "YV12"}
	f.Fuzz(func(t *testing.T, answers []byte, kind byte) {
		code := codes[int(kind)%len(codes)]
		d := newFake(code)
		d.sizes = []Size{{32, 24}}
		if code == "NM12" {
			d.mplane, d.caps = true, capVideoCaptureMplane|capStreaming
		}
		left := answers
		d.answer = func(req uint32, arg unsafe.Pointer, err error) error {
			if err != nil || len(left) < 3 {
				return err
			}
			op, at, value := left[0], uintptr(left[1])*4, left[2]
			left = left[3:]
			if op < 8 {
				return syscall.Errno(value)
			}
			pointer := req == vidiocQueryBuf || req == vidiocDQBuf || req == vidiocQBuf
			if op&1 == 0 || at+4 > argSize(req) || pointer && d.mplane && at/4*4 == unsafe.Offsetof(buffer{}.m)/4*4 {
				return nil
			}
			*(*uint32)(unsafe.Add(arg, at)) = uint32(value) << (op & 0x18)
			return nil
		}
		c, err := open(t.Context(), newFakeHost(d), "", Options{StallTimeout: time.Millisecond})
		if err != nil {
			return
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		source := c.Source()
		var frame media.VideoFrame
		for range 4 {
			if code == "H264" {
				d.pushData(answers)
				_, _ = source.Next(ctx) // any error will do
			} else {
				d.pushRaw(kind)
				err = c.ReadFrame(ctx, &frame)
				if err == nil && code != "MJPG" && len(frame.Planes[0]) < frame.Strides[0]*frame.Height {
					t.Fatalf("%d bytes of %d rows of %d", len(frame.Planes[0]), frame.Height, frame.Strides[0])
				}
			}
		}
		_ = c.Reconfigure(ctx, Options{Width: 32, Height: 24})
	})
}

func FuzzUnit(f *testing.F) {
	f.Add(nals(sps264, pps264, idr264), nals(idr264), false)
	f.Add(nals(aud264, sps264), nals(pps264, slice264), true)
	f.Fuzz(func(t *testing.T, first, second []byte, h265 bool) {
		u := unit{codec: media.H264}
		if h265 {
			u.codec = media.H265
		}
		for _, picture := range [][]byte{first, second, first} {
			data, key, ok, err := u.take(picture)
			if ok && (err != nil || len(data) == 0) || !ok && key {
				t.Fatalf("%v %v %v: % x", key, ok, err, data)
			}
		}
	})
}

func FuzzJPEG(f *testing.F) {
	f.Add([]byte{0xff, 0xd8, 0xff, 0xda, 0, 2})
	f.Add([]byte{0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := appendJPEG(nil, data); len(got) != len(data) && len(got) != len(data)+420 {
			t.Fatalf("%d of %d", len(got), len(data))
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 'v', 'i', 'd', 'e', 'o', '0', 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) { concernsVideo(data) })
}
