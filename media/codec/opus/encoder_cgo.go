//go:build cgo && codecs

package opus

/*
#cgo LDFLAGS: -lopus
#include <opus/opus.h>

// opus_encoder_ctl takes any number of arguments, which Go cannot pass.
static int encoder_set(OpusEncoder *e, int request, int value) { return opus_encoder_ctl(e, request, value); }
*/
import "C"

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/sound"
)

// maxPacket is more than a packet of 60 ms has at the highest bitrate.
const maxPacket = 4000

type encoder struct {
	o       codec.AudioOptions
	bitrate atomic.Int64 // what to aim for

	mu   sync.Mutex     // held while the library works
	c    *C.OpusEncoder // nil when closed
	aim  int64          // of the library
	dtx  bool           // the last piece was silence
	data []byte
}

func newEncoder(o codec.AudioOptions) (media.AudioEncoder, error) {
	o, err := o.WithDefaults()
	if err != nil {
		return nil, name(err)
	}
	application := C.int(C.OPUS_APPLICATION_VOIP)
	if o.Channels == 2 && !o.FEC && !o.DTX {
		application = C.OPUS_APPLICATION_AUDIO
	}
	var code C.int
	c := C.opus_encoder_create(C.opus_int32(o.Rate), C.int(o.Channels), application, &code)
	if code != C.OPUS_OK {
		return nil, name(failure(code))
	}
	e := &encoder{o: o, c: c, data: make([]byte, maxPacket)}
	e.bitrate.Store(int64(o.Bitrate))
	for _, set := range []struct{ request, value C.int }{
		{C.OPUS_SET_INBAND_FEC_REQUEST, flag(o.FEC)},
		{C.OPUS_SET_DTX_REQUEST, flag(o.DTX)},
		{C.OPUS_SET_PACKET_LOSS_PERC_REQUEST, C.int(o.Loss*100 + 0.5)},
	} {
		if code := C.encoder_set(c, set.request, set.value); code != C.OPUS_OK {
			return nil, errors.Join(name(failure(code)), e.Close())
		}
	}
	return e, nil
}

func (e *encoder) Codec() media.Codec { return media.Opus }

// AudioFormat tells which pieces of sound Encode takes.
func (e *encoder) AudioFormat() (rate, channels int, frame time.Duration) {
	return e.o.Rate, e.o.Channels, e.o.Frame
}

// SetBitrate takes effect with the next piece. Targets out of range are
// brought into it; zero is what the encoder was made with.
func (e *encoder) SetBitrate(bps int) {
	if bps == 0 {
		bps = e.o.Bitrate
	}
	e.bitrate.Store(int64(min(max(bps, codec.MinAudioBitrate), codec.MaxAudioBitrate)))
}

func (e *encoder) Encode(f *media.AudioFrame) (media.Sample, error) {
	if err := sound.Check(f, e.o); err != nil {
		return media.Sample{}, name(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c == nil {
		return media.Sample{}, name(media.ErrClosed)
	}
	if aim := e.bitrate.Load(); aim != e.aim {
		if code := C.encoder_set(e.c, C.OPUS_SET_BITRATE_REQUEST, C.opus_int32(aim)); code != C.OPUS_OK {
			return media.Sample{}, name(failure(code))
		}
		e.aim = aim
	}
	n := C.opus_encode(e.c, (*C.opus_int16)(unsafe.SliceData(f.Samples)), C.int(len(f.Samples)/f.Channels),
		(*C.uchar)(unsafe.SliceData(e.data)), maxPacket)
	if n < 0 {
		return media.Sample{}, name(failure(n))
	}
	s := media.Sample{Codec: media.Opus, Keyframe: true, Timestamp: f.Timestamp, Duration: e.o.Frame, Captured: f.Captured}
	// A packet of no more than a header is silence. The first one is sent, as
	// browsers do it, so that the other side does not take the rest for lost.
	silent := e.o.DTX && n <= 2
	if !silent || !e.dtx {
		s.Data = e.data[:n]
	}
	e.dtx = silent
	return s, nil
}

func (e *encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c != nil {
		C.opus_encoder_destroy(e.c)
		e.c = nil
	}
	return nil
}

func failure(code C.int) error { return errors.New(C.GoString(C.opus_strerror(code))) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
