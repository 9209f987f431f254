//go:build !cgo

package device

import (
	"context"
	"fmt"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

func microphones(context.Context, bool) ([]Device, error) { return nil, errNoCgo() }

func openMicrophone(context.Context, Device, microphoneWant) (microphone, error) {
	return nil, errNoCgo()
}

func errNoCgo() error {
	return &Error{
		Kind: media.Audio, Err: codec.ErrUnavailable,
		Cause: fmt.Errorf("microphones take a program built with CGO_ENABLED=1 and a C compiler"),
	}
}
