//go:build !cgo || !codecs

package vpx

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

func newEncoder(c media.Codec, _ codec.VideoOptions) (media.VideoEncoder, error) {
	return nil, unavailable(c)
}

func newDecoder(c media.Codec) (media.VideoDecoder, error) { return nil, unavailable(c) }

func unavailable(c media.Codec) error {
	return name(fmt.Errorf("%s: %w: it takes cgo, the build tag codecs and libvpx-dev", c, codec.ErrUnavailable))
}
