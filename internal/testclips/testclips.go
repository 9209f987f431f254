// Package testclips holds a short clip of each codec, for tests.
package testclips

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
	"github.com/parley-rtc/parley/media/synth"
)

//go:embed clips
var clips embed.FS

var names = map[media.Codec]string{
	media.VP9:  "picture.vp9.ivf",
	media.H264: "picture.h264",
	media.H265: "picture.h265",
	media.AV1:  "picture.av1.ivf",
	media.PCMU: "tone.pcmu.wav",
	media.PCMA: "tone.pcma.wav",
}

// Codecs lists the codecs that there is a clip of.
func Codecs() []media.Codec {
	return []media.Codec{media.VP8, media.VP9, media.H264, media.H265, media.AV1, media.Opus, media.PCMU, media.PCMA}
}

// File returns the clip as a file of the format that package file reads, and
// its name.
func File(codec media.Codec) (name string, data []byte) {
	switch codec {
	case media.VP8:
		return "picture.vp8.ivf", synth.VideoClip()
	case media.Opus:
		return "tone.opus.ogg", synth.ToneClip()
	}
	name = names[codec]
	data, err := fs.ReadFile(clips, "clips/"+name)
	if err != nil {
		panic(fmt.Sprintf("testclips: no clip of %q", codec))
	}
	return name, data
}

// Open returns a source that plays the codec's clip over and over, in real
// time: pictures of 320x240 at 25 a second with a key frame each second, or a
// tone of 440 Hz in packets of 20 ms.
func Open(codec media.Codec) media.Source {
	_, data := File(codec)
	src, err := file.NewReader(bytes.NewReader(data), &file.Options{Loop: true})
	if err != nil {
		panic(fmt.Sprintf("testclips: %v", err))
	}
	return src
}

// Samples returns the samples of the codec's clip, all at once: two to five
// seconds.
func Samples(codec media.Codec) []media.Sample {
	_, data := File(codec)
	var out []media.Sample
	for s, err := range file.Samples(bytes.NewReader(data), nil) {
		if err != nil {
			panic(fmt.Sprintf("testclips: %v", err))
		}
		out = append(out, s)
	}
	return out
}
