package packet

import (
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
)

// Keyframe reports whether an RTP payload begins a key frame, so that a stream
// can be joined with its packet. Of one frame several packets may begin it: an
// H.264 parameter set and the slice after it. Audio can be joined anywhere.
func Keyframe(codec media.Codec, payload []byte) bool {
	if codec.Kind() == media.Audio {
		return len(payload) > 0
	}
	pic, ok := picture(codec, payload)
	return ok && pic.Keyframe
}

// Dimensions reads the picture's size from an RTP payload that tells it: the
// first of a key frame or, for H.264 and H.265, one with a whole sequence
// parameter set.
func Dimensions(codec media.Codec, payload []byte) (width, height int, ok bool) {
	pic, ok := picture(codec, payload)
	if !ok || pic.Width == 0 || pic.Height == 0 {
		return 0, 0, false
	}
	return pic.Width, pic.Height, true
}

func picture(codec media.Codec, payload []byte) (bitstream.Picture, bool) {
	switch codec {
	case media.VP8:
		return vp8Picture(payload)
	case media.VP9:
		return vp9Picture(payload)
	case media.H264:
		return h264Picture(payload)
	case media.H265:
		return h265Picture(payload)
	case media.AV1:
		return av1Picture(payload)
	}
	return bitstream.Picture{}, false
}
