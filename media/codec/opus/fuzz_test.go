//go:build cgo && codecs

package opus_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media/codec"
	"github.com/parley-rtc/parley/media/codec/internal/codectest"
	"github.com/parley-rtc/parley/media/codec/opus"
)

func FuzzDecode(f *testing.F) {
	var seeds [][]byte
	for _, o := range []codec.AudioOptions{
		{Rate: 8000, Bitrate: 8000}, {FEC: true}, {Bitrate: 96000, Channels: 2}, {Frame: 60 * time.Millisecond, Bitrate: 12000},
	} {
		packets, _ := encode(f, o, 60*time.Millisecond)
		seeds = append(seeds, packets[len(packets)-1].Data)
	}
	codectest.FuzzAudio(f, opus.NewDecoder, seeds...)
}
