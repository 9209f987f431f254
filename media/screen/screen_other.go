//go:build !unix

package screen

import (
	"context"

	"github.com/parley-rtc/parley/media"
)

func open(context.Context, Options) (media.VideoReader, error) { return nil, ErrUnavailable }
