package play_test

import (
	"time"

	"github.com/parley-rtc/parley/media"
)

// plain decodes G.711.
type plain struct{ codec media.Codec }

func (p plain) Codec() media.Codec { return p.codec }
func (p plain) Close() error       { return nil }
func (p plain) Decode(s media.Sample, f *media.AudioFrame) error {
	f.Rate, f.Channels, f.Samples = 8000, 1, f.Samples[:0]
	for _, b := range s.Data {
		b = ^b
		v := (int(b&15)*2 + 33) << (b >> 4 & 7)
		v = (v - 33) << 2
		if b&128 != 0 {
			v = -v
		}
		f.Samples = append(f.Samples, int16(v))
	}
	return nil
}

func (p plain) Conceal(_ media.Sample, d time.Duration, f *media.AudioFrame) error {
	f.Rate, f.Channels = 8000, 1
	f.Samples = make([]int16, int(d*8000/time.Second))
	return nil
}
