package media

import (
	"errors"
	"fmt"
	"time"

	"github.com/parley-rtc/parley/media/bitstream"
)

// ErrCodec says that a codec is unknown, or does not fit where it was given.
var ErrCodec = errors.New("unknown codec")

// Describe fills Keyframe, Width, Height and Duration from Data where they are
// zero and Data tells. Broken data leaves them as they are.
func (s *Sample) Describe() {
	if s.Codec.Kind() == Audio {
		s.Keyframe = true
		if s.Duration == 0 {
			s.Duration = AudioDuration(s.Codec, s.Data)
		}
		return
	}
	p, err := parsePicture(s.Codec, s.Data)
	if err != nil {
		return
	}
	s.Keyframe = s.Keyframe || p.Keyframe
	if s.Width == 0 && s.Height == 0 {
		s.Width, s.Height = p.Width, p.Height
	}
}

// IsKeyframe reports whether a decoder can start with data, which has the form
// of [Sample.Data]. Audio always is, broken video never. No decoder is needed.
func IsKeyframe(codec Codec, data []byte) bool {
	if codec.Kind() == Audio {
		return true
	}
	p, err := parsePicture(codec, data)
	return err == nil && p.Keyframe
}

// Dimensions reads the picture's size from data, which has the form of
// [Sample.Data]. ok is false where data does not tell, as most frames that are
// not key frames do not. No decoder is needed.
func Dimensions(codec Codec, data []byte) (width, height int, ok bool) {
	p, err := parsePicture(codec, data)
	if err != nil || p.Width == 0 || p.Height == 0 {
		return 0, 0, false
	}
	return p.Width, p.Height, true
}

// AudioDuration returns how long an audio packet plays, or 0 when its data is
// broken or the codec is not audio.
func AudioDuration(codec Codec, data []byte) time.Duration {
	switch codec {
	case Opus:
		d, err := bitstream.OpusDuration(data)
		if err != nil {
			return 0
		}
		return d
	case PCMU, PCMA:
		return time.Duration(len(data)) * time.Second / 8000
	}
	return 0
}

func parsePicture(codec Codec, data []byte) (bitstream.Picture, error) {
	switch codec {
	case VP8:
		return bitstream.ParseVP8(data)
	case VP9:
		return bitstream.ParseVP9(data)
	case H264:
		return bitstream.ParseH264(data)
	case H265:
		return bitstream.ParseH265(data)
	case AV1:
		return bitstream.ParseAV1(data)
	}
	return bitstream.Picture{}, fmt.Errorf("%w: %q", ErrCodec, codec)
}
