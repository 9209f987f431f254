//go:build cgo && !linux

package device

import (
	"bytes"

	"github.com/gen2brain/malgo"
)

func quietly(f func() error) error { return f() }

// backendKinds is which sound systems to try, in order. miniaudio leaves out
// what the system does not have.
func backendKinds() []malgo.Backend {
	return []malgo.Backend{
		malgo.BackendWasapi, malgo.BackendCoreaudio, malgo.BackendSndio, malgo.BackendAudio4, malgo.BackendOss,
		malgo.BackendPulseaudio, malgo.BackendAaudio, malgo.BackendOpensl, malgo.BackendDsound, malgo.BackendWinmm,
	}
}

// describe makes a device of what miniaudio tells.
func (b *backend) describe(info malgo.DeviceInfo) (Device, bool) {
	d := Device{ID: info.ID.String(), Label: info.Name(), Default: info.IsDefault != 0}
	if b.kind == malgo.BackendCoreaudio { // a name that stays
		name, _, _ := bytes.Cut(info.ID[:], []byte{0})
		d.ID = string(name)
	}
	return d, true
}

// hardware reports whether the device is one that can be unplugged.
func (d Device) hardware() bool { return true }

// complete sees to it that there is a default device.
func (b *backend) complete(all []Device) ([]Device, error) {
	for _, d := range all {
		if d.Default {
			return all, nil
		}
	}
	if len(all) > 0 {
		all[0].Default = true
	}
	return all, nil
}
