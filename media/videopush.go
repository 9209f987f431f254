package media

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// VideoPushOptions are the options of [NewVideoPush].
type VideoPushOptions struct {
	// Wait makes Write wait until the picture before was taken, for programs
	// that are faster than the encoder and want to lose nothing. By default a
	// picture that was not taken is replaced by the next.
	Wait bool
}

// VideoPush is the camera of a program that makes its own pictures: a game, a
// simulation, an image topic of a robot.
//
//	push := media.NewVideoPush(nil)
//	track, err := parley.NewLocalVideoTrack(media.NewVideoSource(push, enc, nil), nil)
//	…
//	for img := range rendered {
//		f := media.VideoFrame{Format: media.RGBA, Width: img.Rect.Dx(), Height: img.Rect.Dy()}
//		f.Planes[0], f.Strides[0] = img.Pix, img.Stride
//		if err := push.Write(ctx, &f); err != nil {
//			return err
//		}
//	}
//
// All methods may be called from any goroutine, but only one may read.
type VideoPush struct {
	hatch hatch
	wait  bool
	more  chan struct{} // tells the reader that there is a picture

	mu            sync.Mutex
	picture       VideoFrame
	full          bool
	begun         bool
	first         time.Time     // Captured of the first picture
	start, latest time.Duration // timestamps of the first and last picture
}

var _ VideoReader = (*VideoPush)(nil)

// NewVideoPush returns a reader of what is written to it. opts may be nil.
func NewVideoPush(opts *VideoPushOptions) *VideoPush {
	p := &VideoPush{
		hatch: newHatch(),
		more:  make(chan struct{}, 1),
	}
	if opts != nil {
		p.wait = opts.Wait
	}
	return p
}

// Write hands a copy of a picture over: f and its memory stay the caller's. It
// waits for nothing, unless the options say so; then ctx bounds that.
//
// A zero Captured is now. A zero Timestamp, other than of the first picture,
// follows Captured. A malformed picture, and one whose timestamp does not grow,
// is refused with a [*FrameError]; after Close the error is [ErrClosed]. What
// it returned an error for is not sent.
func (p *VideoPush) Write(ctx context.Context, f *VideoFrame) error {
	return p.hatch.write(ctx, func() (bool, error) { return p.put(f) })
}

func (p *VideoPush) put(f *VideoFrame) (written bool, err error) {
	if err := f.Validate(); err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full && p.wait {
		return false, nil
	}
	captured, timestamp := f.Captured, f.Timestamp
	if captured.IsZero() {
		captured = time.Now()
	}
	if p.begun && timestamp == 0 {
		// Two pictures of one moment would become one in RTP.
		timestamp = max(p.start+captured.Sub(p.first), p.latest+time.Millisecond)
	}
	if p.begun && timestamp <= p.latest {
		return false, f.failed(fmt.Errorf("%w: %v after %v", ErrTimestamp, timestamp, p.latest))
	}
	if err := p.picture.CopyFrom(f); err != nil {
		return false, err
	}
	if !p.begun {
		p.begun, p.first, p.start = true, captured, timestamp
	}
	p.picture.Captured, p.picture.Timestamp, p.latest = captured, timestamp, timestamp
	p.full = true
	poke(p.more)
	return true, nil
}

// ReadFrame waits for the next picture and copies it to f. After Close it gives
// the one that still waits, then io.EOF.
func (p *VideoPush) ReadFrame(ctx context.Context, f *VideoFrame) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if taken, err := p.take(f); taken || err != nil {
			return err
		}
		select {
		case <-p.more:
		case <-ctx.Done():
		case <-p.hatch.done:
			if taken, err := p.take(f); taken || err != nil {
				return err
			}
			return io.EOF
		}
	}
}

func (p *VideoPush) take(f *VideoFrame) (taken bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.full {
		return false, nil
	}
	p.full = false
	poke(p.hatch.room)
	return true, f.CopyFrom(&p.picture)
}

// Close ends the pictures in good order, behind the one that waits. It makes a
// waiting Write and a waiting ReadFrame return, and is idempotent.
func (p *VideoPush) Close() error {
	p.hatch.close()
	return nil
}
