package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/bitstream"
)

const (
	// peekSize is how much of a file is looked at to find out what it is.
	peekSize = 64 << 10
	// maxFrame bounds a frame; larger ones are taken for damage.
	maxFrame = 16 << 20
	// maxGap bounds the time between two frames; more is taken for damage.
	maxGap = time.Hour
)

// demuxer reads one format. Timestamps count from the start of the file.
// io.EOF is the orderly end.
type demuxer interface {
	next() (media.Sample, error)
}

// input is a file being read: its bytes, its format, its order of times.
type input struct {
	path   string
	r      io.Reader
	seeker io.Seeker // r, when it can go back
	start  int64
	rate   float64

	c     *cursor
	codec media.Codec
	demux demuxer
	last  time.Duration
	count int
}

func newInput(r io.Reader, path string, rate float64) (*input, error) {
	in := &input{path: path, r: r, rate: rate}
	if rate < 0 || rate > 1000 || rate != rate {
		return nil, &Error{Path: path, Err: fmt.Errorf("%w: frame rate %v", ErrUnsupported, rate)}
	}
	if s, ok := r.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			in.seeker, in.start = s, at
		}
	}
	in.c = &cursor{br: bufio.NewReaderSize(r, peekSize)}
	if err := in.open(); err != nil {
		return nil, in.explain(err)
	}
	return in, nil
}

// open finds the format and reads the header. It is called again on rewind.
func (in *input) open() error {
	in.last, in.count = 0, 0
	head, err := in.c.br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(head) == 0:
		return fail(ErrEmpty, "the file has no bytes")
	case bytes.HasPrefix(head, []byte("DKIF")):
		in.codec, in.demux, err = openIVF(in.c)
	case bytes.HasPrefix(head, []byte("OggS")):
		in.codec, in.demux, err = openOgg(in.c)
	case bytes.HasPrefix(head, []byte("RIFF")):
		in.codec, in.demux, err = openWAV(in.c)
	case isAnnexB(head):
		in.codec, in.demux, err = openAnnexB(in.c, in.rate)
	default:
		head, _ = in.c.br.Peek(12)
		err = unknown(head)
	}
	return err
}

// unknown names the formats that people try most and tells the way out.
func unknown(head []byte) error {
	const convert = "; take the stream out with: ffmpeg -i FILE -c copy OUT, OUT ending in .ivf, .ogg, .h264 or .h265"
	switch {
	case len(head) >= 8 && string(head[4:8]) == "ftyp":
		return fail(ErrUnknownFormat, "this is MP4"+convert)
	case bytes.HasPrefix(head, []byte{0x1a, 0x45, 0xdf, 0xa3}):
		return fail(ErrUnknownFormat, "this is WebM or Matroska"+convert)
	case bytes.HasPrefix(head, []byte("ID3")), len(head) > 1 && head[0] == 0xff && head[1]&0xe0 == 0xe0:
		return fail(ErrUnknownFormat, "this looks like MP3; convert it with: ffmpeg -i FILE -c:a libopus OUT.ogg")
	}
	return fail(ErrUnknownFormat, "known are IVF, Ogg Opus, WAV, and H.264 or H.265 with Annex B start codes")
}

// next returns the next sample of the file, with growing timestamps.
func (in *input) next() (media.Sample, error) {
	s, err := in.demux.next()
	if err != nil {
		if errors.Is(err, io.EOF) && in.count == 0 {
			err = fail(ErrEmpty, "the file has a header but no frames")
		}
		return media.Sample{}, in.explain(err)
	}
	if in.count > 0 {
		s.Timestamp = max(s.Timestamp, in.last+time.Millisecond)
		if s.Timestamp-in.last > maxGap {
			return media.Sample{}, in.explain(fmt.Errorf("%w: a gap of %v", ErrMalformed, s.Timestamp-in.last))
		}
	}
	in.last = s.Timestamp
	in.count++
	return s, nil
}

func (in *input) rewind() error {
	if _, err := in.seeker.Seek(in.start, io.SeekStart); err != nil {
		return in.explain(err)
	}
	codec := in.codec
	in.c.br.Reset(in.r)
	in.c.off = 0
	if err := in.open(); err != nil {
		return in.explain(err)
	}
	if in.codec != codec {
		return in.explain(fmt.Errorf("%w: changed from %s to %s", ErrUnsupported, codec, in.codec))
	}
	return nil
}

// explain puts the path and the place to an error.
func (in *input) explain(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Err: err, Offset: in.c.off}
	}
	if errors.Is(err, bitstream.ErrInvalid) || errors.Is(err, bitstream.ErrTruncated) {
		e.Err = fmt.Errorf("%w: %w", ErrMalformed, e.Err)
	}
	if e.Hint == "" && errors.Is(e.Err, ErrMalformed) {
		e.Hint = "the file is damaged; copy it again, or see what is left of it with: ffmpeg -i FILE -c copy OUT"
	}
	e.Path = in.path
	return e
}

func fail(err error, hint string) error { return &Error{Err: err, Hint: hint} }

// cursor reads and counts.
type cursor struct {
	br  *bufio.Reader
	off int64
}

// full reads n bytes. No bytes at all is io.EOF, fewer is an error that wraps
// io.ErrUnexpectedEOF. Memory grows with what is there, not with what n claims.
func (c *cursor) full(n int) ([]byte, error) {
	if n <= peekSize {
		b := make([]byte, n)
		got, err := io.ReadFull(c.br, b)
		return b, c.count(got, n, err)
	}
	var b bytes.Buffer
	got, err := io.CopyN(&b, c.br, int64(n))
	return b.Bytes(), c.count(int(got), n, err)
}

// rest is full where an end is never in order.
func (c *cursor) rest(n int) ([]byte, error) {
	b, err := c.full(n)
	if errors.Is(err, io.EOF) {
		err = c.cut(0, n)
	}
	return b, err
}

// discard passes over n bytes.
func (c *cursor) discard(n int64) error {
	got, err := io.CopyN(io.Discard, c.br, n)
	c.off += got
	if errors.Is(err, io.EOF) {
		err = c.cut(int(got), int(n))
	}
	return err
}

func (c *cursor) count(got, want int, err error) error {
	at := c.off
	c.off += int64(got)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Offset: at, Err: err}
	case got == 0:
		return io.EOF
	}
	c.off = at
	err = c.cut(got, want)
	c.off += int64(got)
	return err
}

func (c *cursor) cut(got, want int) error {
	return &Error{
		Offset: c.off,
		Err:    fmt.Errorf("%w: %d bytes of %d", io.ErrUnexpectedEOF, got, want),
		Hint:   "the file is cut off; copy it again or remux it with: ffmpeg -i FILE -c copy OUT",
	}
}
