package play

import (
	"sync/atomic"
	"time"

	"github.com/parley-rtc/parley/media"
)

const (
	frame = 20 * time.Millisecond // of sound, as long as none was decoded
	// slack is what timestamps of samples that follow each other may differ.
	slack = 2500 * time.Microsecond

	// maxDry is how long a voice is guessed on when nothing comes.
	maxDry = 100 * time.Millisecond
	// maxQuiet is how long background noise goes on without a sample: DTX
	// sends one each 400 ms.
	maxQuiet = time.Second

	// Sound may be heard that much before and behind its time; from far on it
	// is put there at once.
	before = 2 * time.Millisecond
	behind = 12 * time.Millisecond
	far    = 250 * time.Millisecond

	// smooth is over how many blocks the place is averaged.
	smooth = 32
)

// voice plays one audio track. Samples are put in from anywhere; the rest is
// the mixer's.
type voice struct {
	queue  *queue
	member *member
	counts *counters
	open   func(media.Codec) (media.AudioDecoder, error)

	dec   media.AudioDecoder
	codec media.Codec // of dec, which is nil if there is none of it
	frame media.AudioFrame
	pcm   pcm
	bend  stretcher

	playing bool
	pos     time.Duration // timestamp of what comes behind pcm
	last    time.Duration // length of the last sample
	dry     time.Duration // guessed since the last sample
	quiet   bool          // the last sample was of background noise

	place   time.Duration // offset, averaged
	placed  bool
	changed time.Duration // when sound was stretched last
}

// counters tell what became of a track's samples; times are in sample frames.
type counters struct {
	samples, late, lost, dropped, failed atomic.Int64

	played, concealed, inserted, removed atomic.Int64

	shown, skipped, frozen atomic.Int64 // pictures

	target, offset atomic.Int64 // nanoseconds
	skew           atomic.Int64
}

// read fills dst with the sound that is heard at the time; behind its end is
// silence. It reports whether there was any.
func (v *voice) read(dst []int16, at time.Duration) bool {
	if v.playing {
		v.keepPlace(at)
	}
	n := len(dst) / channels
	for v.pcm.frames() < n && v.step(at+length(v.pcm.frames())) {
	}
	got := v.pcm.take(dst)
	clear(dst[got*channels:])
	return got > 0
}

// head returns the timestamp of the sound that is heard next.
func (v *voice) head() time.Duration { return v.pos - length(v.pcm.frames()) }

// keepPlace sees to it that what is heard at the time is what should be.
func (v *voice) keepPlace(at time.Duration) {
	is := at - v.head()
	if !v.placed {
		v.place, v.placed = is, true
	}
	v.place += (is - v.place) / smooth
	v.member.hears(at, v.place)
	v.counts.offset.Store(int64(v.place))
	early := v.member.offset(at) - v.place // by so much
	off := early.Abs()
	switch {
	case off > far:
		v.stop()
		return
	case early <= before && -early <= behind, at-v.changed < frame, off < 3*behind && at-v.changed < 10*frame:
		return
	}
	for v.pcm.frames() < ahead {
		s, ok := v.queue.first()
		if !ok || !v.follows(s) || !v.decode(s) {
			break
		}
	}
	if v.pcm.frames() < ahead {
		return
	}
	similar := float32(0.9)
	if off > 2*behind {
		similar = 0.6
	}
	if off > 6*behind {
		similar = -1
	}
	if early > 0 {
		early = max(early, behind)
	}
	d := v.bend.apply(&v.pcm, early, similar)
	if d == 0 {
		return
	}
	v.changed = at
	v.place += length(d)
	if d > 0 {
		v.counts.inserted.Add(int64(d))
	} else {
		v.counts.removed.Add(int64(-d))
	}
}

// follows reports whether the sample is the next.
func (v *voice) follows(s media.Sample) bool {
	d := s.Timestamp - v.pos
	return -slack <= d && d <= slack
}

// step adds sound that is heard at the time. It reports whether it did.
func (v *voice) step(at time.Duration) bool {
	for {
		s, ok := v.queue.first()
		switch {
		case !v.playing:
			return ok && v.start(s, at)
		case !ok:
			return v.missing(media.Sample{})
		case s.Timestamp < v.pos-slack:
			v.queue.pop()
			v.counts.late.Add(1)
		case v.follows(s):
			if v.decode(s) {
				return true
			}
		default:
			return v.missing(s)
		}
	}
}

// start begins to play with the sample, or one behind it, if its time has come.
func (v *voice) start(s media.Sample, at time.Duration) bool {
	offset := v.member.offset(at)
	for at-s.Timestamp-offset > 2*frame {
		next, more := v.queue.nth(1)
		if !more {
			break // the newest there is
		}
		v.queue.pop()
		v.counts.dropped.Add(1)
		s = next
	}
	wait := s.Timestamp + offset - at
	if wait >= length(block) {
		return false
	}
	if wait > 0 {
		v.pcm.silence(frames(wait))
	}
	v.pos, v.playing, v.placed, v.dry, v.quiet = s.Timestamp, true, false, 0, false
	had := len(v.pcm.all())
	if !v.decode(s) {
		v.playing = false
		return false
	}
	fresh := v.pcm.all()[had:]
	ramp(fresh[:min(len(fresh), block/2*channels)], 0, 1)
	return true
}

// stop ends playing: what is left fades out.
func (v *voice) stop() {
	if v.pcm.frames() == 0 && v.loudness() > 0 {
		v.guess(media.Sample{}, length(block))
	}
	rest := v.pcm.all()
	rest = rest[:min(len(rest), block*channels)]
	v.pcm.buf = v.pcm.buf[:v.pcm.head+len(rest)]
	ramp(rest, v.loudness(), 0)
	v.playing, v.placed = false, false
	v.member.silent()
}

// decode adds the sound of the first sample in the queue, and takes it away.
func (v *voice) decode(s media.Sample) bool {
	v.queue.pop()
	if !v.ready(s.Codec) {
		v.counts.failed.Add(1)
		return false
	}
	if err := v.dec.Decode(s, &v.frame); err != nil {
		v.counts.failed.Add(1)
		return false
	}
	fresh, ok := v.pcm.add(&v.frame)
	if !ok {
		v.counts.failed.Add(1)
		return false
	}
	if v.dry > frame && !v.quiet {
		ramp(fresh[:min(len(fresh), block/2*channels)], v.loudness(), 1)
	}
	v.last = v.frame.Duration()
	v.pos = s.Timestamp + v.last
	v.dry, v.quiet = 0, s.Codec == media.Opus && len(s.Data) <= 2
	v.counts.played.Add(int64(len(fresh) / channels))
	return true
}

// ready sees to it that there is a decoder.
func (v *voice) ready(codec media.Codec) bool {
	if v.codec == codec {
		return v.dec != nil
	}
	v.close()
	v.codec = codec
	dec, err := v.open(codec)
	if err != nil {
		return false
	}
	v.dec = dec
	return true
}

// missing adds a guess of what should come now; next is what follows, if
// anything is there.
func (v *voice) missing(next media.Sample) bool {
	last := v.last
	if last <= 0 {
		last = frame
	}
	gap := last
	some := len(next.Data) > 0
	if some {
		gap = min(next.Timestamp-v.pos, gap)
	}
	switch {
	case v.quiet && v.dry < maxQuiet:
		v.guess(media.Sample{}, gap)
		return true
	case some && next.Lost == 0 && v.dry == 0 && next.Timestamp-v.pos > 3*last, v.dry >= maxDry:
		// The sender paused, or the way is blocked.
		v.stop()
		return v.pcm.frames() > 0
	}
	if !some || next.Timestamp-v.pos > last+slack {
		next = media.Sample{} // it does not know of this one
	}
	from := v.loudness()
	fresh := v.guess(next, gap)
	ramp(fresh, from, v.loudness())
	n := int64(len(fresh) / channels)
	v.counts.played.Add(n)
	v.counts.concealed.Add(n)
	return true
}

// loudness is what is left of a guess: all of the first frame, then less.
func (v *voice) loudness() float32 {
	return max(0, min(1, 1-float32(v.dry-frame)/float32(maxDry-frame)))
}

// guess adds so much sound that nobody sent.
func (v *voice) guess(next media.Sample, d time.Duration) []int16 {
	const unit = 2500 * time.Microsecond // what codecs count in
	d = max(unit, d.Round(unit))
	v.pos += d
	v.dry += d
	if v.dec != nil && v.dec.Conceal(next, d, &v.frame) == nil {
		if fresh, ok := v.pcm.add(&v.frame); ok {
			return fresh
		}
	}
	n := frames(d)
	v.pcm.silence(n)
	all := v.pcm.all()
	return all[len(all)-n*channels:]
}

// close ends the decoder.
func (v *voice) close() {
	if v.dec != nil {
		_ = v.dec.Close() // it holds nothing any more
		v.dec = nil
	}
}
