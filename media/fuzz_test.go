package media_test

import (
	"testing"
	"time"

	"github.com/parley-rtc/parley/media"
)

// FuzzConvert feeds pictures whose planes, strides and sizes say anything.
func FuzzConvert(f *testing.F) {
	for i := range len(rawFormats) + 1 {
		f.Add(byte(i), 16, 9, 16, 8, 40, []byte("0123456789abcdefghijklmnopqrstuvwxyz"))
		f.Add(byte(i), 3, 3, 16, 4, 4, make([]byte, 200))
	}
	for _, name := range []string{"420", "422", "444", "progressive", "gray"} {
		f.Add(byte(len(rawFormats)), 0, 0, 0, 0, 0, readJPEG(f, name))
	}
	f.Fuzz(func(t *testing.T, format byte, width, height, stride, chromaStride, split int, data []byte) {
		formats := append(rawFormats[:len(rawFormats):len(rawFormats)], media.MJPEG, "nonsense")
		split = min(max(split, 0), len(data))
		half := split + (len(data)-split)/2
		src := &media.VideoFrame{
			Format: formats[int(format)%len(formats)], Width: width, Height: height,
			Planes:  [3][]byte{data[:split:split], data[split:half:half], data[half:]},
			Strides: [3]int{stride, chromaStride, chromaStride},
		}
		if src.Format == media.MJPEG {
			src.Planes[0] = data
		}
		var got, small media.VideoFrame
		if err := media.Convert(&got, src); err != nil {
			return
		}
		if err := got.Validate(); err != nil || got.Format != media.I420 {
			t.Fatalf("a picture that is none: %v, %v", got.Format, err)
		}
		small.Width, small.Height = (got.Width+2)/3, (got.Height+4)/2
		if err := media.Scale(&small, &got); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzAudioSource feeds pieces of sound of any format, length and time.
func FuzzAudioSource(f *testing.F) {
	f.Add(44100, 2, 882, int64(0), 48000, 1, 960, int64(20*time.Millisecond))
	f.Add(8000, 1, 1, int64(1<<62), 16000, 3, 9, int64(-1<<62))
	f.Fuzz(func(t *testing.T, rate, channels, n int, at int64, rate2, channels2, n2 int, at2 int64) {
		samples := make([]int16, 1<<14)
		for i := range samples {
			samples[i] = int16(i * 7919)
		}
		piece := func(rate, channels, n int, at int64) media.AudioFrame {
			return media.AudioFrame{Rate: rate, Channels: channels, Samples: samples[:min(max(n, 0), len(samples))], Timestamp: time.Duration(at)}
		}
		mic := newMicrophone(piece(rate, channels, n, at), piece(rate2, channels2, n2, at2), piece(rate, channels, n, at), piece(rate2, channels2, n2, at2))
		src := media.NewAudioSource(mic, &pcm{}, nil)
		last, begun := time.Duration(0), false
		for range 1000 {
			s, err := src.Next(t.Context())
			if err != nil {
				return
			}
			if begun && s.Timestamp <= last || len(s.Data) != 2*960 {
				t.Fatalf("%v after %v, %d bytes", s.Timestamp, last, len(s.Data))
			}
			begun, last = true, s.Timestamp
		}
	})
}
