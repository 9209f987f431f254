package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/parley-rtc/parley/media"
)

// passthrough is the source of a camera that encodes by itself.
type passthrough struct {
	cam    *Camera
	codec  media.Codec
	forget func()

	mu      sync.Mutex
	bitrate int // what was last asked for
	epoch   int // of the camera that source is of
	source  media.Source
}

func newPassthrough(cam *Camera, codec media.Codec, bitrate int) *passthrough {
	return &passthrough{cam: cam, codec: codec, bitrate: bitrate}
}

func (p *passthrough) remembered(forget func()) { p.forget = forget }

func (p *passthrough) Codec() media.Codec { return p.codec }

func (p *passthrough) Next(ctx context.Context) (media.Sample, error) {
	for {
		cam, epoch, err := p.cam.slot.get(ctx)
		if errors.Is(err, media.ErrClosed) {
			return media.Sample{}, io.EOF
		}
		if err != nil {
			return media.Sample{}, err
		}
		src := p.of(cam, epoch)
		if src.Codec() != p.codec {
			return media.Sample{}, &Error{
				Kind: media.Video, Device: cam.device().Label, Err: ErrBroken,
				Cause: fmt.Errorf("it gives %q in place of %s", src.Codec(), p.codec),
			}
		}
		s, err := src.Next(ctx)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil || !p.cam.slot.lost(epoch, err) {
			return media.Sample{}, err
		}
	}
}

// of returns the source of the camera that is in the slot now.
func (p *passthrough) of(cam camera, epoch int) media.Source {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.source == nil || p.epoch != epoch {
		p.source, p.epoch = cam.source(), epoch
		if b, ok := p.source.(media.BitrateSetter); ok && p.bitrate > 0 {
			b.SetBitrate(p.bitrate)
		}
	}
	return p.source
}

// RequestKeyframe asks the camera, where it can be asked.
func (p *passthrough) RequestKeyframe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k, ok := p.source.(media.KeyframeRequester); ok {
		k.RequestKeyframe()
	}
}

// SetBitrate tells the camera, where it can be told.
func (p *passthrough) SetBitrate(bps int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bitrate = bps
	if b, ok := p.source.(media.BitrateSetter); ok {
		b.SetBitrate(bps)
	}
}

func (p *passthrough) Close() error {
	if p.forget != nil {
		p.forget()
	}
	return p.cam.Close()
}
