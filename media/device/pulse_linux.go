//go:build cgo

package device

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gen2brain/malgo"
)

// PulseAudio, and PipeWire in its place, is spoken to through malgo, for which
// alone cgo is needed on Linux.

// backends is which sound systems to try, in order.
func backends() []malgo.Backend { return []malgo.Backend{malgo.BackendPulseaudio} }

func pulse(detail bool) ([]Device, error) {
	if !pulseRuns() {
		return nil, errNoPulse
	}
	all, err := malgoMicrophones(detail)
	if unavailable(err) {
		return nil, errNoPulse // there is a socket, and no server or no library
	}
	return all, err
}

func openPulse(d Device, w microphoneWant) (microphone, error) { return openMalgo(d, w) }

// pulseRuns reports whether it makes sense to look for PulseAudio: malgo loses
// some memory with each attempt.
func pulseRuns() bool {
	if os.Getenv("PULSE_SERVER") != "" {
		return true
	}
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), fmt.Sprintf("/run/user/%d", os.Getuid()), "/run"} {
		if _, err := os.Stat(filepath.Join(dir, "pulse/native")); dir != "" && err == nil {
			return true
		}
	}
	return false
}

// named makes a device of what miniaudio tells. It leaves out what is no
// microphone: what is being played, as a source.
func (b *backend) named(info malgo.DeviceInfo) (Device, bool) {
	name, _, _ := bytes.Cut(info.ID[:], []byte{0})
	d := Device{ID: string(name), Label: info.Name(), Default: info.IsDefault != 0}
	return d, d.ID != "" && !strings.HasSuffix(d.ID, ".monitor")
}
