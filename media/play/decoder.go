package play

import (
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec/all"
)

func newAudioDecoder(c media.Codec) (media.AudioDecoder, error) { return all.NewAudioDecoder(c, 0, 0) }

func newVideoDecoder(c media.Codec) (media.VideoDecoder, error) { return all.NewVideoDecoder(c) }
