//go:build !cgo || !codecs

package opus

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/opus/internal/pure"
)

func newEncoder(codec.AudioOptions) (media.AudioEncoder, error) {
	return nil, name(fmt.Errorf("encoder: %w: it takes cgo, the build tag codecs and libopus-dev", codec.ErrUnavailable))
}

func newDecoder(rate, channels int) (media.AudioDecoder, error) {
	return pure.NewDecoder(rate, channels)
}
