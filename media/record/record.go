// Package record writes received tracks into WebM or Matroska files.
//
// A [Recorder] is one file. Put all tracks of a participant into one recorder,
// or make a recorder for each track:
//
//	rec, err := record.New(dir, string(track.SID()), nil)
//	if err != nil {
//		return err
//	}
//	defer rec.Close()
//	sink, err := rec.AddTrack(media.VP8, "camera")
//	if err != nil {
//		return err
//	}
//	return track.Attach(sink)
//
// Frames go into the file as they were received. The file is WebM when every
// codec is VP8, VP9, AV1 or Opus, and Matroska (.mkv) otherwise. It can be
// played while it grows and after a crash, up to the last cluster, which is
// about two seconds long; Close adds the index for seeking.
package record

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-rtc/parley/media"
)

const (
	// DefaultMaxBytes is the size that a file does not pass by default.
	DefaultMaxBytes = 2 << 30
	// MaxTracks is how many tracks a file can have.
	MaxTracks = 16

	maxName = 128
)

// Conditions that callers can tell apart with [errors.Is].
var (
	// ErrName means that a file name is empty, too long, or made of anything
	// but letters, digits, "_" and "-".
	ErrName = errors.New("not a file name")
	// ErrCodec means that the container cannot hold the codec, or that a
	// sample is not of its track's codec.
	ErrCodec = errors.New("codec does not fit")
	// ErrTooLarge means that the file has reached its largest size.
	ErrTooLarge = errors.New("recording has reached its largest size")
	// ErrTooManyTracks means that the file has no room for one more track; the
	// others go on.
	ErrTooManyTracks = errors.New("too many tracks")
	// ErrClosed means that the recorder was closed before.
	ErrClosed = errors.New("recorder is closed")
)

// Error tells which recording has which problem.
type Error struct {
	// File is the file's name in its directory, without the ending when there
	// is no file yet.
	File string
	// Err is one of the package's errors or what the file system says.
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("media/record: %s: %v", e.File, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Options says how to record. Nil and the zero value are useful.
type Options struct {
	// MaxBytes is the size at which the recording ends with [ErrTooLarge]; the
	// file stays below it, index included. Zero means [DefaultMaxBytes].
	MaxBytes int64
	// Matroska writes .mkv also where WebM would do. Use it when codecs that
	// WebM forbids may be added after the first sample.
	Matroska bool
}

// Recorder writes one file. All methods may be called concurrently, and so may
// the sinks of different tracks. It has no goroutines.
//
// When the file cannot be written, for instance because the disk is full, the
// recording ends: what was written stays playable, each WriteSample from then
// on returns the same [*Error], and Close and Err return it too.
type Recorder struct {
	name string
	opts Options
	open func(name string) (file, error)
	done func() error

	mu     sync.Mutex
	tracks []*Track
	file   string
	out    *muxer
	zero   time.Time // when the first sample came
	err    error     // why there is no more recording; the first one wins
	closed bool
}

// New returns a recorder for a file in the directory dir, which must exist.
// name is the file's name without its ending; make it from a SID, not from what
// users type. An existing file is never overwritten.
//
// The file is created with the first sample that can be played: there is none
// when none came.
func New(dir, name string, opts *Options) (*Recorder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, &Error{File: name, Err: err}
	}
	r, err := NewIn(root, name, opts)
	if err != nil {
		_ = root.Close() // nothing was written
		return nil, err
	}
	r.done = root.Close
	return r, nil
}

// NewIn is [New] for a directory that is open already. The root stays open.
func NewIn(root *os.Root, name string, opts *Options) (*Recorder, error) {
	return newRecorder(name, opts, func(name string) (file, error) {
		return root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	})
}

func newRecorder(name string, opts *Options, open func(string) (file, error)) (*Recorder, error) {
	if !validName(name) {
		return nil, &Error{File: fmt.Sprintf("%.40q", name), Err: ErrName}
	}
	r := &Recorder{name: name, open: open, done: func() error { return nil }}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.MaxBytes <= 0 {
		r.opts.MaxBytes = DefaultMaxBytes
	}
	return r, nil
}

// validName accepts what SIDs are made of, and what no file system minds.
func validName(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// AddTrack adds a track and returns its sink. label is shown by players and
// may be empty. Add the tracks that are known before the first sample: they
// decide between WebM and Matroska. Later ones must fit what was chosen.
func (r *Recorder) AddTrack(codec media.Codec, label string) (*Track, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, r.problem(ErrClosed)
	case r.err != nil:
		return nil, r.err
	case codecs[codec].id == "":
		return nil, r.problem(fmt.Errorf("%w: %q", ErrCodec, codec))
	case r.out != nil && r.out.webm && !codecs[codec].webm:
		return nil, r.problem(fmt.Errorf("%w: %s in WebM", ErrCodec, codec))
	case len(r.tracks) == MaxTracks:
		return nil, r.problem(ErrTooManyTracks)
	}
	t := &Track{rec: r, codec: codec, label: strings.ToValidUTF8(label[:min(len(label), maxName)], ""), number: len(r.tracks) + 1}
	r.tracks = append(r.tracks, t)
	return t, nil
}

// File returns the name of the file in its directory, or "" when there is none
// yet.
func (r *Recorder) File() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file
}

// Err returns what ended the recording early, or nil.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close writes what is left and the index, and closes the file. It returns what
// ended the recording early. Closing again returns the same.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return r.err
	}
	r.closed = true
	if r.out != nil {
		r.fail(r.out.finish())
	}
	if err := r.done(); err != nil {
		r.fail(err)
	}
	return r.err
}

// write puts a block into the file. The lock is held.
func (r *Recorder) write(b block) error {
	if err := r.out.write(b); err != nil {
		r.fail(err)
		r.out.abandon()
		return r.err
	}
	return nil
}

// begin makes sure that the file exists and lists the track. The lock is held.
func (r *Recorder) begin(t *Track) error {
	if r.out == nil {
		webm := !r.opts.Matroska && !slices.ContainsFunc(r.tracks, func(t *Track) bool { return !codecs[t.codec].webm })
		name := r.name + ".mkv"
		if webm {
			name = r.name + ".webm"
		}
		f, err := r.open(name)
		if err != nil {
			r.fail(err)
			return r.err
		}
		r.file = name
		r.out = newMuxer(f, webm, r.opts.MaxBytes)
	}
	if err := r.out.addTrack(t.entry); err != nil {
		if errors.Is(err, ErrTooManyTracks) {
			return r.problem(err)
		}
		r.fail(err)
		r.out.abandon()
		return r.err
	}
	return nil
}

func (r *Recorder) fail(err error) {
	if err != nil && r.err == nil {
		r.err = r.problem(err)
	}
}

func (r *Recorder) problem(err error) *Error {
	name := r.file
	if name == "" {
		name = r.name
	}
	return &Error{File: name, Err: err}
}
