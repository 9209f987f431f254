//go:build cgo && codecs && x264

package x264

/*
#cgo LDFLAGS: -lx264
#include <stdint.h>
#include <stdlib.h>
#include <x264.h>

typedef struct {
	x264_t        *enc;
	x264_param_t   param;
	x264_picture_t pic;
	// The picture encoded last, in memory of the library.
	const void *data;
	int         size;
	int         key;
} encoder;

static void encoder_close(encoder *e) {
	if (e->enc) x264_encoder_close(e->enc);
	e->enc = NULL;
}

static void encoder_aim(encoder *e, int kbps) {
	e->param.rc.i_bitrate = kbps;
	e->param.rc.i_vbv_max_bitrate = kbps;
	e->param.rc.i_vbv_buffer_size = kbps * 6 / 10; // 600 ms
}

static int encoder_open(encoder *e, const char *preset, int width, int height, int kbps, int rate, int threads) {
	x264_param_t *p = &e->param;

	encoder_close(e);
	if (x264_param_default_preset(p, preset, "zerolatency")) return -1;
	p->i_log_level = X264_LOG_NONE;
	p->i_csp = X264_CSP_I420;
	p->i_width = width;
	p->i_height = height;
	// With timestamps that it believes, the encoder is a picture behind: it
	// waits for how long each lasts.
	p->b_vfr_input = 0;
	p->i_timebase_num = 1;
	p->i_timebase_den = 90000;
	p->i_fps_num = rate;
	p->i_fps_den = 1000;
	p->i_threads = threads;
	p->b_sliced_threads = threads > 1;
	p->b_annexb = 1;
	p->b_repeat_headers = 1;
	p->b_aud = 0;
	if (p->i_frame_reference > 3) p->i_frame_reference = 3; // more raise the level
	p->i_keyint_max = X264_KEYINT_MAX_INFINITE;
	p->i_scenecut_threshold = 0;
	p->rc.i_rc_method = X264_RC_ABR;
	p->rc.f_rate_tolerance = 1;
	encoder_aim(e, kbps);
	if (x264_param_apply_profile(p, "baseline")) return -1;
	x264_picture_init(&e->pic);
	return (e->enc = x264_encoder_open(p)) ? 0 : -1;
}

static int encoder_bitrate(encoder *e, int kbps) {
	encoder_aim(e, kbps);
	return x264_encoder_reconfig(e->enc, &e->param);
}

// The planes are borrowed for the call.
static int encoder_encode(encoder *e, const unsigned char *y, const unsigned char *u, const unsigned char *v,
	int strideY, int strideU, int strideV, int64_t pts, int key) {
	x264_picture_t out;
	x264_nal_t    *nals;
	int            count;

	e->pic.i_type = key ? X264_TYPE_IDR : X264_TYPE_AUTO;
	e->pic.i_pts = pts;
	e->pic.img.i_csp = X264_CSP_I420;
	e->pic.img.i_plane = 3;
	e->pic.img.plane[0] = (uint8_t *)y;
	e->pic.img.plane[1] = (uint8_t *)u;
	e->pic.img.plane[2] = (uint8_t *)v;
	e->pic.img.i_stride[0] = strideY;
	e->pic.img.i_stride[1] = strideU;
	e->pic.img.i_stride[2] = strideV;
	e->size = x264_encoder_encode(e->enc, &nals, &count, &e->pic, &out);
	e->pic.img.plane[0] = e->pic.img.plane[1] = e->pic.img.plane[2] = NULL;
	if (e->size < 0) return -1;
	// The units of a picture follow each other.
	e->data = e->size ? nals[0].p_payload : NULL;
	e->key = e->size && out.b_keyframe;
	return 0;
}
*/
import "C"

import (
	"errors"
	"time"
	"unsafe"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/picture"
)

const available = true

// presets are x264's, by speed.
var presets = [...]string{1: "slower", "slow", "medium", "fast", "faster", "veryfast", "superfast", "ultrafast"}

type library struct {
	c       *C.encoder
	rate    float64 // that it was opened for, and goes by
	bitrate int
	lately  float64 // the rate at which pictures come
}

func newEncoder(o codec.VideoOptions) (media.VideoEncoder, error) {
	return picture.NewEncoder("x264", media.H264, &library{c: (*C.encoder)(C.calloc(1, C.sizeof_encoder))}, o)
}

func (l *library) Open(s picture.Settings) error {
	if s.Speed == 0 {
		s.Speed = 6
	}
	preset := C.CString(presets[min(s.Speed, len(presets)-1)])
	defer C.free(unsafe.Pointer(preset))
	l.rate, l.lately, l.bitrate = s.Rate, s.Rate, s.Bitrate
	return failed(C.encoder_open(l.c, preset, C.int(s.Width), C.int(s.Height), kbps(s.Bitrate),
		C.int(s.Rate*1000), C.int(s.Threads)))
}

func (l *library) SetBitrate(bps int) error {
	l.bitrate = bps
	return l.adapt()
}

func (l *library) SetRate(fps float64) error {
	l.lately = fps
	return l.adapt()
}

// adapt makes the share of each picture right, from which everything follows:
// the rate itself cannot be changed.
func (l *library) adapt() error {
	return failed(C.encoder_bitrate(l.c, kbps(int(float64(l.bitrate)*l.rate/l.lately))))
}

func (l *library) Encode(dst []byte, f *media.VideoFrame, now, _ time.Duration, force bool) ([]byte, bool, error) {
	err := failed(C.encoder_encode(l.c, pointer(f.Planes[0]), pointer(f.Planes[1]), pointer(f.Planes[2]),
		C.int(f.Strides[0]), C.int(f.Strides[1]), C.int(f.Strides[2]), C.int64_t(int64(now)*9/100_000), flag(force)))
	if err != nil {
		return nil, false, err
	}
	return append(dst, unsafe.Slice((*byte)(l.c.data), l.c.size)...), l.c.key != 0, nil
}

func (l *library) Close() {
	C.encoder_close(l.c)
	C.free(unsafe.Pointer(l.c))
}

func failed(code C.int) error {
	if code == 0 {
		return nil
	}
	return errors.New("the library refused")
}

func pointer(b []byte) *C.uchar { return (*C.uchar)(unsafe.SliceData(b)) }

func kbps(bps int) C.int { return C.int((bps + 500) / 1000) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
