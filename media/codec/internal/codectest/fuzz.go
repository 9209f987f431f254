package codectest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/codec"
)

// Clip returns small encoded pictures, the first a key frame.
func Clip(t testing.TB, newEncoder func(codec.VideoOptions) (media.VideoEncoder, error), count int) []media.Sample {
	t.Helper()
	enc, err := newEncoder(codec.VideoOptions{Bitrate: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	scene := NewScene(64, 48)
	var in media.VideoFrame
	var clip []media.Sample
	for n := range count {
		scene.Draw(&in, n)
		in.Timestamp = Time(n, 30)
		s, err := enc.Encode(&in, false)
		if err != nil {
			t.Fatal(err)
		}
		s.Data = bytes.Clone(s.Data)
		clip = append(clip, s)
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return clip
}

// FuzzVideo feeds a decoder with a key frame, with anything, and with the key
// frame again, which has to give the same picture as before.
func FuzzVideo(f *testing.F, newEncoder func(codec.VideoOptions) (media.VideoEncoder, error), newDecoder func() (media.VideoDecoder, error)) {
	clip := Clip(f, newEncoder, 3)
	f.Add(clip[0].Data)
	f.Add(clip[1].Data)
	f.Add(clip[1].Data[:len(clip[1].Data)/2])
	f.Add(append(bytes.Clone(clip[0].Data), clip[1].Data...))
	f.Fuzz(func(t *testing.T, data []byte) {
		dec, err := newDecoder()
		if err != nil {
			t.Fatal(err)
		}
		var want, got media.VideoFrame
		if ok, err := dec.Decode(clip[0], &want); !ok || err != nil {
			t.Fatalf("a good key frame: %v, %v", ok, err)
		}
		if _, err := dec.Decode(media.Sample{Data: data}, &got); err != nil && !errors.Is(err, codec.ErrBitstream) {
			t.Fatal(err)
		}
		if ok, err := dec.Decode(clip[0], &got); !ok || err != nil {
			t.Fatalf("a good key frame after %x: %v, %v", data, ok, err)
		}
		if PSNR(&want, &got) != 99 {
			t.Fatal("the key frame looks different")
		}
		if err := dec.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzAudio feeds a decoder with anything, twice, and with a gap between.
func FuzzAudio(f *testing.F, newDecoder func(rate, channels int) (media.AudioDecoder, error), seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed, seed, byte(0))
	}
	f.Fuzz(func(t *testing.T, first, second []byte, format byte) {
		rate := []int{8000, 12000, 16000, 24000, 48000}[int(format>>1)%5]
		dec, err := newDecoder(rate, 1+int(format&1))
		if err != nil {
			t.Fatal(err)
		}
		var sound media.AudioFrame
		for _, packet := range [][]byte{first, second, first} {
			if err := dec.Decode(media.Sample{Data: packet}, &sound); err != nil && !errors.Is(err, codec.ErrBitstream) {
				t.Fatal(err)
			}
			if err := dec.Conceal(media.Sample{Data: packet}, sound.Duration(), &sound); err != nil && !errors.Is(err, codec.ErrBitstream) {
				t.Fatal(err)
			}
		}
		if err := dec.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
