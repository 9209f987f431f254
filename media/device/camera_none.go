//go:build !linux && !(cgo && (darwin || windows))

package device

import (
	"context"
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

func cameras(context.Context) ([]Device, error) { return nil, errNoCamera() }

func openCamera(context.Context, Device, cameraWant) (camera, error) { return nil, errNoCamera() }

func errNoCamera() error {
	return &Error{
		Kind: media.Video, Err: codec.ErrUnavailable,
		Cause: fmt.Errorf("cameras are read on Linux, and on macOS and Windows by a program built with CGO_ENABLED=1"),
	}
}
