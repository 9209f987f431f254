package window

import (
	"image"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/shm"
	"github.com/jezek/xgb/xproto"
	"golang.org/x/sys/unix"
)

// segment is memory that the display reads too (MIT-SHM).
type segment struct {
	x      *xgb.Conn
	id     shm.Seg
	memory []byte
}

// share makes a segment of at least the size.
func share(x *xgb.Conn, size int) (*segment, error) {
	if err := shm.Init(x); err != nil {
		return nil, err
	}
	key, err := unix.SysvShmGet(unix.IPC_PRIVATE, size, unix.IPC_CREAT|0o600)
	if err != nil {
		return nil, err
	}
	memory, err := unix.SysvShmAttach(key, 0, 0)
	if err == nil {
		s := &segment{x: x, memory: memory}
		if s.id, err = shm.NewSegId(x); err == nil {
			err = shm.AttachChecked(x, s.id, uint32(key), true).Check()
		}
		if err == nil {
			// It goes with the last who has it.
			_, _ = unix.SysvShmCtl(key, unix.IPC_RMID, nil)
			return s, nil
		}
		_ = unix.SysvShmDetach(memory)
	}
	_, _ = unix.SysvShmCtl(key, unix.IPC_RMID, nil)
	return nil, err
}

// put shows a part of the memory and waits until it has been read.
func (s *segment) put(w *Window, r image.Rectangle) error {
	return shm.PutImageChecked(s.x, xproto.Drawable(w.id), w.gc, uint16(w.canvas.width), uint16(w.canvas.height),
		uint16(r.Min.X), uint16(r.Min.Y), uint16(r.Dx()), uint16(r.Dy()), int16(r.Min.X), int16(r.Min.Y),
		w.screen.RootDepth, xproto.ImageFormatZPixmap, 0, s.id, 0).Check()
}

func (s *segment) free() {
	shm.Detach(s.x, s.id)
	_ = unix.SysvShmDetach(s.memory)
}
