//go:build cgo

package speaker

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gen2brain/malgo"
	"github.com/parley-rtc/parley/media/play"
)

const (
	rate     = 48000
	channels = 2
	periods  = 4 // of the device's buffer
)

// backends are where sound goes. On Linux it is ALSA alone: sound servers are
// its default device where they are in use.
func backends() []malgo.Backend {
	if runtime.GOOS == "linux" {
		return []malgo.Backend{malgo.BackendAlsa}
	}
	return nil
}

// system is a connection to the system's sound.
type system struct {
	ctx       *malgo.AllocatedContext
	underruns atomic.Int64
}

func connect() (*system, error) {
	s := &system{}
	var err error
	s.ctx, err = malgo.InitContext(backends(), malgo.ContextConfig{}, func(message string) {
		// The only word about it; the device goes on by itself.
		if strings.HasPrefix(message, "EPIPE (write)") {
			s.underruns.Add(1)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("speaker: %w: the system's sound cannot be used (on Debian it takes libasound2): %w", ErrNotFound, err)
	}
	return s, nil
}

func (s *system) close() {
	_ = s.ctx.Uninit() // it fails only if there is none
	s.ctx.Free()
}

func (s *system) devices() ([]Device, []malgo.DeviceID, error) {
	infos, err := s.ctx.Devices(malgo.Playback)
	if err != nil {
		return nil, nil, fmt.Errorf("speaker: %w: %w", ErrNotFound, err)
	}
	var list []Device
	var ids []malgo.DeviceID
	for _, i := range infos {
		d := Device{ID: nameOf(i.ID), Label: i.Name(), Default: i.IsDefault != 0}
		if d.ID == "null" {
			continue // nobody hears it
		}
		list, ids = append(list, d), append(ids, i.ID)
	}
	return list, ids, nil
}

// nameOf is the ID of a device as text, which with ALSA it is.
func nameOf(id malgo.DeviceID) string {
	if runtime.GOOS != "linux" {
		return id.String()
	}
	text, _, _ := strings.Cut(string(id[:]), "\x00")
	if strings.HasPrefix(text, ":") {
		// What may be had as hw:0,1, or shared as dmix:0,1.
		return "hw" + text
	}
	return text
}

// Devices lists what sound can be played on.
func Devices() ([]Device, error) {
	s, err := connect()
	if err != nil {
		return nil, err
	}
	defer s.close()
	list, _, err := s.devices()
	return list, err
}

// Speaker plays sound on a device. It is a [play.Sound]; its methods may be
// called from any goroutine. The device's own thread fetches the sound.
type Speaker struct {
	system *system
	device *malgo.Device
	is     Device
	buffer time.Duration
	mixer  atomic.Pointer[play.Mixer]
	mono   []int16   // the thread's
	asked  time.Time // likewise: when fetch was called last
	dry    atomic.Int64
	done   chan struct{}
	lost   sync.Once // closes done

	mu      sync.Mutex
	started bool
	closed  bool
}

// Open opens a device. It fails with ErrNotFound or ErrBusy.
func Open(opts *Options) (*Speaker, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	sys, err := connect()
	if err != nil {
		return nil, err
	}
	s := &Speaker{system: sys, buffer: o.Buffer, done: make(chan struct{})}
	if err := s.open(o); err != nil {
		sys.close()
		return nil, err
	}
	return s, nil
}

func (s *Speaker) open(o Options) error {
	devices, ids, err := s.system.devices()
	if err != nil {
		return err
	}
	var id *malgo.DeviceID
	switch d, err := choose(devices, o.Device); {
	case err != nil && runtime.GOOS == "linux" && strings.Contains(o.Device, ":") && len(o.Device) < len(id):
		id = new(malgo.DeviceID) // ALSA knows more names than it lists
		copy(id[:], o.Device)
		s.is = Device{ID: o.Device, Label: o.Device}
	case err != nil:
		return err
	case d == nil:
		s.is = Device{ID: "default", Label: "default", Default: true}
	default:
		s.is = *d
		for i := range devices {
			if devices[i] == *d {
				id = &ids[i]
			}
		}
	}
	config := malgo.DefaultDeviceConfig(malgo.Playback)
	config.SampleRate = rate
	config.Periods = periods
	config.PeriodSizeInFrames = uint32(o.Buffer * rate / time.Second / periods)
	config.PerformanceProfile = malgo.LowLatency
	config.Playback.Format = malgo.FormatS16
	config.Playback.Channels = channels
	if id != nil {
		var pin runtime.Pinner // C looks at it until InitDevice returns
		pin.Pin(id)
		defer pin.Unpin()
		config.Playback.DeviceID = unsafe.Pointer(id)
	}
	s.device, err = malgo.InitDevice(s.system.ctx.Context, config, malgo.DeviceCallbacks{Data: s.fetch, Stop: s.stopped})
	if err != nil {
		return fmt.Errorf("speaker: %w: %s: %w; there is %s", ErrBusy, s.is.ID, err, list(devices))
	}
	return nil
}

// fetch fills what the device asks for, on the device's thread.
func (s *Speaker) fetch(out, _ []byte, _ uint32) {
	if len(out) < 2*channels {
		return
	}
	pcm := unsafe.Slice((*int16)(unsafe.Pointer(&out[0])), len(out)/2)
	now := time.Now()
	if !s.asked.IsZero() && now.Sub(s.asked) > s.buffer+s.buffer/periods {
		s.dry.Add(1)
	}
	s.asked = now
	m := s.mixer.Load()
	switch {
	case m == nil:
		clear(pcm)
	case m.Channels() == channels:
		m.Mix(pcm)
	default:
		n := len(pcm) / channels
		if cap(s.mono) < n {
			s.mono = make([]int16, n)
		}
		s.mono = s.mono[:n]
		m.Mix(s.mono)
		for i, v := range s.mono {
			pcm[2*i], pcm[2*i+1] = v, v
		}
	}
}

// stopped takes note that the device does not play any more: Close, or it is
// gone.
func (s *Speaker) stopped() { s.lost.Do(func() { close(s.done) }) }

// Start lets the device play what m mixes.
func (s *Speaker) Start(m *play.Mixer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("speaker: %w", play.ErrClosed)
	case s.started:
		return fmt.Errorf("speaker: %w: it plays already", play.ErrOption)
	}
	s.mixer.Store(m)
	if err := s.device.Start(); err != nil {
		return fmt.Errorf("speaker: %w: %s: %w", ErrBusy, s.is.ID, err)
	}
	s.started = true
	return nil
}

// Device is what the sound is played on.
func (s *Speaker) Device() Device { return s.is }

// Latency is how much the device has in hand when it asks for more, of the
// buffer that was asked for: what is mixed is heard so much later.
func (s *Speaker) Latency() time.Duration { return s.buffer * (periods - 1) / periods }

// Underruns counts how often the device ran out of sound because the machine
// was busy: as the device tells, or, since shared ones do not, as the time
// between its requests does.
func (s *Speaker) Underruns() int64 { return max(s.system.underruns.Load(), s.dry.Load()) }

// Done is closed when the device plays no more: it was closed, or unplugged.
func (s *Speaker) Done() <-chan struct{} { return s.done }

// Close ends the sound and gives the device back. It is idempotent.
func (s *Speaker) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.device.Uninit()
	s.system.close()
	s.stopped()
	return nil
}
