package pipe_test

import (
	"io"
	"testing"
	"time"

	"github.com/parley-rtc/parley/internal/testclips"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/pipe"
)

// stepped gives a clip over and over, a frame when it is asked for one.
type stepped struct {
	frames [][]byte
	ask    chan struct{}
	rest   []byte
	n      int
}

func (s *stepped) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if _, ok := <-s.ask; !ok {
			return 0, io.EOF
		}
		s.rest = s.frames[s.n%len(s.frames)]
		s.n++
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// What a frame costs on its way through: H.264 and VP8 are 0.3 and 1 KB a
// frame, so this is all but the copying.
func BenchmarkPassthrough(b *testing.B) {
	for _, codec := range []media.Codec{media.H264, media.VP8} {
		b.Run(string(codec), func(b *testing.B) {
			stream := &stepped{ask: make(chan struct{}, 4)}
			for _, s := range testclips.Samples(codec) {
				if codec == media.VP8 {
					s.Data = ivfFrame(s)
				}
				stream.frames = append(stream.frames, s.Data)
			}
			if codec == media.VP8 {
				stream.rest = ivfOf("VP80")
			}
			stream.ask <- struct{}{}
			stream.ask <- struct{}{} // H.264 is a frame late
			p, err := pipe.Reader(b.Context(), stream, &pipe.Options{MaxDelay: time.Hour})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Video().Next(b.Context()); err != nil {
					b.Fatal(err)
				}
				stream.ask <- struct{}{}
			}
			close(stream.ask)
			<-p.Done()
		})
	}
}
