//go:build cgo && codecs

package openh264

/*
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

typedef struct {
	ISVCDecoder   *dec;
	SBufferInfo    info;
	unsigned char *planes[3]; // of the library, until the next call
} decoder;

static void decoder_close(decoder *d) {
	if (d->dec) {
		(*d->dec)->Uninitialize(d->dec);
		WelsDestroyDecoder(d->dec);
	}
	d->dec = NULL;
}

static long decoder_open(decoder *d) {
	int            quiet = WELS_LOG_QUIET;
	long           err;
	SDecodingParam p;

	decoder_close(d);
	if ((err = WelsCreateDecoder(&d->dec))) return err;
	(*d->dec)->SetOption(d->dec, DECODER_OPTION_TRACE_LEVEL, &quiet);
	memset(&p, 0, sizeof p);
	p.sVideoProperty.size = sizeof p.sVideoProperty;
	p.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
	p.eEcActiveIdc = ERROR_CON_DISABLE;
	return (*d->dec)->Initialize(d->dec, &p);
}

static int decoder_decode(decoder *d, const unsigned char *data, int size, unsigned long long timestamp) {
	memset(&d->info, 0, sizeof d->info);
	memset(d->planes, 0, sizeof d->planes);
	d->info.uiInBsTimeStamp = timestamp;
	return (*d->dec)->DecodeFrameNoDelay(d->dec, data, size, d->planes, &d->info);
}

static SSysMEMBuffer decoder_picture(const decoder *d) { return d->info.UsrData.sSystemBuffer; }
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/picture"
)

type decoder struct {
	mu   sync.Mutex // held while the library works
	c    *C.decoder // nil when closed
	gate picture.Gate
	// The library keeps parts of a broken unit, and then fails with a good one.
	// So key frames that follow trouble are given to a new one.
	trouble bool
	fresh   bool // nothing was decoded yet
}

func newDecoder() (media.VideoDecoder, error) {
	d := &decoder{c: (*C.decoder)(C.calloc(1, C.sizeof_decoder))}
	if err := d.open(); err != nil {
		return nil, errors.Join(name(err), d.Close())
	}
	return d, nil
}

func (d *decoder) open() error {
	if code := C.decoder_open(d.c); code != 0 {
		return fmt.Errorf("decoder: the library says %d", int(code))
	}
	d.trouble, d.fresh = false, true
	return nil
}

func (d *decoder) Codec() media.Codec { return media.H264 }

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
	key, err := header(s.Data)
	if err != nil {
		return false, err
	}
	if ok, err := d.gate.Admit(key, s.Lost); !ok {
		return false, err
	}
	if err := d.feed(s, key); err != nil {
		return false, err
	}
	if d.c.info.iBufferStatus != 1 {
		d.trouble = true
		return false, nil
	}
	d.trouble = false
	if err := d.take(f); err != nil {
		return false, err
	}
	// A stream with B frames gives an earlier picture than that of the sample.
	f.Timestamp = time.Duration(d.c.info.uiOutYuvTimeStamp)
	f.Captured = s.Captured
	if !f.Captured.IsZero() {
		f.Captured = f.Captured.Add(f.Timestamp - s.Timestamp)
	}
	return true, nil
}

// feed gives a sample to the library.
func (d *decoder) feed(s media.Sample, key bool) error {
	if key && d.trouble && !d.fresh {
		if err := d.open(); err != nil {
			return err
		}
	}
	wasFresh := d.fresh
	d.fresh = false
	state := C.decoder_decode(d.c, pointer(s.Data), C.int(len(s.Data)), C.ulonglong(s.Timestamp))
	switch {
	case state == C.dsErrorFree, state == C.dsFramePending:
		return nil
	case key && !wasFresh:
		if err := d.open(); err != nil {
			return err
		}
		return d.feed(s, key)
	}
	d.trouble = true
	return fmt.Errorf("%w: state %#x", codec.ErrBitstream, int(state))
}

// header reports whether the access unit is a key frame, before the library
// takes memory for the size that it claims.
func header(data []byte) (key bool, err error) {
	found := false
	for nal := range bitstream.NALs(data) {
		found = true
		switch bitstream.H264Type(nal) {
		case bitstream.H264IDR:
			key = true
		case bitstream.H264SPS:
			sps, err := bitstream.ParseH264SPS(nal)
			if err != nil {
				return false, fmt.Errorf("%w: %w", codec.ErrBitstream, err)
			}
			if sps.Width*sps.Height > picture.MaxPixels {
				return false, fmt.Errorf("%w: a picture of %dx%d", codec.ErrBitstream, sps.Width, sps.Height)
			}
		case 15, 20: // the parameter set and the slices of a scalable extension
			return false, fmt.Errorf("%w: a scalable stream", codec.ErrBitstream)
		}
	}
	if !found {
		return false, fmt.Errorf("%w: no start code", codec.ErrBitstream)
	}
	return key, nil
}

// take copies the picture out of the library.
func (d *decoder) take(f *media.VideoFrame) error {
	p := C.decoder_picture(d.c)
	width, height := int(p.iWidth), int(p.iHeight)
	if p.iFormat != C.videoFormatI420 || width <= 0 || height <= 0 {
		return fmt.Errorf("%w: a picture of %dx%d in format %d", codec.ErrBitstream, width, height, int(p.iFormat))
	}
	if err := f.Reset(media.I420, width, height); err != nil {
		return fmt.Errorf("%w: %w", codec.ErrBitstream, err)
	}
	for i := range f.Planes {
		w, h := picture.Plane(width, height, i)
		stride := int(p.iStride[min(i, 1)])
		picture.Copy(f.Planes[i], f.Strides[i], unsafe.Slice((*byte)(d.c.planes[i]), stride*(h-1)+w), stride, w, h)
	}
	return nil
}

func (d *decoder) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c != nil {
		C.decoder_close(d.c)
		C.free(unsafe.Pointer(d.c))
		d.c = nil
	}
	return nil
}
