// Package sound is what the audio codecs share: the check of what is to be
// encoded, and a guess at what was lost.
package sound

import (
	"fmt"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// MaxConceal bounds the gap that a decoder fills with one call.
const MaxConceal = 10 * time.Second

// Check returns an error that is codec.ErrFrame unless f is a piece as the
// encoder was made for.
func Check(f *media.AudioFrame, o codec.AudioOptions) error {
	if f == nil {
		return fmt.Errorf("no sound: %w", codec.ErrFrame)
	}
	if f.Rate != o.Rate || f.Channels != o.Channels {
		return fmt.Errorf("sound of %d Hz with %d channels, want %d Hz with %d: %w", f.Rate, f.Channels, o.Rate, o.Channels, codec.ErrFrame)
	}
	if want := Samples(o.Frame, o.Rate) * o.Channels; len(f.Samples) != want {
		return fmt.Errorf("piece of %d samples, want %d: %w", len(f.Samples), want, codec.ErrFrame)
	}
	return nil
}

// Samples returns how many samples a channel has in a time.
func Samples(d time.Duration, rate int) int {
	return int(d.Microseconds() * int64(rate) / 1_000_000)
}

// Fit makes f hold n samples of each channel, in the memory that it has, if
// that is enough.
func Fit(f *media.AudioFrame, rate, channels, n int) {
	f.Rate, f.Channels = rate, channels
	if n *= channels; cap(f.Samples) < n {
		f.Samples = make([]int16, n)
	}
	f.Samples = f.Samples[:n]
}

// Gap makes f hold what was lost before next, of a length that is brought into
// bounds, and sets its times. end is where the sound so far ends.
func Gap(f *media.AudioFrame, rate, channels int, next media.Sample, length, end time.Duration) error {
	if length > MaxConceal {
		return fmt.Errorf("a gap of %v, want at most %v: %w", length, MaxConceal, codec.ErrFrame)
	}
	Fit(f, rate, channels, max(0, Samples(length, rate)))
	f.Timestamp, f.Captured = end, time.Time{}
	if len(next.Data) > 0 {
		f.Timestamp = next.Timestamp - f.Duration()
		if !next.Captured.IsZero() {
			f.Captured = next.Captured.Add(-f.Duration())
		}
	}
	return nil
}
