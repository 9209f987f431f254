//go:build !cgo || !codecs || !x264

package x264

import (
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

const available = false

func newEncoder(codec.VideoOptions) (media.VideoEncoder, error) {
	return nil, fmt.Errorf("x264: H264: %w: it takes cgo, the build tags codecs and x264, and libx264-dev", codec.ErrUnavailable)
}
