//go:build cgo && codecs

package openh264

/*
#cgo LDFLAGS: -lopenh264
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

typedef struct {
	ISVCEncoder   *enc;
	SSourcePicture pic;
	SFrameBSInfo   info; // of the picture encoded last, in memory of the library
} encoder;

typedef struct {
	int   width, height, bitrate, threads, complexity, skip;
	float rate;
} settings;

static void encoder_close(encoder *e) {
	if (!e->enc) return;
	(*e->enc)->Uninitialize(e->enc);
	WelsDestroySVCEncoder(e->enc);
	e->enc = NULL;
}

static int encoder_open(encoder *e, settings s) {
	int          quiet = WELS_LOG_QUIET, format = videoFormatI420, err;
	SEncParamExt p;

	encoder_close(e);
	if ((err = WelsCreateSVCEncoder(&e->enc))) return err;
	(*e->enc)->SetOption(e->enc, ENCODER_OPTION_TRACE_LEVEL, &quiet);
	(*e->enc)->GetDefaultParams(e->enc, &p);
	p.iUsageType = CAMERA_VIDEO_REAL_TIME;
	p.iPicWidth = s.width;
	p.iPicHeight = s.height;
	p.iTargetBitrate = s.bitrate;
	p.iMaxBitrate = UNSPECIFIED_BIT_RATE;
	p.iRCMode = RC_BITRATE_MODE;
	p.fMaxFrameRate = s.rate;
	p.bEnableFrameSkip = s.skip;
	p.iTemporalLayerNum = 1;
	p.iSpatialLayerNum = 1;
	p.iComplexityMode = s.complexity;
	p.uiIntraPeriod = 0;
	p.iNumRefFrame = 1;
	p.eSpsPpsIdStrategy = CONSTANT_ID;
	p.bPrefixNalAddingCtrl = false;
	p.iEntropyCodingModeFlag = 0;
	p.bEnableSceneChangeDetect = false;
	p.iMultipleThreadIdc = s.threads;
	p.sSpatialLayers[0].iVideoWidth = s.width;
	p.sSpatialLayers[0].iVideoHeight = s.height;
	p.sSpatialLayers[0].fFrameRate = s.rate;
	p.sSpatialLayers[0].iSpatialBitrate = s.bitrate;
	p.sSpatialLayers[0].iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
	p.sSpatialLayers[0].uiProfileIdc = PRO_BASELINE;
	p.sSpatialLayers[0].sSliceArgument.uiSliceMode = s.threads > 1 ? SM_FIXEDSLCNUM_SLICE : SM_SINGLE_SLICE;
	p.sSpatialLayers[0].sSliceArgument.uiSliceNum = s.threads;
	if (!(err = (*e->enc)->InitializeExt(e->enc, &p)))
		err = (*e->enc)->SetOption(e->enc, ENCODER_OPTION_DATAFORMAT, &format);
	if (err) encoder_close(e);
	return err;
}

static int encoder_bitrate(encoder *e, int bitrate) {
	SBitrateInfo b = {SPATIAL_LAYER_ALL, bitrate};
	return (*e->enc)->SetOption(e->enc, ENCODER_OPTION_BITRATE, &b);
}

static int encoder_rate(encoder *e, float rate) {
	return (*e->enc)->SetOption(e->enc, ENCODER_OPTION_FRAME_RATE, &rate);
}

// The header leaves out the last argument that the library has: the layer, or
// -1 for all of them.
typedef int (*force_intra)(ISVCEncoder *, bool, int);

// The planes are borrowed for the call.
static int encoder_encode(encoder *e, const unsigned char *y, const unsigned char *u, const unsigned char *v,
	int strideY, int strideU, int strideV, int width, int height, long long ms, int key) {
	int err;

	memset(&e->info, 0, sizeof e->info);
	e->pic.iColorFormat = videoFormatI420;
	e->pic.iPicWidth = width;
	e->pic.iPicHeight = height;
	e->pic.uiTimeStamp = ms;
	e->pic.pData[0] = (unsigned char *)y;
	e->pic.pData[1] = (unsigned char *)u;
	e->pic.pData[2] = (unsigned char *)v;
	e->pic.iStride[0] = strideY;
	e->pic.iStride[1] = strideU;
	e->pic.iStride[2] = strideV;
	err = key ? ((force_intra)(*e->enc)->ForceIntraFrame)(e->enc, true, -1) : 0;
	if (!err) err = (*e->enc)->EncodeFrame(e->enc, &e->pic, &e->info);
	e->pic.pData[0] = e->pic.pData[1] = e->pic.pData[2] = NULL;
	return err;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/picture"
)

type library struct {
	c             *C.encoder
	width, height C.int
}

func newEncoder(o codec.VideoOptions) (media.VideoEncoder, error) {
	return picture.NewEncoder("openh264", media.H264, &library{c: (*C.encoder)(C.calloc(1, C.sizeof_encoder))}, o)
}

func (l *library) Open(s picture.Settings) error {
	complexity := C.LOW_COMPLEXITY
	switch {
	case s.Speed >= 1 && s.Speed <= 3:
		complexity = C.HIGH_COMPLEXITY
	case s.Speed >= 4 && s.Speed <= 6:
		complexity = C.MEDIUM_COMPLEXITY
	}
	l.width, l.height = C.int(s.Width), C.int(s.Height)
	return failed(C.encoder_open(l.c, C.settings{
		width: l.width, height: l.height, bitrate: C.int(s.Bitrate), rate: C.float(s.Rate),
		threads:    C.int(min(s.Threads, s.Height/32+1)), // a slice has whole rows of macroblocks
		complexity: C.int(complexity), skip: flag(s.Drop),
	}))
}

func (l *library) SetBitrate(bps int) error { return failed(C.encoder_bitrate(l.c, C.int(bps))) }

// SetRate tells what the rate control does not find in the timestamps.
func (l *library) SetRate(fps float64) error { return failed(C.encoder_rate(l.c, C.float(fps))) }

func (l *library) Encode(dst []byte, f *media.VideoFrame, now, _ time.Duration, force bool) ([]byte, bool, error) {
	err := failed(C.encoder_encode(l.c, pointer(f.Planes[0]), pointer(f.Planes[1]), pointer(f.Planes[2]),
		C.int(f.Strides[0]), C.int(f.Strides[1]), C.int(f.Strides[2]), l.width, l.height,
		C.longlong(now.Milliseconds()), flag(force)))
	if err != nil {
		return nil, false, err
	}
	switch l.c.info.eFrameType {
	case C.videoFrameTypeSkip:
		return dst, false, nil
	case C.videoFrameTypeInvalid:
		return nil, false, errors.New("no picture came out")
	}
	return l.collect(dst), l.c.info.eFrameType == C.videoFrameTypeIDR, nil
}

// collect joins the NAL units of the picture, which have start codes.
func (l *library) collect(dst []byte) []byte {
	for i := range l.c.info.iLayerNum {
		layer := &l.c.info.sLayerInfo[i]
		size := 0
		for _, n := range unsafe.Slice(layer.pNalLengthInByte, layer.iNalCount) {
			size += int(n)
		}
		dst = append(dst, unsafe.Slice((*byte)(layer.pBsBuf), size)...)
	}
	return dst
}

func (l *library) Close() {
	C.encoder_close(l.c)
	C.free(unsafe.Pointer(l.c))
}

func failed(code C.int) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("the library says %d", int(code))
}

func pointer(b []byte) *C.uchar { return (*C.uchar)(unsafe.SliceData(b)) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
