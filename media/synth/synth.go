// Package synth makes media out of nothing: a moving test picture and a tone,
// for programs without a camera and for tests. It is pure Go; the encoded
// clips are part of the program and are together under 200 KB.
package synth

import (
	"bytes"
	_ "embed"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
)

var (
	//go:embed clips/picture.vp8.ivf
	picture []byte
	//go:embed clips/tone.opus.ogg
	tone []byte
)

// Video returns a moving test picture: VP8, 320x240, 25 frames a second, with
// a key frame each second and whenever one is requested. It never ends by
// itself. Each call returns a source of its own.
func Video() media.Source { return loop(picture) }

// Tone returns a tone of 440 Hz: Opus, mono, in packets of 20 ms. It never
// ends by itself. Each call returns a source of its own.
func Tone() media.Source { return loop(tone) }

// VideoClip returns the clip behind [Video], an IVF file of five seconds.
func VideoClip() []byte { return bytes.Clone(picture) }

// ToneClip returns the clip behind [Tone], an Ogg file of five seconds.
func ToneClip() []byte { return bytes.Clone(tone) }

func loop(clip []byte) media.Source {
	src, err := file.NewReader(bytes.NewReader(clip), &file.Options{Loop: true})
	if err != nil {
		panic(err) // the clip is a constant, and a test opens it
	}
	return src
}
