// Package all picks the encoder or decoder of an encoding by its name.
//
//	enc, err := all.NewVideoEncoder(media.H264, codec.VideoOptions{Bitrate: 1_000_000})
//
// Which there are depends on the build; see package codec. Who needs one codec
// only and wants a small program imports its package instead.
package all

import (
	"fmt"
	"slices"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/g711"
	"github.com/parley-rtc/parley/media/codec/openh264"
	"github.com/parley-rtc/parley/media/codec/opus"
	"github.com/parley-rtc/parley/media/codec/vpx"
	"github.com/parley-rtc/parley/media/codec/x264"
)

var (
	videoCodecs = []media.Codec{media.VP8, media.H264, media.VP9}
	audioCodecs = []media.Codec{media.Opus, media.PCMU, media.PCMA}
)

// NewVideoEncoder returns an encoder of VP8, VP9 or H264. H.264 is made by
// OpenH264, or by x264 in programs built with that tag. It fails with
// codec.ErrUnsupported, codec.ErrUnavailable or a *codec.OptionError.
func NewVideoEncoder(c media.Codec, o codec.VideoOptions) (media.VideoEncoder, error) {
	switch c {
	case media.VP8:
		return vpx.NewEncoder(o)
	case media.VP9:
		return vpx.NewVP9Encoder(o)
	case media.H264:
		if x264.Available {
			return x264.NewEncoder(o)
		}
		return openh264.NewEncoder(o)
	}
	return nil, unsupported("encoder", c, videoCodecs)
}

// NewVideoDecoder returns a decoder of VP8, VP9 or H264. It fails with
// codec.ErrUnsupported or codec.ErrUnavailable.
func NewVideoDecoder(c media.Codec) (media.VideoDecoder, error) {
	switch c {
	case media.VP8:
		return vpx.NewDecoder()
	case media.VP9:
		return vpx.NewVP9Decoder()
	case media.H264:
		return openh264.NewDecoder()
	}
	return nil, unsupported("decoder", c, videoCodecs)
}

// NewAudioEncoder returns an encoder of Opus, PCMU or PCMA; the last two are in
// every build and take 8000 Hz. It fails with codec.ErrUnsupported,
// codec.ErrUnavailable or a *codec.OptionError.
func NewAudioEncoder(c media.Codec, o codec.AudioOptions) (media.AudioEncoder, error) {
	switch c {
	case media.Opus:
		return opus.NewEncoder(o)
	case media.PCMU, media.PCMA:
		return g711.NewEncoder(c, o)
	}
	return nil, unsupported("encoder", c, audioCodecs)
}

// NewAudioDecoder returns a decoder of Opus, PCMU or PCMA, which are in every
// build. The sound comes out with the rate and the number of channels given,
// where zero stands for what is usual: 48 000 Hz and two channels for Opus,
// 8000 Hz and one channel for the others, which have no other rate. It fails
// with codec.ErrUnsupported or a *codec.OptionError.
func NewAudioDecoder(c media.Codec, rate, channels int) (media.AudioDecoder, error) {
	switch c {
	case media.Opus:
		return opus.NewDecoder(rate, channels)
	case media.PCMU, media.PCMA:
		return g711.NewDecoder(c, rate, channels)
	}
	return nil, unsupported("decoder", c, audioCodecs)
}

func unsupported(what string, c media.Codec, have []media.Codec) error {
	kind := "video"
	if slices.Contains(have, media.Opus) {
		kind = "audio"
	}
	return fmt.Errorf("codec: no %s %s of %q: %w: there are %v", kind, what, c, codec.ErrUnsupported, have)
}
