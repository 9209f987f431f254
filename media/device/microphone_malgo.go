//go:build cgo

package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/gen2brain/malgo"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// #include <stdlib.h>
import "C"

// Microphones are read through malgo, the library that mediadevices' microphone
// driver is made of, and not through that driver. Of v0.10.0, this cannot be
// made good from outside: importing it connects to the sound system, and panics
// where that fails; it hands out memory of the C library after the callback to
// which that was lent has returned; it never notices that a microphone was
// unplugged, and its reader then waits for ever; devices cannot be listed
// again; and it tells no error apart from another.

// How long a microphone may be silent until it is looked whether it is there,
// and then between one look and the next. Where a sound card is unplugged,
// miniaudio tells nobody and keeps a processor busy until it is closed.
const silence = 500 * time.Millisecond

// malgoMicrophone is an open microphone. It owns the thread of miniaudio.
type malgoMicrophone struct {
	dev   Device
	got   AudioSettings
	ring  *ring
	timer *time.Timer
	need  []string // ids of what has to be there
	open  *malgo.Device
	back  *backend
	close func()
}

func microphones(_ context.Context, detail bool) ([]Device, error) {
	b, err := openBackend()
	if err != nil {
		return nil, err
	}
	defer b.release()
	return b.list(detail)
}

// list lists the microphones, with their formats if in detail.
func (b *backend) list(detail bool) ([]Device, error) {
	var infos []malgo.DeviceInfo
	err := quietly(func() (err error) {
		infos, err = b.Devices(malgo.Capture)
		return err
	})
	if err != nil {
		return nil, malgoError("", err)
	}
	var all []Device
	for _, info := range infos {
		d, ok := b.describe(info)
		if !ok {
			continue
		}
		d.Kind = media.Audio
		d.place = info.ID
		if detail {
			d.Audio = b.formats(info.ID)
		}
		all = append(all, d)
	}
	return b.complete(all)
}

// formats asks for what a microphone gives. It has to be opened for that: one
// that is busy does not tell.
func (b *backend) formats(id malgo.DeviceID) []AudioFormat {
	var info malgo.DeviceInfo
	if quietly(func() (err error) {
		info, err = b.DeviceInfo(malgo.Capture, id, malgo.Shared)
		return err
	}) != nil {
		return nil
	}
	var out []AudioFormat
	for _, f := range info.Formats {
		af := AudioFormat{Rate: int(f.SampleRate), Channels: int(f.Channels)}
		if !slices.Contains(out, af) { // the same with other sizes of samples
			out = append(out, af)
		}
	}
	return out
}

func openMicrophone(ctx context.Context, d Device, w microphoneWant) (microphone, error) {
	b, err := openBackend()
	if err != nil {
		return nil, err
	}
	m := &malgoMicrophone{
		dev: d, back: b, got: AudioSettings{Rate: w.Rate, Channels: w.Channels},
		ring: newRing(w.Rate, w.Channels), timer: time.NewTimer(0),
	}
	if err := m.start(); err != nil {
		b.release()
		return nil, err
	}
	m.close = sync.OnceFunc(func() {
		m.ring.fail(media.ErrClosed)
		m.open.Uninit()
		b.release()
	})
	if err := ctx.Err(); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// start opens the device and lets it run.
func (m *malgoMicrophone) start() error {
	all, err := m.back.list(false)
	if err != nil {
		return err
	}
	m.need = []string{m.dev.ID}
	if !m.dev.hardware() {
		m.need = nil
		for _, d := range all {
			if d.hardware() {
				m.need = append(m.need, d.ID)
			}
		}
	}
	err = m.init(m.dev)
	if m.dev.ID == Default && errors.Is(err, ErrBroken) {
		// Opening what is called default fails without a reason. The first
		// device will do, or tells the reason.
		if i := slices.IndexFunc(all, Device.hardware); i >= 0 {
			err = m.init(all[i])
		}
	}
	return err
}

func (m *malgoMicrophone) init(d Device) error {
	config := malgo.DeviceConfig{
		DeviceType:               malgo.Capture,
		SampleRate:               uint32(m.got.Rate),
		PeriodSizeInMilliseconds: uint32(piece / time.Millisecond),
		Periods:                  8, // what the machine may be late without a loss
		NoFixedSizedCallback:     1,
		Capture:                  malgo.SubConfig{Format: malgo.FormatS16, Channels: uint32(m.got.Channels)},
	}
	if id := d.place.(malgo.DeviceID); d.ID != Default {
		config.Capture.DeviceID = id.Pointer()
		defer C.free(config.Capture.DeviceID)
	}
	r := m.ring
	callbacks := malgo.DeviceCallbacks{
		Data: func(_, in []byte, _ uint32) {
			if len(in) >= 2 {
				r.write(unsafe.Slice((*int16)(unsafe.Pointer(&in[0])), len(in)/2), time.Now())
			}
		},
		Stop: func() { r.fail(errStopped) },
	}
	err := quietly(func() error {
		device, err := malgo.InitDevice(m.back.Context, config, callbacks)
		if err != nil {
			return err
		}
		if err := device.Start(); err != nil {
			device.Uninit()
			return err
		}
		m.open = device
		return nil
	})
	if err != nil {
		return malgoError(d.Label, err)
	}
	return nil
}

func (m *malgoMicrophone) device() Device { return m.dev }

func (m *malgoMicrophone) settings() AudioSettings { return m.got }

func (m *malgoMicrophone) ReadAudio(ctx context.Context, f *media.AudioFrame) error {
	for {
		ok, end := m.ring.take(f)
		if ok {
			return nil
		}
		switch {
		case errors.Is(end, errStopped):
			return &Error{Kind: media.Audio, Device: m.dev.Label, Err: ErrUnplugged, Cause: end}
		case end != nil:
			return end
		}
		fresh, err := m.ring.wait(ctx, m.timer, silence)
		if err != nil {
			return err
		}
		if !fresh && m.vanished() {
			return &Error{Kind: media.Audio, Device: m.dev.Label, Err: ErrUnplugged}
		}
	}
}

// vanished reports whether what the microphone needs is not there any more.
func (m *malgoMicrophone) vanished() bool {
	all, err := microphones(context.Background(), false)
	if err != nil {
		return true // the sound system itself is gone
	}
	return slices.ContainsFunc(m.need, func(id string) bool {
		return !slices.ContainsFunc(all, func(d Device) bool { return d.ID == id })
	})
}

func (m *malgoMicrophone) Close() error {
	m.close()
	return nil
}

// backend is a connection to the sound system.
type backend struct {
	*malgo.AllocatedContext
	kind   malgo.Backend
	shared bool
}

// openBackend connects to the best sound system that there is. It never takes
// miniaudio's "null", which is a microphone that hears nothing.
func openBackend() (*backend, error) {
	alsa.Lock()
	defer alsa.Unlock()
	var failed error
	for _, kind := range backendKinds() {
		if kind == malgo.BackendAlsa && alsa.backend != nil {
			return alsa.backend, nil
		}
		var c *malgo.AllocatedContext
		err := quietly(func() (err error) {
			c, err = malgo.InitContext([]malgo.Backend{kind}, malgo.ContextConfig{}, nil)
			return err
		})
		if err != nil {
			failed = err
			continue
		}
		b := &backend{AllocatedContext: c, kind: kind, shared: kind == malgo.BackendAlsa}
		if b.shared {
			alsa.backend = b
		}
		return b, nil
	}
	return nil, &Error{
		Kind: media.Audio, Err: codec.ErrUnavailable,
		Cause: fmt.Errorf("no library for sound can be loaded (%w); on Debian it is libasound2", failed),
	}
}

// alsa is the context of ALSA, which is kept: it is but a table of functions,
// and malgo loses some memory with each.
var alsa struct {
	sync.Mutex
	backend *backend
}

func (b *backend) release() {
	if !b.shared {
		_ = b.Uninit() // it fails only without a context
		b.Free()
	}
}

// malgoError makes errors of malgo ours.
func malgoError(label string, err error) error {
	e := &Error{Kind: media.Audio, Device: label, Err: ErrBroken, Cause: err}
	var r malgo.Result
	if !errors.As(err, &r) {
		return e
	}
	switch r {
	case malgo.ErrBusy, malgo.ErrAlreadyInUse:
		e.Err = ErrBusy
	case malgo.ErrAccessDenied:
		e.Err = ErrPermission
	case malgo.ErrNoDevice, malgo.ErrDoesNotExist:
		e.Err = ErrUnplugged // it was listed a moment ago
	case malgo.ErrFormatNotSupported, malgo.ErrShareModeNotSupported:
		e.Err = ErrUnsatisfiable
	}
	return e
}
