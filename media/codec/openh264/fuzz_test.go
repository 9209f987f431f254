//go:build cgo && codecs

package openh264_test

import (
	"testing"

	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/openh264"
)

func FuzzDecode(f *testing.F) {
	codectest.FuzzVideo(f, openh264.NewEncoder, openh264.NewDecoder)
}
