//go:build !cgo || !codecs

package openh264

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

func newEncoder(codec.VideoOptions) (media.VideoEncoder, error) { return nil, unavailable() }

func newDecoder() (media.VideoDecoder, error) { return nil, unavailable() }

func unavailable() error {
	return name(fmt.Errorf("H264: %w: it takes cgo, the build tag codecs and libopenh264-dev", codec.ErrUnavailable))
}
