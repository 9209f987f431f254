// Package media holds what a track carries: encoded samples, where they come
// from and where they go. It knows nothing of WebRTC.
//
// A [Source] produces samples at the pace at which they are to be heard or
// seen; a [Sink] takes them. Programs that make their own frames push them
// through a [PushSource]. Files are in media/file, generated clips in
// media/synth, recordings in media/record.
package media

import (
	"context"
	"strings"
	"time"
)

// Kind is audio or video.
type Kind string

// The kinds of media.
const (
	Audio Kind = "audio"
	Video Kind = "video"
)

// Codec names an encoding by its MIME subtype, spelled as in RTP.
type Codec string

// The codecs that tracks can carry.
const (
	VP8  Codec = "VP8"
	VP9  Codec = "VP9"
	H264 Codec = "H264"
	H265 Codec = "H265"
	AV1  Codec = "AV1"
	Opus Codec = "opus"
	PCMU Codec = "PCMU"
	PCMA Codec = "PCMA"
)

// Kind returns what the codec encodes, or "" for an unknown codec.
func (c Codec) Kind() Kind {
	switch c {
	case VP8, VP9, H264, H265, AV1:
		return Video
	case Opus, PCMU, PCMA:
		return Audio
	}
	return ""
}

// ClockRate returns the RTP clock rate in Hz, or 0 for an unknown codec.
func (c Codec) ClockRate() int {
	switch c {
	case VP8, VP9, H264, H265, AV1:
		return 90000
	case Opus:
		return 48000
	case PCMU, PCMA:
		return 8000
	}
	return 0
}

// MIME returns the MIME type, such as "video/VP8".
func (c Codec) MIME() string { return string(c.Kind()) + "/" + string(c) }

// ParseCodec finds the codec of a MIME type or subtype, in any case. ok is
// false when there is none.
func ParseCodec(s string) (c Codec, ok bool) {
	if _, sub, found := strings.Cut(s, "/"); found {
		s = sub
	}
	for _, c := range []Codec{VP8, VP9, H264, H265, AV1, Opus, PCMU, PCMA} {
		if strings.EqualFold(s, string(c)) {
			return c, true
		}
	}
	return "", false
}

// Sample is one encoded frame of video (a temporal unit, an access unit) or
// one packet of audio. Data belongs to the receiver of the sample, but see
// [Source].
//
// Data is a raw frame for VP8 and VP9, an Annex B access unit (bitstream.AnnexB
// makes one of length-prefixed NAL units) for H.264 and
// H.265, a sequence of OBUs with size fields and without temporal delimiters
// for AV1, an Opus packet, or G.711 octets.
type Sample struct {
	Codec Codec
	Data  []byte

	// Timestamp is the sample's place on the track's own clock. It only
	// grows; its origin means nothing.
	Timestamp time.Duration
	// Duration is how long the sample lasts; zero when unknown.
	Duration time.Duration

	// Keyframe is true for a video sample that a decoder can start with,
	// and for every audio sample.
	Keyframe bool
	// Width and Height are the picture's size in pixels, set on key frames.
	Width, Height int

	// Captured is when the sample was captured, by the clock of the machine
	// that captured it; zero when unknown. Tracks of one machine are in step
	// where their samples have the same. Remote tracks learn it from the
	// sender's reports (RFC 3550, section 6.4.1), a moment after they began.
	Captured time.Time

	// Level is how loud a sample of sound is, in dB of the loudest possible
	// (RFC 6464), from -127, which is silence, to -1; zero when unknown.
	// [AudioSource] sets it, and [AudioFrame.Level] tells it to who encodes
	// sound otherwise. Servers find out by it who speaks: the publisher of a
	// track without levels is never the dominant speaker. Remote tracks give
	// what the sender said.
	Level int

	// Lost counts the RTP packets missed just before this sample. It is zero
	// in samples that go out.
	Lost int
}

// Source produces the samples of one track. It is used by one goroutine.
type Source interface {
	// Codec is the encoding of all samples; it does not change.
	Codec() Codec
	// Next waits until the next sample is due and returns it. The sample's
	// data may be used again by the next call. io.EOF ends the track in good
	// order; any other error ends it and is reported.
	Next(ctx context.Context) (Sample, error)
	// Close releases the source and makes a waiting Next return. It is
	// idempotent and may be called from any goroutine.
	Close() error
}

// KeyframeRequester is implemented by sources that can make a key frame on
// demand. RequestKeyframe must not block; requests come at most twice a second.
type KeyframeRequester interface {
	RequestKeyframe()
}

// BitrateSetter is implemented by sources that can follow a bitrate target, in
// bits per second; zero is the one they were made with. SetBitrate must not
// block.
type BitrateSetter interface {
	SetBitrate(bps int)
}

// CaptureReporter is implemented by sources that encode what they capture, as
// [VideoSource] does. The statistics of who sends them tell it.
type CaptureReporter interface {
	CaptureStats() CaptureStats
}

// CaptureStats is how a source's capture does.
type CaptureStats struct {
	// Width and Height are the size of the picture captured last, in pixels,
	// before it was made smaller; zero before the first.
	Width, Height int
	// Overloaded says that to convert, scale and encode took more than nine
	// tenths of the last second or so: the machine is too slow for the pictures
	// that come.
	Overloaded bool
}

// Sink takes the samples of a remote track, in order, from one goroutine. A
// sink that blocks delays only itself: the track's queue is bounded and drops
// its oldest samples, counted in the next Sample.Lost. An error detaches it.
type Sink interface {
	WriteSample(Sample) error
}
