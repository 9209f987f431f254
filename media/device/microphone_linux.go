package device

import (
	"context"
	"errors"
)

// microphones lists what PulseAudio has where it runs, and what the kernel has
// elsewhere: what PulseAudio holds can be had from it alone.
func microphones(_ context.Context, detail bool) ([]Device, error) {
	all, err := pulse(detail)
	if !errors.Is(err, errNoPulse) {
		return all, err
	}
	return pcmMicrophones(detail)
}

// errNoPulse says that PulseAudio does not run, or that this build cannot
// speak to it.
var errNoPulse = errors.New("no PulseAudio")

func openMicrophone(_ context.Context, d Device, w microphoneWant) (microphone, error) {
	if _, ok := d.place.(pcmPlace); ok {
		m, err := openPCM(d, w)
		if err != nil {
			return nil, err // and no microphone of no type
		}
		return m, nil
	}
	return openPulse(d, w)
}
