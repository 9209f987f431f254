// Package recording records the participants of a room: a file for each, with
// all its audio and video.
package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/parley-rtc/parley"
	"github.com/parley-rtc/parley/media"
	"github.com/parley-rtc/parley/media/record"
)

// gather is how long a file waits for the other tracks of its participant: a
// file has to know all its codecs when it begins.
const gather = 500 * time.Millisecond

// Options are functions that are called on any goroutine, must not wait and
// must not call the Room. Each may be nil.
type Options struct {
	// Failed is told the first thing that goes wrong.
	Failed func(error)
	// Sample sees every sample, those too that cannot be recorded.
	Sample func(parley.RemoteTrack, media.Sample)
}

// Room records whoever is in a room. A recording that fails reports it and
// leaves the room alone. Its methods may be called from any goroutine.
type Room struct {
	dir  string
	opts Options

	mu     sync.Mutex
	people map[*parley.RemoteParticipant]*person
	files  []*record.Recorder
	err    error
	closed bool
}

// person is a participant with its tracks and files.
type person struct {
	name    string
	waiting []mediaTrack
	timer   *time.Timer
	begun   bool
	tracks  []mediaTrack
	files   []*record.Recorder // the last one gets what comes
}

type mediaTrack interface {
	parley.RemoteTrack
	Codec() media.Codec
	Attach(media.Sink) error
	DetachAll() []media.Sink
}

// New returns a recorder into the directory, which is made if it is not there.
// A directory that cannot be used is a failure of the recording.
func New(dir string, opts Options) *Room {
	r := &Room{dir: dir, opts: opts, people: map[*parley.RemoteParticipant]*person{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.fail(err)
	}
	return r
}

// Handle takes the room's events; those that do not matter are ignored.
func (r *Room) Handle(ev parley.Event) {
	switch ev := ev.(type) {
	case parley.TrackStarted:
		if t, ok := ev.Track.(mediaTrack); ok {
			r.started(ev.Participant, t)
		}
	case parley.ParticipantDisconnected:
		r.left(ev.Participant)
	}
}

func (r *Room) started(p *parley.RemoteParticipant, t mediaTrack) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	one := r.people[p]
	if one == nil {
		one = &person{name: p.SID()}
		r.people[p] = one
	}
	if one.begun {
		r.take(one, t)
		return
	}
	one.waiting = append(one.waiting, t)
	if expected(p) <= len(one.waiting) {
		r.begin(one)
		return
	}
	if one.timer == nil {
		one.timer = time.AfterFunc(gather, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !r.closed {
				r.begin(one)
			}
		})
	}
}

// expected counts the tracks that the participant will be heard and seen with.
func expected(p *parley.RemoteParticipant) int {
	n := 0
	for _, pub := range p.Tracks() {
		if pub.Kind() != parley.KindData && pub.IsTrackEnabled() {
			n++
		}
	}
	return n
}

// begin opens the participant's first file with the tracks that wait.
func (r *Room) begin(one *person) {
	if one.begun {
		return
	}
	one.begun = true
	if one.timer != nil {
		one.timer.Stop()
	}
	tracks := one.waiting
	one.waiting = nil
	matroska := false
	for _, t := range tracks {
		matroska = matroska || !fitsWebM(t.Codec())
	}
	r.open(one, matroska)
	sinks := make([]*record.Track, len(tracks))
	for i, t := range tracks { // all of them before the first sample
		sinks[i] = r.add(one, t)
	}
	for i, t := range tracks {
		r.attach(one, t, sinks[i])
	}
}

// take adds a track that came later: to the file if it fits there, or else to
// one more.
func (r *Room) take(one *person, t mediaTrack) {
	r.attach(one, t, r.add(one, t))
}

func (r *Room) add(one *person, t mediaTrack) *record.Track {
	if len(one.files) == 0 {
		return nil // that was reported
	}
	sink, err := one.files[len(one.files)-1].AddTrack(t.Codec(), t.Name())
	if errors.Is(err, record.ErrCodec) || errors.Is(err, record.ErrTooManyTracks) {
		if !r.open(one, !fitsWebM(t.Codec())) {
			return nil
		}
		sink, err = one.files[len(one.files)-1].AddTrack(t.Codec(), t.Name())
	}
	if err != nil {
		r.fail(err)
		return nil
	}
	return sink
}

func (r *Room) open(one *person, matroska bool) bool {
	name := one.name
	if n := len(one.files); n > 0 {
		name = fmt.Sprintf("%s-%d", name, n+1)
	}
	rec, err := record.New(r.dir, name, &record.Options{Matroska: matroska})
	if err != nil {
		r.fail(err)
		return false
	}
	one.files = append(one.files, rec)
	r.files = append(r.files, rec)
	return true
}

func (r *Room) attach(one *person, t mediaTrack, sink *record.Track) {
	one.tracks = append(one.tracks, t)
	if err := t.Attach(&tee{room: r, track: t, sink: sink}); err != nil {
		r.fail(err)
	}
}

// tee shows a track's samples and records them, until that fails.
type tee struct {
	room  *Room
	track parley.RemoteTrack
	sink  *record.Track // nil: not recorded
}

func (t *tee) WriteSample(s media.Sample) error {
	if t.room.opts.Sample != nil {
		t.room.opts.Sample(t.track, s)
	}
	if t.sink == nil {
		return nil
	}
	if err := t.sink.WriteSample(s); err != nil {
		t.sink = nil
		t.room.mu.Lock()
		defer t.room.mu.Unlock()
		t.room.fail(err)
	}
	return nil
}

// fail keeps the first error. The lock is held, or nobody else knows r yet.
func (r *Room) fail(err error) {
	if r.err != nil {
		return
	}
	r.err = fmt.Errorf("recording into %s: %w", r.dir, err)
	if r.opts.Failed != nil {
		r.opts.Failed(r.err)
	}
}

// left completes the files of somebody who has gone.
func (r *Room) left(p *parley.RemoteParticipant) {
	r.mu.Lock()
	one := r.people[p]
	delete(r.people, p)
	if one != nil && !r.closed {
		r.begin(one)
	}
	r.mu.Unlock()
	if one != nil {
		r.finish(one)
	}
}

func (r *Room) finish(one *person) {
	for _, t := range one.tracks {
		t.DetachAll() // tees return no errors
	}
	for _, f := range one.files {
		if err := f.Close(); err != nil {
			r.mu.Lock()
			r.fail(err)
			r.mu.Unlock()
		}
	}
}

// Files lists the recordings that have begun, as paths.
func (r *Room) Files() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var paths []string
	for _, f := range r.files {
		if name := f.File(); name != "" {
			paths = append(paths, filepath.Join(r.dir, name))
		}
	}
	return paths
}

// Err returns the first thing that went wrong, or nil.
func (r *Room) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close completes the files. After the end of the room they hold everything
// that came. It returns what went wrong first.
func (r *Room) Close() error {
	r.mu.Lock()
	r.closed = true
	people := r.people
	r.people = nil
	for _, one := range people {
		r.begin(one)
	}
	r.mu.Unlock()
	for _, one := range people {
		r.finish(one)
	}
	return r.Err()
}

func fitsWebM(c media.Codec) bool {
	switch c {
	case media.VP8, media.VP9, media.AV1, media.Opus:
		return true
	}
	return false
}
