package record

import (
	"fmt"
	"time"

	"github.com/parley-rtc/parley/media"
)

// Track is one track of a recording; it implements [media.Sink].
//
// Video starts with its first key frame; what comes before cannot be played
// and is left out. The track's clock is set by when its first sample arrives,
// so that tracks which run together are heard and seen together.
type Track struct {
	rec    *Recorder
	codec  media.Codec
	label  string
	number int

	// The following is guarded by rec.mu.
	entry   trackEntry
	started bool
	origin  time.Duration // the first sample's timestamp less its place in the file
	last    time.Duration
}

// Codec returns the codec that the track was added with.
func (t *Track) Codec() media.Codec { return t.codec }

// WriteSample records a sample; its data must not be changed afterwards. An
// error that wraps [ErrCodec] or [ErrTooManyTracks] concerns this track alone,
// any other means that the recording has ended.
func (t *Track) WriteSample(s media.Sample) error {
	r := t.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		return r.err
	case r.closed:
		return r.problem(ErrClosed)
	case s.Codec != t.codec && s.Codec != "":
		return r.problem(fmt.Errorf("%w: %s sample for a %s track", ErrCodec, s.Codec, t.codec))
	case len(s.Data) == 0:
		return nil
	}
	if !t.started {
		if ready, err := t.start(s); !ready || err != nil {
			return err
		}
	}
	data := s.Data
	if c := codecs[t.codec]; c.pack != nil {
		if data = c.pack(data); len(data) == 0 {
			return nil // not a single NAL unit
		}
	}
	t.last = max(t.last, s.Timestamp-t.origin)
	return r.write(block{
		track: t.number,
		at:    t.last,
		end:   t.last + max(s.Duration, 0),
		key:   s.Keyframe || t.codec.Kind() == media.Audio,
		video: t.codec.Kind() == media.Video,
		data:  data,
	})
}

// start begins the track with its first sample that a decoder can start with.
func (t *Track) start(s media.Sample) (ready bool, err error) {
	entry, ok := describe(t, s)
	if !ok {
		return false, nil
	}
	t.entry = entry
	if err := t.rec.begin(t); err != nil {
		return false, err
	}
	now := time.Now()
	if t.rec.zero.IsZero() {
		t.rec.zero = now
	}
	t.origin = s.Timestamp - now.Sub(t.rec.zero)
	t.last = 0
	t.started = true
	return true, nil
}
