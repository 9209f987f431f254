package device

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rtc/parley/media"
)

// MicrophoneOptions say how a microphone is to be opened. What the microphone
// itself does not give is made of what it gives: 48 000 samples a second of
// 44 100, one channel of two.
type MicrophoneOptions struct {
	// Rate is how many samples a second there are to be, 8000 to 192 000. The
	// default is 48 000.
	Rate int
	// Channels is 1, the default, or 2.
	Channels int
	// Reopen makes the microphone wait when it is unplugged, and go on when
	// the one with the same id is back. Without it, that is an
	// [ErrUnplugged].
	Reopen bool
}

// AudioSettings are what a microphone gives.
type AudioSettings struct {
	Rate     int
	Channels int
}

// Microphone is an open microphone. One goroutine reads it; the other methods
// may be called from any.
type Microphone struct {
	slot *slot[microphone, microphoneWant]
	line timeline
}

var _ media.AudioReader = (*Microphone)(nil)

// microphone is what a backend opens.
type microphone interface {
	media.AudioReader
	device() Device
	settings() AudioSettings
}

// microphoneWant is what a microphone is opened with.
type microphoneWant struct {
	MicrophoneOptions
	name string
}

// OpenMicrophone opens the microphone called name; empty means the default one.
// opts may be nil. It hears from then on. ctx bounds the opening alone.
func OpenMicrophone(ctx context.Context, name string, opts *MicrophoneOptions) (*Microphone, error) {
	w := microphoneWant{name: name}
	if opts != nil {
		w.MicrophoneOptions = *opts
	}
	s, err := newSlot(ctx, w, w.Reopen, listen)
	if err != nil {
		return nil, err
	}
	return &Microphone{slot: s}, nil
}

// listen opens the microphone that the name means.
func listen(ctx context.Context, w microphoneWant) (mic microphone, again microphoneWant, err error) {
	if w.Rate == 0 {
		w.Rate = 48000
	}
	if w.Channels == 0 {
		w.Channels = 1
	}
	if w.Rate < 8000 || w.Rate > 192000 || w.Channels < 1 || w.Channels > 2 {
		return nil, w, &Error{
			Kind: media.Audio, Device: w.name, Err: ErrUnsatisfiable,
			Cause: fmt.Errorf("%d Hz in %d channels is asked for, 8000 to 192000 Hz in 1 or 2 can be had", w.Rate, w.Channels),
		}
	}
	all, err := list(ctx, media.Audio, false)
	if err != nil && len(all) == 0 {
		return nil, w, err
	}
	d, err := find(all, media.Audio, w.name)
	if err != nil {
		return nil, w, err
	}
	err = guarded(media.Audio, d.Label, func() (err error) {
		mic, err = openMicrophone(ctx, d, w)
		return err
	})
	w.name = d.ID
	return mic, w, err
}

// ReadAudio waits for the next 10 ms of sound and puts them into f. Who reads
// more than 200 ms late gets the newest 50 ms; what is left out shows in the
// timestamps.
func (m *Microphone) ReadAudio(ctx context.Context, f *media.AudioFrame) error {
	for {
		mic, epoch, err := m.slot.get(ctx)
		if err != nil {
			return err
		}
		if err = readAudio(ctx, mic, f); err == nil {
			m.line.place(epoch, f)
			return nil
		}
		if ctx.Err() != nil || !m.slot.lost(epoch, err) {
			return err
		}
	}
}

func readAudio(ctx context.Context, mic microphone, f *media.AudioFrame) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(media.Audio, mic.device().Label, p)
		}
	}()
	return mic.ReadAudio(ctx, f)
}

// Device returns the microphone that is open; it has no id while that is
// unplugged.
func (m *Microphone) Device() Device {
	if mic, ok := m.slot.current(); ok {
		return mic.device()
	}
	return Device{Kind: media.Audio}
}

// Settings returns what the microphone gives at present; they are zero while it
// is unplugged.
func (m *Microphone) Settings() AudioSettings {
	if mic, ok := m.slot.current(); ok {
		return mic.settings()
	}
	return AudioSettings{}
}

// Restart opens another microphone, or the same with other options, in the
// place of this one, while it is read. name may be empty for the same. Reopen
// stays as it was. When it fails, what was open goes on.
func (m *Microphone) Restart(ctx context.Context, name string, opts *MicrophoneOptions) error {
	w := m.slot.wanted()
	if name != "" {
		w.name = name
	}
	w.MicrophoneOptions = MicrophoneOptions{}
	if opts != nil {
		w.MicrophoneOptions = *opts
	}
	return m.restart(ctx, w)
}

// restart keeps what cannot be changed.
func (m *Microphone) restart(ctx context.Context, w microphoneWant) error {
	w.Reopen = m.slot.wanted().Reopen
	return m.slot.Restart(ctx, w)
}

// Close closes the microphone and makes a waiting ReadAudio return.
func (m *Microphone) Close() error { return m.slot.Close() }

var errStopped = errors.New("it stopped by itself")
