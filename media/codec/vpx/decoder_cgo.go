//go:build cgo && codecs

package vpx

/*
#include <stdlib.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

typedef struct {
	vpx_codec_ctx_t    ctx;
	const vpx_image_t *img; // of the library, until the next call
} decoder;

static vpx_codec_err_t decoder_open(decoder *d, int vp9, int threads) {
	vpx_codec_dec_cfg_t cfg = {0};
	cfg.threads = threads;
	return vpx_codec_dec_init(&d->ctx, vp9 ? vpx_codec_vp9_dx() : vpx_codec_vp8_dx(), &cfg, 0);
}

static vpx_codec_err_t decoder_decode(decoder *d, const unsigned char *data, unsigned int size) {
	vpx_codec_iter_t iter = NULL;
	vpx_image_t     *img;
	vpx_codec_err_t  err;
	int              corrupted = 0;

	d->img = NULL;
	if ((err = vpx_codec_decode(&d->ctx, data, size, NULL, 0))) return err;
	while ((img = vpx_codec_get_frame(&d->ctx, &iter))) d->img = img;
	if ((err = vpx_codec_control(&d->ctx, VP8D_GET_FRAME_CORRUPTED, &corrupted))) return err;
	return corrupted ? VPX_CODEC_CORRUPT_FRAME : VPX_CODEC_OK;
}

static void decoder_close(decoder *d) {
	vpx_codec_destroy(&d->ctx);
	free(d);
}
*/
import "C"

import (
	"fmt"
	"iter"
	"runtime"
	"sync"
	"unsafe"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/picture"
)

type decoder struct {
	codec media.Codec

	mu   sync.Mutex // held while the library works
	c    *C.decoder // nil when closed
	gate picture.Gate
}

func newDecoder(c media.Codec) (media.VideoDecoder, error) {
	d := &decoder{codec: c, c: (*C.decoder)(C.calloc(1, C.sizeof_decoder))}
	if code := C.decoder_open(d.c, flag(c == media.VP9), C.int(min(4, runtime.GOMAXPROCS(0)))); code != C.VPX_CODEC_OK {
		err := failure(code, nil)
		C.free(unsafe.Pointer(d.c))
		return nil, name(err)
	}
	return d, nil
}

func (d *decoder) Codec() media.Codec { return d.codec }

func (d *decoder) Decode(s media.Sample, f *media.VideoFrame) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c == nil {
		return false, name(media.ErrClosed)
	}
	if len(s.Data) == 0 {
		return false, nil
	}
	ok, err := d.decode(s, f)
	if err != nil {
		d.gate.Shut()
		return false, name(err)
	}
	return ok, nil
}

func (d *decoder) decode(s media.Sample, f *media.VideoFrame) (bool, error) {
	key, err := d.header(s.Data)
	if err != nil {
		return false, err
	}
	if ok, err := d.gate.Admit(key, s.Lost); !ok {
		return false, err
	}
	if code := C.decoder_decode(d.c, pointer(s.Data), C.uint(len(s.Data))); code != C.VPX_CODEC_OK {
		return false, fmt.Errorf("%w: %w", codec.ErrBitstream, failure(code, C.vpx_codec_error_detail(&d.c.ctx)))
	}
	if d.c.img == nil {
		return false, nil
	}
	if err := d.take(f); err != nil {
		return false, err
	}
	f.Timestamp, f.Captured = s.Timestamp, s.Captured
	return true, nil
}

// header reports whether the frame is a key frame, before the library takes
// memory for the size that it claims.
func (d *decoder) header(data []byte) (key bool, err error) {
	if d.codec == media.VP8 {
		p, err := bitstream.ParseVP8(data)
		return p.Keyframe, sane(p, err)
	}
	for i, frame := range vp9Frames(data) {
		p, err := bitstream.ParseVP9(frame)
		if err := sane(p, err); err != nil {
			return false, err
		}
		key = key || i == 0 && p.Keyframe
	}
	return key, nil
}

func sane(p bitstream.Picture, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", codec.ErrBitstream, err)
	case p.Width*p.Height > picture.MaxPixels, p.Keyframe && p.Width*p.Height == 0:
		return fmt.Errorf("%w: a picture of %dx%d", codec.ErrBitstream, p.Width, p.Height)
	}
	return nil
}

// vp9Frames yields the frames of a superframe (VP9 bitstream specification,
// annex B), or the one that data is.
func vp9Frames(data []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		marker := data[len(data)-1]
		count, width := int(marker&7)+1, int(marker>>3&3)+1
		index := len(data) - 2 - count*width
		if marker>>5 != 6 || index < 0 || data[index] != marker {
			yield(0, data)
			return
		}
		rest, sizes := data[:index], data[index+1:]
		for i := range count {
			size := 0
			for j := range width {
				size |= int(sizes[i*width+j]) << (8 * j)
			}
			size = min(size, len(rest))
			if size > 0 && !yield(i, rest[:size]) {
				return
			}
			rest = rest[size:]
		}
	}
}

// take copies the picture out of the library.
func (d *decoder) take(f *media.VideoFrame) error {
	img := d.c.img
	if img.fmt != C.VPX_IMG_FMT_I420 {
		return fmt.Errorf("%w: not 4:2:0 of 8 bits", codec.ErrBitstream)
	}
	width, height := int(img.d_w), int(img.d_h)
	if err := f.Reset(media.I420, width, height); err != nil {
		return fmt.Errorf("%w: %w", codec.ErrBitstream, err)
	}
	for i := range f.Planes {
		w, h := picture.Plane(width, height, i)
		stride := int(img.stride[i])
		picture.Copy(f.Planes[i], f.Strides[i], unsafe.Slice((*byte)(img.planes[i]), stride*(h-1)+w), stride, w, h)
	}
	return nil
}

func (d *decoder) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c != nil {
		C.decoder_close(d.c)
		d.c = nil
	}
	return nil
}
