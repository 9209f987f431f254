package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/internal/resample"
)

// On Linux microphones are read from the kernel, which takes no cgo and no
// library, unless PulseAudio or PipeWire has them (see pulse). What lies
// between otherwise cannot be made good from outside. mediadevices v0.10.0
// connects to the sound system when it is imported, and panics where that
// fails; takes ALSA's "null" for a microphone, and panics when it is read;
// hands out memory of the C library after the callback to which that was lent
// has returned; and never notices that a microphone was unplugged. malgo
// v0.11.24, of which it is made, hangs for ever when one is closed that was
// unplugged: ALSA's library does not return from reading it.

// pcmPlace is where a microphone is among the device files.
type pcmPlace struct{ card, device string }

func (p pcmPlace) path() string { return "/dev/snd/pcmC" + p.card + "D" + p.device + "c" }

// pcmMicrophones lists the microphones of the kernel in the order of their
// cards.
func pcmMicrophones(detail bool) ([]Device, error) {
	nodes, err := filepath.Glob("/dev/snd/pcmC*D*c")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(nodes, func(a, b string) int { // card 10 comes behind card 9
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var all []Device
	var refused error
	for _, node := range nodes {
		var p pcmPlace
		p.card, p.device, _ = strings.Cut(strings.TrimSuffix(strings.TrimPrefix(node, "/dev/snd/pcmC"), "c"), "D")
		d, err := describe(p)
		if err == nil {
			var f *os.File
			f, err = os.OpenFile(node, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err == nil {
				if detail {
					d.Audio = pcmFormats(f)
				}
				_ = f.Close() // it was only looked at
			}
		}
		switch {
		case errors.Is(err, fs.ErrPermission):
			refused = &Error{
				Kind: media.Audio, Device: d.Label, Err: ErrPermission,
				Cause: fmt.Errorf("%w; members of the group audio may", err),
			}
		case err == nil || errors.Is(err, syscall.EBUSY):
			d.Default = len(all) == 0
			all = append(all, d)
		}
		// Others were unplugged this moment.
	}
	if len(all) == 0 {
		return nil, refused
	}
	return all, nil
}

// describe asks a card for the names of a microphone.
func describe(p pcmPlace) (Device, error) {
	d := Device{Kind: media.Audio, place: p}
	control, err := os.Open("/dev/snd/controlC" + p.card)
	if err != nil {
		return d, err
	}
	defer func() { _ = control.Close() }() // it was only asked
	var card cardInfo
	if err := request(control, ctlCardInfo, &card); err != nil {
		return d, err
	}
	info := pcmInfo{Stream: 1}
	if _, err := fmt.Sscan(p.device, &info.Device); err != nil {
		return d, err
	}
	if err := request(control, ctlPCMInfo, &info); err != nil {
		return d, err
	}
	id := text(card.ID[:])
	d.Label = text(card.Name[:]) + ", " + text(info.Name[:])
	d.ID = fmt.Sprintf("hw:CARD=%s,DEV=%s", id, p.device)
	d.alias = []string{fmt.Sprintf("hw:%s,%s", p.card, p.device), fmt.Sprintf("hw:%s,%s", id, p.device), p.path()}
	if usb := usbID(p.card); usb != "" {
		// The card's own id depends on the order in which cards are plugged in.
		d.alias = append(d.alias, d.ID)
		d.ID = usb
		if p.device != "0" {
			d.ID += "," + p.device
		}
	}
	return d, nil
}

func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return strings.TrimSpace(strings.ToValidUTF8(string(b), "?"))
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

// pcmMicrophone is an open microphone. It owns one goroutine, which reads it.
type pcmMicrophone struct {
	dev   Device
	got   AudioSettings
	file  *os.File
	ring  *ring
	timer *time.Timer
	close func() error
	wg    sync.WaitGroup
	give  pcmFormat // what the device gives

	raw       []byte
	samples   []int16 // of the device's channels
	mixed     []int16
	resampler *resample.Resampler
	resampled []int16
}

func openPCM(d Device, w microphoneWant) (*pcmMicrophone, error) {
	place := d.place.(pcmPlace)
	file, err := os.OpenFile(place.path(), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, pcmError(d.Label, err)
	}
	m := &pcmMicrophone{
		dev: d, got: AudioSettings{Rate: w.Rate, Channels: w.Channels},
		file: file, ring: newRing(w.Rate, w.Channels), timer: time.NewTimer(0),
	}
	if m.give, err = configure(file, w.Rate, w.Channels); err == nil {
		err = m.start()
	}
	if err != nil {
		_ = file.Close() // the first error says more
		return nil, pcmError(d.Label, err)
	}
	if m.give.rate != w.Rate {
		m.resampler = resample.New(m.give.rate, w.Rate, w.Channels)
	}
	m.raw = make([]byte, m.give.rate/50*m.give.frame())
	m.close = sync.OnceValue(func() error {
		m.ring.fail(media.ErrClosed)
		err := file.Close() // makes the reading return
		m.wg.Wait()
		return err
	})
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		m.ring.fail(m.run())
	}()
	return m, nil
}

func (m *pcmMicrophone) start() error {
	if err := request[struct{}](m.file, pcmPrepare, nil); err != nil {
		return err
	}
	return request[struct{}](m.file, pcmStart, nil)
}

// run reads until the microphone is closed or gone.
func (m *pcmMicrophone) run() error {
	for broken := 0; ; broken++ {
		n, err := m.file.Read(m.raw)
		now := time.Now()
		if err == nil && n > 0 {
			broken = 0
			m.hear(m.raw[:n], now)
			continue
		}
		if errors.Is(err, fs.ErrClosed) {
			return media.ErrClosed
		}
		// The program or the machine slept, and sound was lost (EPIPE), or the
		// kernel tells when asked to go on: of what was unplugged the runtime
		// may say no more than that it cannot be waited for.
		m.ring.lost()
		if again := m.start(); again != nil {
			err = again
		} else if broken < 100 {
			continue
		}
		if errors.Is(err, fs.ErrClosed) {
			return media.ErrClosed
		}
		if err == nil {
			err = errors.New("it ended")
		}
		return pcmError(m.dev.Label, err)
	}
}

// hear makes what the device gives what is wanted.
func (m *pcmMicrophone) hear(raw []byte, now time.Time) {
	m.samples = m.give.decode(m.samples[:0], raw)
	samples := m.samples
	if from := m.give.channels; from != m.got.Channels {
		m.mixed = mix(m.mixed[:0], samples, from, m.got.Channels)
		samples = m.mixed
	}
	if m.resampler != nil {
		m.resampled = m.resampler.Append(m.resampled[:0], samples)
		samples = m.resampled
	}
	m.ring.write(samples, now)
}

// mix makes so many channels of others: one is the mean of all, two are the
// first two, or the one that there is twice.
func mix(dst, samples []int16, from, to int) []int16 {
	for ; len(samples) >= from; samples = samples[from:] {
		switch {
		case to == 1:
			sum := 0
			for _, v := range samples[:from] {
				sum += int(v)
			}
			dst = append(dst, int16(sum/from))
		case from == 1:
			dst = append(dst, samples[0], samples[0])
		default:
			dst = append(dst, samples[:2]...)
		}
	}
	return dst
}

func (m *pcmMicrophone) device() Device { return m.dev }

func (m *pcmMicrophone) settings() AudioSettings { return m.got }

func (m *pcmMicrophone) ReadAudio(ctx context.Context, f *media.AudioFrame) error {
	for {
		ok, end := m.ring.take(f)
		if ok {
			return nil
		}
		if end != nil {
			return end
		}
		if _, err := m.ring.wait(ctx, m.timer, time.Hour); err != nil {
			return err
		}
	}
}

func (m *pcmMicrophone) Close() error { return m.close() }

// pcmError makes an error of the kernel ours.
func pcmError(label string, err error) error {
	e := &Error{Err: ErrBroken, Cause: err}
	_ = errors.As(err, &e) // what does not fit is told already
	e.Kind, e.Device = media.Audio, label
	switch {
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EAGAIN):
		e.Err = ErrBusy
	case errors.Is(err, fs.ErrPermission):
		e.Err = ErrPermission
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EBADFD):
		e.Err = ErrUnplugged // it was there a moment ago
	}
	return e
}
