//go:build !cgo && !linux

package device

import (
	"context"
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

func microphones(context.Context, bool) ([]Device, error) { return nil, errNoMicrophone() }

func openMicrophone(context.Context, Device, microphoneWant) (microphone, error) {
	return nil, errNoMicrophone()
}

func errNoMicrophone() error {
	return &Error{
		Kind: media.Audio, Err: codec.ErrUnavailable,
		Cause: fmt.Errorf("microphones of this system take a program built with CGO_ENABLED=1 and a C compiler"),
	}
}
