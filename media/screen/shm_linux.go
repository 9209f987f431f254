package screen

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"

	"golang.org/x/sys/unix"
)

// segment is memory that the X server writes pictures to.
type segment struct {
	mem []byte
	id  uint32 // as a resource of the server
}

func (s *segment) free() {
	if s != nil {
		_ = unix.SysvShmDetach(s.mem) // it was attached
	}
}

// share lets pictures come through shared memory if the server can.
func (x *session) share(ctx context.Context) error {
	op, err := x.extension(ctx, "MIT-SHM")
	if err != nil || op == 0 {
		return err
	}
	x.shmOp = op
	err = x.attach(ctx, 4*max(1, x.bounds.Dx())*max(1, x.bounds.Dy()))
	if errors.Is(err, errNotShared) {
		return nil
	}
	return err
}

// attach makes a segment of at least the size, in the place of the one before.
// Any reason why it does not work is errNotShared.
func (x *session) attach(ctx context.Context, size int) error {
	id := x.setup.idBase | 1
	if x.shm != nil {
		x.shm.free()
		x.shm = nil
		x.begin(x.shmOp, 2) // ShmDetach
		x.u32(id)
		if err := x.do(ctx); err != nil {
			return err
		}
	}
	key, err := unix.SysvShmGet(unix.IPC_PRIVATE, size, unix.IPC_CREAT|0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotShared, err)
	}
	// It is removed at once, which takes effect when nobody is attached any
	// more: nothing is left behind by a program that is killed.
	defer func() { _, _ = unix.SysvShmCtl(key, unix.IPC_RMID, nil) }()
	mem, err := unix.SysvShmAttach(key, 0, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotShared, err)
	}
	s := &segment{mem: mem, id: id}
	x.begin(x.shmOp, 1) // ShmAttach
	x.u32(id, uint32(key), 0)
	if err := x.do(ctx); err != nil {
		s.free()
		var refused *xError
		if errors.As(err, &refused) {
			return fmt.Errorf("%w: %w", errNotShared, err)
		}
		return err
	}
	x.shm = s
	err = x.tryShared(ctx)
	if err != nil && !isXError(err, badMatch) {
		x.shm = nil
		s.free()
		return err
	}
	return nil
}

// tryShared takes one pixel twice over different marks. A server in another
// container may have attached a segment that has our key by chance.
func (x *session) tryShared(ctx context.Context) error {
	bounds := x.bounds
	defer func() { x.bounds = bounds }()
	x.bounds = image.Rect(0, 0, 1, 1)
	for _, mark := range []uint32{0x5a5a5a5a, 0xa5a5a5a5} {
		binary.LittleEndian.PutUint32(x.shm.mem, mark)
		if err := x.grabShared(ctx, 4); err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(x.shm.mem) != mark {
			return nil
		}
	}
	return errNotShared
}

// grabShared makes the server write the picture to the segment.
func (x *session) grabShared(ctx context.Context, size int) error {
	if len(x.shm.mem) < size {
		if err := x.attach(ctx, size); err != nil {
			return err
		}
	}
	x.begin(x.shmOp, 4) // ShmGetImage, ZPixmap
	x.u32(x.screen.root)
	x.u16(uint16(x.bounds.Min.X), uint16(x.bounds.Min.Y), uint16(x.bounds.Dx()), uint16(x.bounds.Dy()))
	x.u32(math.MaxUint32)
	x.u8(2, 0, 0, 0)
	x.u32(x.shm.id, 0)
	_, more, err := x.ask(ctx)
	if err != nil {
		return err
	}
	return x.skip(ctx, more)
}
