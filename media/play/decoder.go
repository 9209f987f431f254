package play

import (
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

func newAudioDecoder(media.Codec) (media.AudioDecoder, error) { return nil, codec.ErrUnavailable }

func newVideoDecoder(media.Codec) (media.VideoDecoder, error) { return nil, codec.ErrUnavailable }
