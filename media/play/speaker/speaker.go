// Package speaker plays a player's sound on a sound card, through ALSA:
//
//	s, err := speaker.Open(&speaker.Options{Device: "default"})
//	…
//	player, err := play.New(&play.Options{Sound: s})
//
// It needs cgo, but nothing installed to build it: the library of ALSA
// (libasound.so.2, Debian package libasound2) is looked for when the program
// runs. Without cgo everything here fails with codec.ErrUnavailable. On other
// systems than Linux the sound goes to what the system has.
package speaker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-rtc/parley/media/play"
)

// The errors of speakers, wrapped with the device and what exists instead.
var (
	// ErrNotFound says that there is no such device, or no sound at all.
	ErrNotFound = errors.New("no such sound device")
	// ErrBusy says that the device is there but could not be opened, mostly
	// because another program has it.
	ErrBusy = errors.New("sound device not available")
)

// Device is a sound card, or a part of one, that plays.
type Device struct {
	// ID names the device for good, such as "hw:0,1" with ALSA.
	ID string
	// Label is for people.
	Label string
	// Default is true for what is played on when nothing else is asked for.
	Default bool
}

// Options are the options of a speaker. The zero value is good.
type Options struct {
	// Device is an ID, a label or a part of one, the name of an ALSA device
	// such as "plughw:0,1", or "default", which is meant by "" too. Devices
	// that are listed are shared with other programs where ALSA can; those
	// that only ALSA knows are not.
	Device string
	// Buffer is how much sound the device has in hand: less is heard sooner,
	// more survives a busy machine. 10 ms to 1 s, 40 ms by default.
	Buffer time.Duration
}

func (o *Options) fill() error {
	if o.Buffer == 0 {
		o.Buffer = 40 * time.Millisecond
	}
	if strings.ContainsRune(o.Device, 0) {
		return fmt.Errorf("speaker: %w: a device named %q", play.ErrOption, o.Device)
	}
	if o.Buffer < 10*time.Millisecond || o.Buffer > time.Second {
		return fmt.Errorf("speaker: %w: a buffer of %v, not within 10ms and 1s", play.ErrOption, o.Buffer)
	}
	return nil
}

// choose returns the device that is meant, or nil for the default.
func choose(devices []Device, name string) (*Device, error) {
	if name == "" || name == "default" {
		return nil, nil
	}
	for i, d := range devices {
		if d.ID == name {
			return &devices[i], nil
		}
	}
	for i, d := range devices {
		if d.Label == name {
			return &devices[i], nil
		}
	}
	var found *Device
	for i, d := range devices {
		if strings.Contains(strings.ToLower(d.Label), strings.ToLower(name)) {
			if found != nil {
				return nil, fmt.Errorf("speaker: %w: %q may be %q or %q", ErrNotFound, name, found.Label, d.Label)
			}
			found = &devices[i]
		}
	}
	if found == nil {
		return nil, fmt.Errorf("speaker: %w: %q; there is %s", ErrNotFound, name, list(devices))
	}
	return found, nil
}

// list names the devices.
func list(devices []Device) string {
	if len(devices) == 0 {
		return "none"
	}
	var names []string
	for _, d := range devices {
		names = append(names, fmt.Sprintf("%q (%s)", d.ID, d.Label))
	}
	return strings.Join(names, ", ")
}
