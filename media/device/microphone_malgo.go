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

// How long a microphone may be silent until it is looked whether it is there,
// and then between one look and the next: miniaudio may tell nobody.
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

func malgoMicrophones(detail bool) ([]Device, error) {
	b, err := openBackend()
	if err != nil {
		return nil, err
	}
	defer b.release()
	return b.list(detail)
}

// list lists the microphones, with their formats if in detail.
func (b *backend) list(detail bool) ([]Device, error) {
	infos, err := b.Devices(malgo.Capture)
	if err != nil {
		return nil, malgoError("", err)
	}
	var all []Device
	for _, info := range infos {
		d, ok := b.named(info)
		if !ok {
			continue
		}
		d.Kind, d.place = media.Audio, info.ID
		if detail {
			d.Audio = b.formats(info.ID)
		}
		all = append(all, d)
	}
	if len(all) > 0 && !slices.ContainsFunc(all, func(d Device) bool { return d.Default }) {
		all[0].Default = true
	}
	return all, nil
}

// formats asks for what a microphone gives.
func (b *backend) formats(id malgo.DeviceID) []AudioFormat {
	info, err := b.DeviceInfo(malgo.Capture, id, malgo.Shared)
	if err != nil {
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

func openMalgo(d Device, w microphoneWant) (microphone, error) {
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
		return nil, malgoError(d.Label, err)
	}
	m.close = sync.OnceFunc(func() {
		m.ring.fail(media.ErrClosed)
		m.open.Uninit()
		b.release()
	})
	return m, nil
}

// start opens the device and lets it run.
func (m *malgoMicrophone) start() error {
	id := m.dev.place.(malgo.DeviceID)
	config := malgo.DeviceConfig{
		DeviceType:               malgo.Capture,
		SampleRate:               uint32(m.got.Rate),
		PeriodSizeInMilliseconds: uint32(piece / time.Millisecond),
		Periods:                  8, // what the machine may be late without a loss
		NoFixedSizedCallback:     1,
		Capture: malgo.SubConfig{
			DeviceID: id.Pointer(), Format: malgo.FormatS16, Channels: uint32(m.got.Channels),
		},
	}
	defer C.free(config.Capture.DeviceID)
	r := m.ring
	callbacks := malgo.DeviceCallbacks{
		Data: func(_, in []byte, _ uint32) {
			if len(in) >= 2 {
				r.write(unsafe.Slice((*int16)(unsafe.Pointer(&in[0])), len(in)/2), time.Now())
			}
		},
		Stop: func() { r.fail(errStopped) },
	}
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

// vanished reports whether the microphone is not there any more.
func (m *malgoMicrophone) vanished() bool {
	all, err := malgoMicrophones(false)
	return err != nil || !slices.ContainsFunc(all, func(d Device) bool { return d.ID == m.dev.ID })
}

func (m *malgoMicrophone) Close() error {
	m.close()
	return nil
}

// backend is a connection to the sound system.
type backend struct {
	*malgo.AllocatedContext
	kind malgo.Backend
}

// openBackend connects to the best sound system that there is. It never takes
// miniaudio's "null", which is a microphone that hears nothing.
func openBackend() (*backend, error) {
	var failed error
	for _, kind := range backends() {
		c, err := malgo.InitContext([]malgo.Backend{kind}, malgo.ContextConfig{}, nil)
		if err == nil {
			return &backend{c, kind}, nil
		}
		failed = err
	}
	return nil, &Error{
		Kind: media.Audio, Err: codec.ErrUnavailable,
		Cause: fmt.Errorf("no sound system answers: %w", failed),
	}
}

func (b *backend) release() {
	_ = b.Uninit() // it fails only without a context
	b.Free()
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
