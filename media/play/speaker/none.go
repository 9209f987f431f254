//go:build !cgo

package speaker

import (
	"fmt"
	"time"

	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/play"
)

func unavailable() error {
	return fmt.Errorf("speaker: %w: build with cgo (CGO_ENABLED=1, and a C compiler such as of the Debian package gcc)", codec.ErrUnavailable)
}

// Speaker plays sound on a device. There is none in this build.
type Speaker struct{}

// Devices fails with codec.ErrUnavailable.
func Devices() ([]Device, error) { return nil, unavailable() }

// Open fails with codec.ErrUnavailable.
func Open(opts *Options) (*Speaker, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	return nil, unavailable()
}

// Start fails with codec.ErrUnavailable.
func (s *Speaker) Start(*play.Mixer) error { return unavailable() }

// Device returns nothing.
func (s *Speaker) Device() Device { return Device{} }

// Latency returns zero.
func (s *Speaker) Latency() time.Duration { return 0 }

// Underruns returns zero.
func (s *Speaker) Underruns() int64 { return 0 }

// Done returns nil.
func (s *Speaker) Done() <-chan struct{} { return nil }

// Close does nothing.
func (s *Speaker) Close() error { return nil }
