// Package file publishes media files and writes received media into files.
//
// [Open] takes what encoders and tools commonly write and finds out by itself
// what it is: IVF with VP8, VP9 or AV1, Ogg Opus, raw H.264 and H.265 (Annex
// B), and WAV with G.711 or 8 kHz PCM. Nothing is transcoded: samples carry
// the frames of the file, at the pace at which they are to be seen or heard.
//
//	src, err := file.Open("talk.ivf", &file.Options{Loop: true})
//	if err != nil {
//		return err
//	}
//	track, err := parley.NewLocalVideoTrack(src, nil)
package file

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/internal/pace"
)

// Options says how a file is played. Nil and the zero value play it once.
type Options struct {
	// Loop starts the file again at its end. Timestamps go on growing. It
	// needs a file or another [io.Seeker].
	Loop bool
	// FrameRate is the pace of raw H.264 and H.265, which carry no times;
	// other formats ignore it. Zero takes the rate that the stream's
	// parameter sets give, or else 30.
	FrameRate float64
}

// Source plays a file. It implements [media.Source] and
// [media.KeyframeRequester].
//
// A sample comes when it is due. Who asks late gets what is due meanwhile at
// once; who asks more than a second late finds the timestamps moved on by the
// delay instead.
type Source struct {
	in     *input
	pacer  *pace.Pacer
	closer io.Closer

	loop    bool
	base    time.Duration // where this round of the loop begins
	end     time.Duration // where the newest sample ends
	held    *media.Sample // read but not yet due
	keyWish atomic.Bool
}

// Open opens the file at path. Errors about its contents are of type [*Error];
// of a regular file its first sample is read, so that one without any, or with
// a broken one, is told here.
func Open(path string, opts *Options) (*Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Path: path, Err: err}
	}
	s, err := newSource(f, path, opts)
	if err == nil && regular(f) {
		err = s.hold()
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return s, nil
}

// regular reports whether reading waits for nobody.
func regular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// NewReader plays r, from where it stands. When r is an [io.Closer], Close
// closes it. Options.Loop needs an [io.Seeker].
func NewReader(r io.Reader, opts *Options) (*Source, error) {
	return newSource(r, "", opts)
}

func newSource(r io.Reader, path string, opts *Options) (*Source, error) {
	if opts == nil {
		opts = &Options{}
	}
	in, err := newInput(r, path, opts.FrameRate)
	if err != nil {
		return nil, err
	}
	if opts.Loop && in.seeker == nil {
		return nil, &Error{Path: path, Err: ErrNotSeekable, Hint: "loop a regular file, or play it once"}
	}
	s := &Source{in: in, pacer: pace.New(), loop: opts.Loop}
	s.closer, _ = r.(io.Closer)
	return s, nil
}

// Samples returns what r holds without waiting for any of it to be due.
// Timestamps begin at zero. The first error, other than the end, is the last
// element.
func Samples(r io.Reader, opts *Options) iter.Seq2[media.Sample, error] {
	return func(yield func(media.Sample, error) bool) {
		if opts == nil {
			opts = &Options{}
		}
		in, err := newInput(r, "", opts.FrameRate)
		for err == nil {
			var s media.Sample
			if s, err = in.next(); err == nil && !yield(s, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(media.Sample{}, err)
		}
	}
}

// Codec returns the encoding of the file.
func (s *Source) Codec() media.Codec { return s.in.codec }

// Next returns the next sample when it is due. It returns [io.EOF] at the end
// of a file that is played once, and after Close. Damage in the file is an
// [*Error] with the place; cut off files wrap [io.ErrUnexpectedEOF].
func (s *Source) Next(ctx context.Context) (media.Sample, error) {
	err := s.hold()
	if err == nil && s.keyWish.CompareAndSwap(true, false) {
		err = s.jump()
	}
	if err != nil {
		if s.pacer.Closed() {
			err = io.EOF
		}
		return media.Sample{}, err
	}
	ts, err := s.pacer.Wait(ctx, s.held.Timestamp)
	if err != nil {
		return media.Sample{}, err
	}
	out := *s.held
	out.Timestamp = ts
	s.held = nil
	return out, nil
}

// hold makes sure that a sample is held, with its place in the whole play.
func (s *Source) hold() error {
	if s.held != nil {
		return nil
	}
	next, err := s.in.next()
	if errors.Is(err, io.EOF) && s.loop {
		if err = s.in.rewind(); err == nil {
			s.base = s.end
			next, err = s.in.next()
		}
	}
	if err != nil {
		return err
	}
	next.Timestamp += s.base
	s.end = next.Timestamp + max(next.Duration, time.Millisecond)
	s.held = &next
	return nil
}

// jump replaces the held sample by the next key frame, in its place: the time
// of what is skipped is taken out.
func (s *Source) jump() error {
	at, round := s.held.Timestamp, s.base
	for !s.held.Keyframe && s.base == round {
		s.held = nil
		if err := s.hold(); err != nil {
			return err
		}
	}
	s.base -= s.held.Timestamp - at
	s.held.Timestamp = at
	s.end = at + max(s.held.Duration, time.Millisecond)
	return nil
}

// RequestKeyframe makes a looping source go on with the file's next key frame,
// or with the file's start when none follows. What lies between is left out. A
// file that is played once is played whole, so there the request has no effect.
func (s *Source) RequestKeyframe() {
	if s.loop {
		s.keyWish.Store(true)
	}
}

// Close makes a waiting Next return and closes the file.
func (s *Source) Close() error {
	if !s.pacer.Close() || s.closer == nil {
		return nil
	}
	return s.closer.Close()
}

// Conditions that callers can tell apart with [errors.Is].
var (
	// ErrUnknownFormat means that the contents are of no known format.
	ErrUnknownFormat = errors.New("unknown format")
	// ErrUnsupported means a known format with contents that no track can carry.
	ErrUnsupported = errors.New("unsupported contents")
	// ErrMalformed means that the file breaks the rules of its format.
	ErrMalformed = errors.New("malformed")
	// ErrEmpty means that there is nothing to play.
	ErrEmpty = errors.New("nothing to play")
	// ErrNotSeekable means that looping was asked of a stream.
	ErrNotSeekable = errors.New("cannot go back to the start")
)
