//go:build cgo && !linux

package device

import (
	"bytes"
	"context"

	"github.com/gen2brain/malgo"
)

func microphones(_ context.Context, detail bool) ([]Device, error) { return malgoMicrophones(detail) }

func openMicrophone(_ context.Context, d Device, w microphoneWant) (microphone, error) {
	return openMalgo(d, w)
}

// backends is which sound systems to try, in order. miniaudio leaves out what
// the system does not have.
func backends() []malgo.Backend {
	return []malgo.Backend{
		malgo.BackendWasapi, malgo.BackendCoreaudio, malgo.BackendSndio, malgo.BackendAudio4, malgo.BackendOss,
		malgo.BackendPulseaudio, malgo.BackendAaudio, malgo.BackendOpensl, malgo.BackendDsound, malgo.BackendWinmm,
	}
}

// named makes a device of what miniaudio tells.
func (b *backend) named(info malgo.DeviceInfo) (Device, bool) {
	d := Device{ID: info.ID.String(), Label: info.Name(), Default: info.IsDefault != 0}
	if b.kind == malgo.BackendCoreaudio { // a name that stays
		name, _, _ := bytes.Cut(info.ID[:], []byte{0})
		d.ID = string(name)
	}
	return d, true
}
