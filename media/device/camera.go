package device

import (
	"context"
	"fmt"

	"github.com/parley-rtc/parley/media"
)

// CameraOptions say how a camera is to be opened. What is zero is left to the
// camera: the size closest to 640x480, the rate closest to 30, and the format
// that costs least to convert, always the same one: I420, NV12, YUYV, MJPEG.
type CameraOptions struct {
	// Width and Height are the picture's size in pixels.
	Width, Height int
	// FrameRate is in pictures a second.
	FrameRate float64
	// Format is the pixel format. It is always kept to.
	Format media.PixelFormat
	// Nearest accepts the size and rate closest to those asked for. Without
	// it they are exact, or [ErrUnsatisfiable].
	Nearest bool
	// Reopen makes the camera wait when it is unplugged, and go on when the
	// camera with the same id is back. Without it, that is an [ErrUnplugged].
	Reopen bool
}

// VideoSettings are what a camera really gives.
type VideoSettings struct {
	Width, Height int
	// FrameRate is zero when the camera does not tell.
	FrameRate float64
	// Format is how pictures lie in memory; empty when they are encoded.
	Format media.PixelFormat
	// Codec is how pictures are encoded; empty when they are not.
	Codec media.Codec
}

// Camera is an open camera. One goroutine reads it; the other methods may be
// called from any.
type Camera struct {
	slot *slot[camera, cameraWant]
}

var _ media.VideoReader = (*Camera)(nil)

// camera is what a backend opens.
type camera interface {
	media.VideoReader
	device() Device
	settings() VideoSettings
	// source gives the pictures as the camera encodes them.
	source() media.Source
}

// cameraWant is what a camera is opened with.
type cameraWant struct {
	CameraOptions
	name  string
	codec media.Codec // to be passed on; empty for pictures
}

// OpenCamera opens the camera called name; empty means the default one. opts
// may be nil. The camera gives pictures from then on. ctx bounds the opening
// alone.
func OpenCamera(ctx context.Context, name string, opts *CameraOptions) (*Camera, error) {
	w := cameraWant{name: name}
	if opts != nil {
		w.CameraOptions = *opts
	}
	return openCameraSlot(ctx, w)
}

func openCameraSlot(ctx context.Context, w cameraWant) (*Camera, error) {
	s, err := newSlot(ctx, w, w.Reopen, openNamed)
	if err != nil {
		return nil, err
	}
	return &Camera{s}, nil
}

// openNamed opens the camera that the name means. It is to come back as the
// same device, whatever its name means by then.
func openNamed(ctx context.Context, w cameraWant) (cam camera, again cameraWant, err error) {
	if w.Width < 0 || w.Height < 0 || !(w.FrameRate >= 0) {
		return nil, w, &Error{
			Kind: media.Video, Device: w.name, Err: ErrUnsatisfiable,
			Cause: fmt.Errorf("%dx%d at %v/s", w.Width, w.Height, w.FrameRate),
		}
	}
	all, err := list(ctx, media.Video, false)
	if err != nil && len(all) == 0 {
		return nil, w, err
	}
	d, err := find(all, media.Video, w.name)
	if err != nil {
		return nil, w, err
	}
	err = guarded(media.Video, d.Label, func() (err error) {
		cam, err = openCamera(ctx, d, w)
		return err
	})
	w.name = d.ID
	return cam, w, err
}

// ReadFrame waits for the next picture and puts it into f. A reader that is
// slow gets the newest.
func (c *Camera) ReadFrame(ctx context.Context, f *media.VideoFrame) error {
	for {
		cam, epoch, err := c.slot.get(ctx)
		if err != nil {
			return err
		}
		if err = readFrame(ctx, cam, f); err == nil {
			return nil
		}
		if ctx.Err() != nil || !c.slot.lost(epoch, err) {
			return err
		}
	}
}

// readFrame stops panics. It is no closure, which would be garbage.
func readFrame(ctx context.Context, cam camera, f *media.VideoFrame) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(media.Video, cam.device().Label, p)
		}
	}()
	return cam.ReadFrame(ctx, f)
}

// Device returns the camera that is open, or was last.
func (c *Camera) Device() Device {
	if cam, ok := c.slot.current(); ok {
		return cam.device()
	}
	return Device{Kind: media.Video}
}

// Settings returns what the camera really gives at present; they are zero while
// it is unplugged.
func (c *Camera) Settings() VideoSettings {
	if cam, ok := c.slot.current(); ok {
		return cam.settings()
	}
	return VideoSettings{}
}

// Restart opens another camera, or the same with other options, in the place of
// this one, while it is read. name may be empty for the same. Reopen stays as it
// was. When it fails, what was open goes on.
func (c *Camera) Restart(ctx context.Context, name string, opts *CameraOptions) error {
	w := c.slot.wanted()
	if name != "" {
		w.name = name
	}
	w.CameraOptions = CameraOptions{}
	if opts != nil {
		w.CameraOptions = *opts
	}
	return c.restart(ctx, w)
}

// restart keeps what cannot be changed.
func (c *Camera) restart(ctx context.Context, w cameraWant) error {
	was := c.slot.wanted()
	w.Reopen, w.codec = was.Reopen, was.codec
	return c.slot.Restart(ctx, w)
}

// Close closes the camera and makes a waiting ReadFrame return.
func (c *Camera) Close() error { return c.slot.Close() }
