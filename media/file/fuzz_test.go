package file_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/file"
)

// check reads data to its end and tests what every sample must keep.
func check(t *testing.T, data []byte) {
	last := media.Sample{Timestamp: -1}
	for s, err := range file.Samples(bytes.NewReader(data), nil) {
		if err != nil {
			var e *file.Error
			if !errors.As(err, &e) {
				t.Fatalf("not a *file.Error: %v", err)
			}
			return
		}
		switch {
		case s.Codec.Kind() == "":
			t.Fatalf("codec %q", s.Codec)
		case s.Timestamp <= last.Timestamp:
			t.Fatalf("timestamp %v after %v", s.Timestamp, last.Timestamp)
		case len(s.Data) == 0, s.Duration <= 0:
			t.Fatalf("%d bytes of %v", len(s.Data), s.Duration)
		}
		last = s
	}
	if last.Timestamp < 0 {
		t.Fatal("neither a sample nor an error")
	}
}

func seed(f *testing.F, codecs ...media.Codec) {
	for _, codec := range codecs {
		_, data := testclips.File(codec)
		f.Add(data[:min(len(data), 12_000)])
	}
}

func FuzzIVF(f *testing.F) {
	seed(f, media.VP8, media.VP9, media.AV1)
	f.Fuzz(check)
}

func FuzzOgg(f *testing.F) {
	seed(f, media.Opus)
	f.Fuzz(check)
}

func FuzzAnnexB(f *testing.F) {
	seed(f, media.H264, media.H265)
	for _, name := range []string{"slices-aud.h264", "interlaced.h264", "slices-aud.h265"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(check)
}

func FuzzWAV(f *testing.F) {
	seed(f, media.PCMU, media.PCMA)
	f.Add(wavFile(1, 16, 640, "", make([]byte, 640)))
	f.Fuzz(check)
}
