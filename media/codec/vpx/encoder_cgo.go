//go:build cgo && codecs

package vpx

/*
#cgo LDFLAGS: -lvpx
#include <stdlib.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

typedef struct {
	vpx_codec_ctx_t     ctx;
	vpx_codec_enc_cfg_t cfg;
	vpx_image_t         img;
	int                 open;
	// The picture encoded last, in memory of the library.
	const void *data;
	size_t      size;
	int         key;
} encoder;

static int log2floor(int n) { return n >= 4 ? 2 : n >= 2 ? 1 : 0; }

static vpx_codec_err_t encoder_controls(encoder *e, int vp9, int speed, int threads) {
	vpx_codec_err_t err;
	// A negative speed of VP8 is kept; with a positive one the encoder watches
	// the wall clock.
	if ((err = vpx_codec_control(&e->ctx, VP8E_SET_CPUUSED, vp9 ? speed : -speed))) return err;
	if ((err = vpx_codec_control(&e->ctx, VP8E_SET_STATIC_THRESHOLD, 1))) return err;
	if (!vp9) return vpx_codec_control(&e->ctx, VP8E_SET_TOKEN_PARTITIONS, log2floor(threads));
	if ((err = vpx_codec_control(&e->ctx, VP9E_SET_AQ_MODE, 3))) return err;
	if ((err = vpx_codec_control(&e->ctx, VP9E_SET_TILE_COLUMNS, log2floor(threads)))) return err;
	if ((err = vpx_codec_control(&e->ctx, VP9E_SET_ROW_MT, 1))) return err;
	return vpx_codec_control(&e->ctx, VP9E_SET_FRAME_PARALLEL_DECODING, 1);
}

static void encoder_close(encoder *e) {
	if (e->open) vpx_codec_destroy(&e->ctx);
	e->open = 0;
}

static vpx_codec_err_t encoder_open(encoder *e, int vp9, int width, int height, int kbps, int threads, int speed, int drop) {
	vpx_codec_iface_t *iface = vp9 ? vpx_codec_vp9_cx() : vpx_codec_vp8_cx();
	vpx_codec_err_t    err;

	encoder_close(e);
	if ((err = vpx_codec_enc_config_default(iface, &e->cfg, 0))) return err;
	e->cfg.g_w = width;
	e->cfg.g_h = height;
	e->cfg.g_timebase.num = 1;
	e->cfg.g_timebase.den = 90000;
	e->cfg.g_threads = threads;
	e->cfg.g_pass = VPX_RC_ONE_PASS;
	e->cfg.g_lag_in_frames = 0;
	e->cfg.g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
	e->cfg.kf_mode = VPX_KF_DISABLED;
	e->cfg.rc_end_usage = VPX_CBR;
	e->cfg.rc_target_bitrate = kbps;
	e->cfg.rc_resize_allowed = 0;
	e->cfg.rc_dropframe_thresh = drop ? 30 : 0;
	e->cfg.rc_min_quantizer = 2;
	e->cfg.rc_max_quantizer = 60;
	e->cfg.rc_undershoot_pct = 100;
	e->cfg.rc_overshoot_pct = 15;
	// In milliseconds.
	e->cfg.rc_buf_initial_sz = 300;
	e->cfg.rc_buf_optimal_sz = 400;
	e->cfg.rc_buf_sz = 600;
	if ((err = vpx_codec_enc_init(&e->ctx, iface, &e->cfg, 0))) return err;
	e->open = 1;
	if ((err = encoder_controls(e, vp9, speed, threads))) encoder_close(e);
	return err;
}

// A key frame gets the bits of 200 ms, which the library wants in percent of a
// picture's share.
static vpx_codec_err_t encoder_rate(encoder *e, double fps) {
	unsigned int percent = fps * 20;
	return vpx_codec_control(&e->ctx, VP8E_SET_MAX_INTRA_BITRATE_PCT, percent < 300 ? 300u : percent);
}

static vpx_codec_err_t encoder_bitrate(encoder *e, int kbps) {
	e->cfg.rc_target_bitrate = kbps;
	return vpx_codec_enc_config_set(&e->ctx, &e->cfg);
}

// The planes are borrowed for the call.
static vpx_codec_err_t encoder_encode(encoder *e, const unsigned char *y, const unsigned char *u, const unsigned char *v,
	int strideY, int strideU, int strideV, int64_t pts, unsigned long duration, int key) {
	vpx_codec_iter_t           iter = NULL;
	const vpx_codec_cx_pkt_t *pkt;
	vpx_codec_err_t            err;

	e->data = NULL;
	e->size = 0;
	e->key = 0;
	if (!vpx_img_wrap(&e->img, VPX_IMG_FMT_I420, e->cfg.g_w, e->cfg.g_h, 1, (unsigned char *)y)) return VPX_CODEC_MEM_ERROR;
	e->img.planes[VPX_PLANE_Y] = (unsigned char *)y;
	e->img.planes[VPX_PLANE_U] = (unsigned char *)u;
	e->img.planes[VPX_PLANE_V] = (unsigned char *)v;
	e->img.stride[VPX_PLANE_Y] = strideY;
	e->img.stride[VPX_PLANE_U] = strideU;
	e->img.stride[VPX_PLANE_V] = strideV;
	err = vpx_codec_encode(&e->ctx, &e->img, pts, duration, key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
	e->img.planes[VPX_PLANE_Y] = e->img.planes[VPX_PLANE_U] = e->img.planes[VPX_PLANE_V] = NULL;
	e->img.img_data = NULL;
	if (err) return err;
	// Without lag there is one packet for one picture, or none.
	while ((pkt = vpx_codec_get_cx_data(&e->ctx, &iter))) {
		if (pkt->kind != VPX_CODEC_CX_FRAME_PKT) continue;
		if (e->data) return VPX_CODEC_ERROR;
		e->data = pkt->data.frame.buf;
		e->size = pkt->data.frame.sz;
		e->key = (pkt->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
	}
	return VPX_CODEC_OK;
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

type library struct {
	vp9 bool
	c   *C.encoder
}

func newEncoder(c media.Codec, o codec.VideoOptions) (media.VideoEncoder, error) {
	return picture.NewEncoder("vpx", c, &library{c == media.VP9, (*C.encoder)(C.calloc(1, C.sizeof_encoder))}, o)
}

func (l *library) Open(s picture.Settings) error {
	switch {
	case s.Speed == 0 && l.vp9:
		s.Speed = 8
	case s.Speed == 0:
		s.Speed = 6
	case l.vp9:
		s.Speed = min(max(s.Speed, 5), 9)
	}
	if err := l.failed(C.encoder_open(l.c, flag(l.vp9), C.int(s.Width), C.int(s.Height), kbps(s.Bitrate),
		C.int(s.Threads), C.int(s.Speed), flag(s.Drop))); err != nil {
		return err
	}
	return l.SetRate(s.Rate)
}

func (l *library) SetBitrate(bps int) error { return l.failed(C.encoder_bitrate(l.c, kbps(bps))) }

// SetRate keeps key frames small. For the rest libvpx finds the rate in the
// timestamps.
func (l *library) SetRate(fps float64) error { return l.failed(C.encoder_rate(l.c, C.double(fps))) }

func (l *library) Encode(dst []byte, f *media.VideoFrame, now, step time.Duration, force bool) ([]byte, bool, error) {
	err := l.failed(C.encoder_encode(l.c, pointer(f.Planes[0]), pointer(f.Planes[1]), pointer(f.Planes[2]),
		C.int(f.Strides[0]), C.int(f.Strides[1]), C.int(f.Strides[2]),
		C.int64_t(ticks(now)), C.ulong(max(1, ticks(step))), flag(force)))
	if err != nil {
		return nil, false, err
	}
	return append(dst, unsafe.Slice((*byte)(l.c.data), l.c.size)...), l.c.key != 0, nil
}

func (l *library) Close() {
	C.encoder_close(l.c)
	C.free(unsafe.Pointer(l.c))
}

func (l *library) failed(code C.vpx_codec_err_t) error {
	if code == C.VPX_CODEC_OK {
		return nil
	}
	return failure(code, C.vpx_codec_error_detail(&l.c.ctx))
}

func failure(code C.vpx_codec_err_t, detail *C.char) error {
	text := C.GoString(C.vpx_codec_err_to_string(code))
	if detail != nil {
		text += ": " + C.GoString(detail)
	}
	return errors.New(text)
}

func pointer(b []byte) *C.uchar { return (*C.uchar)(unsafe.SliceData(b)) }

func ticks(d time.Duration) int64 { return int64(d) * 9 / 100_000 }

func kbps(bps int) C.int { return C.int((bps + 500) / 1000) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
