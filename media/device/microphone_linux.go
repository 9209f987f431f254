//go:build cgo

package device

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"

	"github.com/gen2brain/malgo"
	"github.com/parley-rtc/parley/media"
)

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdarg.h>

typedef void handler(const char *file, int line, const char *function, int err, const char *format, va_list args);

static handler *(*set_local)(handler *);

static void discard(const char *file, int line, const char *function, int err, const char *format, va_list args) {}

// find_quiet looks for ALSA's way to say who gets error messages of a thread.
static void find_quiet(void) {
	void *lib = dlopen("libasound.so.2", RTLD_NOW);
	if (lib) set_local = (handler *(*)(handler *))dlsym(lib, "snd_lib_error_set_local");
}

static void *quiet(void) { return set_local ? (void *)set_local(discard) : 0; }

static void loud(void *before) { if (set_local) set_local((handler *)before); }
*/
import "C"

var findQuiet = sync.OnceFunc(func() { C.find_quiet() })

// quietly calls f without ALSA writing to the standard error output, as it does
// about each device that it cannot open.
func quietly(f func() error) error {
	findQuiet()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := C.quiet()
	defer C.loud(before)
	return f()
}

// backendKinds is which sound systems to try, in order.
func backendKinds() []malgo.Backend {
	kinds := []malgo.Backend{malgo.BackendAlsa, malgo.BackendJack}
	if pulseRuns() {
		kinds = append([]malgo.Backend{malgo.BackendPulseaudio}, kinds...)
	}
	return kinds
}

// pulseRuns reports whether it makes sense to look for PulseAudio or what
// stands in for it.
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

// hardware is how miniaudio calls what ALSA calls hw:card,device.
var hardware = regexp.MustCompile(`^:(\d+),(\d+)$`)

// describe makes a device of what miniaudio tells. It leaves out what is no
// microphone.
func (b *backend) describe(info malgo.DeviceInfo) (Device, bool) {
	name, _, _ := bytes.Cut(info.ID[:], []byte{0})
	d := Device{ID: string(name), Label: info.Name(), Default: info.IsDefault != 0}
	if b.kind != malgo.BackendAlsa {
		return d, d.ID != "" && !strings.HasSuffix(d.ID, ".monitor")
	}
	if d.ID == Default {
		d.Label, d.Default = "Default", true
		return d, true
	}
	// All else is a way to use one of the cards, or none: "null" is one.
	m := hardware.FindStringSubmatch(d.ID)
	if m == nil {
		return d, false
	}
	id := cardID(m[1])
	d.ID = fmt.Sprintf("hw:CARD=%s,DEV=%s", id, m[2])
	d.alias = []string{fmt.Sprintf("hw:%s,%s", m[1], m[2]), fmt.Sprintf("hw:%s,%s", id, m[2])}
	if usb := usbID(m[1]); usb != "" {
		// The card's own id depends on the order in which cards are plugged in.
		d.alias = append(d.alias, d.ID)
		d.ID = usb
		if m[2] != "0" {
			d.ID += "," + m[2]
		}
	}
	return d, true
}

// hardware reports whether the device is one that can be unplugged.
func (d Device) hardware() bool { return d.ID != Default }

// cardID returns the name of a sound card, or its number.
func cardID(card string) string {
	id, err := os.ReadFile("/proc/asound/card" + card + "/id")
	if name := strings.TrimSpace(string(id)); err == nil && name != "" {
		return name
	}
	return card
}

// usbID returns the stable name of a USB sound card.
func usbID(card string) string {
	links, _ := filepath.Glob("/dev/snd/by-id/*") // the pattern is good
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && filepath.Base(target) == "controlC"+card {
			return filepath.Base(link)
		}
	}
	return ""
}

// complete sees to it that there is one default device, and none without a
// card. When there are cards that may not be opened, that is an error.
func (b *backend) complete(all []Device) ([]Device, error) {
	cards, defaults := 0, 0
	for _, d := range all {
		if d.hardware() {
			cards++
		}
		if d.Default {
			defaults++
		}
	}
	if cards == 0 {
		return nil, mayNotListen()
	}
	if defaults == 0 {
		all[0].Default = true
	}
	return all, nil
}

// mayNotListen returns an error if there are microphones of which this program
// must not know.
func mayNotListen() error {
	nodes, _ := filepath.Glob("/dev/snd/pcmC*D*c") // the pattern is good
	for _, node := range nodes {
		card, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(node), "pcmC"), "D")
		f, err := os.Open("/dev/snd/controlC" + card)
		if err == nil {
			_ = f.Close() // it was only tried
			continue
		}
		if errors.Is(err, fs.ErrPermission) {
			return &Error{Kind: media.Audio, Err: ErrPermission, Cause: fmt.Errorf("%w; members of the group audio may", err)}
		}
	}
	return nil
}
