package media

import "time"

const (
	// pacedPiece is how much sound a paced source gives out at once.
	pacedPiece = 20 * time.Millisecond
	// maxUnderrun is how late sound may be written without leaving a gap, so
	// that sound made just in time is not torn.
	maxUnderrun = 20 * time.Millisecond
	// pushOut is how much silence pushes the end of a sentence out: a packet,
	// and what a resampler looks ahead.
	pushOut = 25 * time.Millisecond
	// maxLate is how late it may be read: then it is given out in a burst.
	maxLate = time.Second
)

// schedule is when pieces of sound are due that come faster than they are
// heard. The zero value starts with the first piece.
type schedule struct {
	base    time.Time
	at      time.Duration // since base: when the next piece is due
	aligned time.Duration // given out since the last gap

	// What was given out last, and whether a pause is still to follow.
	rate, channels int
	sounding       bool
}

// next returns how long to wait for the next piece, which was written at some
// time. first is false for all but the first part of it.
func (s *schedule) next(written time.Time, first bool) time.Duration {
	now := time.Now()
	if s.base.IsZero() {
		s.base = now
	}
	if late := written.Sub(s.base) - s.at; first && late > maxUnderrun {
		s.at, s.aligned = s.at+late, 0
	}
	due := s.base.Add(s.at).Sub(now)
	if due < -maxLate {
		s.at, s.aligned, due = s.at-due, 0, 0
	}
	return due
}

// give stamps the piece that is due.
func (s *schedule) give(f *AudioFrame) {
	f.Timestamp, f.Captured = s.at, s.base.Add(s.at)
	s.at += f.Duration()
	s.aligned += f.Duration()
	s.rate, s.channels, s.sounding = f.Rate, f.Channels, true
}

// pause fills f with the silence after a sentence, when nothing followed in
// time: it pushes out what resamplers and encoders hold back until they have
// enough. Otherwise due tells when that will be, if something was said.
func (s *schedule) pause(f *AudioFrame) (due time.Duration, ok bool) {
	if !s.sounding {
		return 0, false
	}
	if due = time.Until(s.base.Add(s.at + maxUnderrun)); due > 0 {
		return due, false
	}
	f.Rate, f.Channels = s.rate, s.channels
	f.Samples = f.Samples[:0]
	for range timeSamples(pushOut+(pacedPiece-s.aligned%pacedPiece)%pacedPiece, s.rate) * s.channels {
		f.Samples = append(f.Samples, 0)
	}
	s.give(f)
	s.aligned, s.sounding = 0, false
	return 0, true
}

// rest returns how long until all that was given out has been heard.
func (s *schedule) rest() time.Duration { return time.Until(s.base.Add(s.at)) }
